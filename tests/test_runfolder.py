"""Run folders: never overwritten, what was used is in them, improvements are kept by name."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from shortcut.errors import DataError, ModelError, ResourceError
from shortcut.events import EpochEnd
from shortcut.runfolder import (
    PACKAGES,
    Facts,
    forget_improvements,
    gather_facts,
    keep_improvement,
    make_run_folder,
    read_facts,
)

EPOCH = EpochEnd(
    epoch=197,
    epochs=200,
    train_loss=0.367,
    train_accuracy=0.95,
    val_loss=0.4,
    val_accuracy=0.935,
    lr=0.00049,
    seconds=1.0,
    images_per_second=1.0,
    waiting=0.0,
    image_size=224,
    improved=True,
)
NAME = "epoch197+loss0.367+acc0.935+lr0.00049.safetensors"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def best(tmp_path) -> Path:
    path = tmp_path / "best.safetensors"
    path.write_bytes(b"weights")
    return path


def facts_of(root: Path) -> Facts:
    return gather_facts("cats", "folders", root, measured_on="val", lang="zh", log_interval=7)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "kept").iterdir())


# The folder ------------------------------------------------------------------------------


def test_runs_are_numbered_and_never_overwritten(here):
    made = [make_run_folder(None, "resnet18-cats") for _ in range(3)]
    names = ["resnet18-cats", "resnet18-cats-2", "resnet18-cats-3"]
    assert made == [Path("runs") / name for name in names]
    assert all((here / folder).is_dir() for folder in made)


def test_an_earlier_run_is_left_alone(here):
    first = make_run_folder(None, "a")
    (first / "log.txt").write_text("mine", "utf-8")
    make_run_folder(None, "a")
    assert (first / "log.txt").read_text("utf-8") == "mine"


def test_the_folder_asked_for_is_the_folder(tmp_path):
    wanted = tmp_path / "deep" / "run"
    assert make_run_folder(wanted, "unused") == wanted
    assert wanted.is_dir()


def test_an_empty_folder_may_be_used(tmp_path):
    assert make_run_folder(tmp_path, "unused") == tmp_path


@pytest.mark.parametrize("as_file", [False, True])
def test_an_occupied_place_is_refused(as_file, tmp_path):
    wanted = tmp_path / "taken"
    if as_file:
        wanted.write_text("mine", "utf-8")
    else:
        wanted.mkdir()
        (wanted / "photo.jpg").touch()
    with pytest.raises(ResourceError) as refusal:
        make_run_folder(wanted, "unused")
    expected = f"{wanted}: exists and is not empty; runs are never overwritten."
    assert str(refusal.value) == expected
    assert refusal.value.exit_code == 5


def test_a_place_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"file/run: cannot be written \(.+\)\.$"):
        make_run_folder(tmp_path / "file" / "run", "unused")


def test_runs_may_be_a_file(here):
    (here / "runs").touch()
    with pytest.raises(ResourceError, match=r"^runs/a: cannot be written \(.+\)\.$"):
        make_run_folder(None, "a")


@pytest.mark.usefixtures("permissions_bind")
def test_a_read_only_place(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ResourceError, match=r"cannot be written \(Permission denied\)"):
            make_run_folder(tmp_path / "run", "unused")
    finally:
        tmp_path.chmod(0o700)


def test_a_refusal_of_the_system_is_one_line(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ResourceError) as refusal:
        make_run_folder(tmp_path / "run", "unused")
    expected = f"{tmp_path / 'run'}: cannot be written (Read-only file system)."
    assert str(refusal.value) == expected


# Facts -------------------------------------------------------------------------


def test_facts_survive_the_round_trip(tmp_path):
    facts = facts_of(tmp_path / "Фото 猫")
    (tmp_path / "environment.json").write_text(facts.model_dump_json(indent=1), "utf-8")
    assert read_facts(tmp_path) == facts
    assert facts.data_root == str(tmp_path / "Фото 猫")
    assert (facts.measured_on, facts.lang, facts.log_interval) == ("val", "zh", 7)
    assert set(facts.versions) == set(PACKAGES)
    assert facts.cpus >= 1


def test_the_root_is_absolute(here):
    assert facts_of(Path("photos")).data_root == str(here / "photos")


def test_a_folder_whose_name_is_no_unicode(tmp_path):
    """Linux allows any bytes: `Fotos\\xfc` from an old disk must not end in a traceback."""
    root = tmp_path / os.fsdecode(b"fotos\xfc")
    with pytest.raises(DataError, match="not valid Unicode; rename"):
        facts_of(root)


def test_not_a_run_folder(tmp_path):
    with pytest.raises(ModelError) as refusal:
        read_facts(tmp_path)
    expected = f"{tmp_path}: not a run folder (no environment.json in it)."
    assert str(refusal.value) == expected


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"data_name": 3}', b"\xff\xfe\x00", b"[" * 100_000]
)
def test_damaged_facts(content, tmp_path):
    (tmp_path / "environment.json").write_bytes(content)
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "environment.json"))):
        read_facts(tmp_path)


# Improvements ----------------------------------------------------------------------------


def test_the_name_tells_the_figures(tmp_path, best):
    keep_improvement(tmp_path, best, EPOCH, 3)
    assert kept(tmp_path) == [NAME]
    assert (tmp_path / "kept" / NAME).read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("keep", "left"), [(1, [100]), (3, [11, 30, 100]), (9, [2, 9, 11, 30, 100]), ("all", None)]
)
def test_the_newest_stay(keep, left, tmp_path, best):
    numbers = [2, 9, 11, 30, 100]
    for number in numbers:
        best.write_bytes(b"%d" % number)
        keep_improvement(tmp_path, best, replace(EPOCH, epoch=number), keep)
        best.unlink()  # best is replaced by the next one, never written into
    found = sorted(int(name.split("+")[0].removeprefix("epoch")) for name in kept(tmp_path))
    assert found == (left or numbers)
    for path in (tmp_path / "kept").iterdir():
        assert path.read_bytes() == path.name.split("+")[0].removeprefix("epoch").encode()


def test_replacing_best_does_not_change_what_was_kept(tmp_path, best):
    keep_improvement(tmp_path, best, EPOCH, 3)
    (tmp_path / "new").write_bytes(b"better")
    (tmp_path / "new").replace(best)
    assert (tmp_path / "kept" / NAME).read_bytes() == b"weights"


def test_the_same_improvement_twice(tmp_path, best):
    for content in (b"one", b"two"):
        best.unlink(missing_ok=True)
        best.write_bytes(content)
        keep_improvement(tmp_path, best, EPOCH, 3)
    assert (tmp_path / "kept" / NAME).read_bytes() == b"two"


def test_a_disk_without_links_gets_a_copy(tmp_path, best, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    keep_improvement(tmp_path, best, EPOCH, 3)
    assert (tmp_path / "kept" / NAME).read_bytes() == b"weights"


@pytest.mark.parametrize("stranger", ["notes.txt", "epochs.txt", "epoch-of-love.md"])
def test_a_file_of_somebody_else_is_left_alone(stranger, tmp_path, best):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / stranger).write_text("mine", "utf-8")
    keep_improvement(tmp_path, best, EPOCH, 1)
    assert kept(tmp_path) == sorted([NAME, stranger])


def test_kept_may_be_in_the_way(tmp_path, best):
    (tmp_path / "kept").touch()
    with pytest.raises(ResourceError, match=r"kept: cannot be written"):
        keep_improvement(tmp_path, best, EPOCH, 3)


def test_what_later_epochs_left_is_forgotten(tmp_path):
    best = tmp_path / "best.safetensors"
    for number in (2, 5, 9):
        best.unlink(missing_ok=True)  # a new file, as `write_whole` makes it
        best.write_bytes(b"%d" % number)
        keep_improvement(tmp_path, best, replace(EPOCH, epoch=number), keep=3)
    forget_improvements(tmp_path, 5)
    assert best.read_bytes() == b"5"
    assert [path.name[:7] for path in sorted((tmp_path / "kept").iterdir())] == [
        "epoch2+",
        "epoch5+",
    ]
    forget_improvements(tmp_path, 1)
    assert best.read_bytes() == b"5"
    assert not list((tmp_path / "kept").iterdir())
