"""What a walk through the folders finds, and what is read although a training would refuse."""

import shutil
from pathlib import Path

import pytest
from tests.pictures import make_pictures

from shortcut.checks.findings import Finding
from shortcut.checks.layout import check_layout, read_anyhow
from shortcut.data.folders import read_folder
from shortcut.errors import DataError


def by_kind(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.kind.name: finding for finding in findings}


def words(finding: Finding) -> list[str]:
    return [example.words[0] for example in finding.examples]


def test_a_tidy_folder_has_no_findings(tiny_photos: Path) -> None:
    assert check_layout(tiny_photos) == []


def test_all_that_is_passed_over_or_refused_is_told_at_once(tiny_photos: Path) -> None:
    red = tiny_photos / "red"
    (tiny_photos / "Red").mkdir()
    shutil.copy(red / "photo-00.png", tiny_photos / "Red" / "a.png")
    (tiny_photos / "empty").mkdir()
    (tiny_photos / "only-text").mkdir()
    (tiny_photos / "only-text" / "notes.txt").write_text("x")
    (tiny_photos / ".thumbnails" / "deep").mkdir(parents=True)
    shutil.copy(red / "photo-00.png", tiny_photos / ".thumbnails" / "deep" / "a.png")
    shutil.copy(red / "photo-00.png", red / ".hidden.png")
    for name in ("phone.HEIC", "scan.jp2", "no-ending"):
        shutil.copy(red / "photo-00.png", red / name)
    (red / "readme").write_text("not a picture")
    (red / ".DS_Store").write_bytes(b"x")
    found = by_kind(check_layout(tiny_photos))
    assert set(found) == {"twins", "empty", "strangers", "hidden"}
    assert words(found["twins"]) == ["`Red`, `red`"]
    assert sorted(words(found["empty"])) == ["empty", "only-text"]
    strangers = {example.files[0].name for example in found["strangers"].examples}
    assert strangers == {"phone.HEIC", "scan.jp2", "no-ending"}
    assert found["hidden"].count == 2
    assert words(found["hidden"]) == ["1 x .", "1 x .thumbnails"]


def test_folders_below_classes_may_be_empty_and_alike(tiny_photos: Path) -> None:
    for name in ("red/old", "red/Older", "red/older"):
        (tiny_photos / name).mkdir()
    assert check_layout(tiny_photos) == []
    for part in ("train", "test"):
        (tiny_photos.parent / "parted" / part).mkdir(parents=True)
        shutil.copytree(tiny_photos, tiny_photos.parent / "parted" / part, dirs_exist_ok=True)
    (tiny_photos.parent / "parted" / "test" / "green").mkdir()
    found = by_kind(check_layout(tiny_photos.parent / "parted"))
    assert set(found) == {"empty"} and words(found["empty"]) == ["test/green"]


def test_what_is_refused_is_read_by_the_first_folder_below(tiny_photos: Path) -> None:
    (tiny_photos / "red" / "older").mkdir()
    (tiny_photos / "red" / "photo-00.png").rename(tiny_photos / "red" / "older" / "photo-00.png")
    (tiny_photos / "Red").mkdir()
    (tiny_photos / "red" / "photo-01.png").rename(tiny_photos / "Red" / "photo-01.png")
    with pytest.raises(DataError) as refusal:
        read_folder(tiny_photos)
    source, (finding,) = read_anyhow(tiny_photos, refusal.value)
    assert source.classes == ("Red", "blue", "red") and len(source.parts["all"]) == 24
    assert finding.kind.name == "layout" and words(finding) == [str(refusal.value)]


def test_parts_are_known_and_one_class_will_do(tmp_path: Path) -> None:
    make_pictures(tmp_path / "photos" / "training")
    make_pictures(tmp_path / "photos" / "Test")
    shutil.rmtree(tmp_path / "photos" / "Test" / "red")
    (tmp_path / "photos" / "valid").mkdir()
    source, _ = read_anyhow(tmp_path / "photos", DataError("refused."))
    assert {part: len(samples) for part, samples in source.parts.items()} == {
        "train": 24,
        "test": 12,
    }


def test_names_give_labels_where_no_folder_does(tmp_path: Path) -> None:
    root = make_pictures(tmp_path / "photos")
    for path in (root / "red").iterdir():
        path.rename(root / f"red.{path.name}")
    (root / "red").rmdir()
    source, _ = read_anyhow(root, DataError("mixed."))
    assert source.classes == ("blue", "red.photo")


def test_where_there_are_no_pictures_the_refusal_stands(tmp_path: Path) -> None:
    refusal = DataError("no such folder.")
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError) as told:
            read_anyhow(place, refusal)
        assert told.value is refusal
