"""What exists comes first, then names; what is neither gets the nearest name."""

from pathlib import Path

import pytest

from shortcut.data.sources import default_cache, read_source
from shortcut.errors import DataError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/cat/1.jpg", "photos/dog/1.jpg"):
        Path(name).parent.mkdir(parents=True)
        Path(name).touch()
    return tmp_path


def refused(location: str | Path, cache: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_source(location, cache=cache)
    return str(caught.value)


def test_folders_and_tables_are_read(here: Path) -> None:
    assert read_source("photos", cache=here).kind == "folders"
    table = here / "list.csv"
    table.write_text("path,label\nphotos/cat/1.jpg,cat\nphotos/dog/1.jpg,dog\n", encoding="utf-8")
    assert read_source(table, cache=here).kind == "csv"
    assert not (here / "digits").exists()


def test_an_existing_folder_comes_before_a_name(here: Path) -> None:
    (here / "photos").rename(here / "digits")
    assert read_source("digits", cache=here / "cache").classes == ("cat", "dog")


def test_the_home_folder_is_understood(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    assert read_source("~/photos", cache=here).root == here / "photos"


def test_names_are_read_from_the_cache(here: Path) -> None:
    assert read_source("digits", cache=here / "cache").kind == "digits"
    assert "Add --download" in refused("food101", here / "cache")


def test_other_files_are_refused(here: Path) -> None:
    assert "is one picture" in refused("photos/cat/1.jpg", here)
    for name, reason in (("a.zip", "Unpack it"), ("a.txt", "neither a folder nor a CSV file")):
        (here / name).touch()
        assert reason in refused(name, here)


def test_the_nearest_name_is_offered(here: Path) -> None:
    assert refused("photo", here) == "photo: no such folder. Did you mean photos?"
    assert str(here / "photos") in refused(here / "phtos", here)
    assert "Did you mean 'cifar10'?" in refused("CIFAR-10", here)
    assert "Did you mean 'digits'?" in refused("digit", here)
    message = refused("/nowhere/at/all", here)
    assert "no such folder" in message
    assert "oxford-iiit-pet" in message


def test_the_default_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHORTCUT_CACHE", str(tmp_path / "own"))
    assert default_cache() == tmp_path / "own"
    monkeypatch.delenv("SHORTCUT_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "shortcut"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "shortcut"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert default_cache() == tmp_path / "local" / "shortcut"


@pytest.mark.usefixtures("permissions_bind")
def test_a_folder_above_that_may_not_be_searched(here: Path) -> None:
    here.joinpath("photos").chmod(0)
    try:
        said = refused("photos/cat", here)
    finally:
        here.joinpath("photos").chmod(0o755)
    assert said.lower() == "photos/cat: cannot be read (permission denied)."
