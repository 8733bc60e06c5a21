"""The layouts people have, the litter beside them, and one clear line for what cannot be read."""

import os
import unicodedata
from pathlib import Path

import pytest

from shortcut.data.folders import PICTURE_ENDINGS, read_folder
from shortcut.data.samples import Source
from shortcut.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(source: Source) -> dict[str, list[tuple[str, str]]]:
    return {
        part: [
            (sample.path.relative_to(source.root).as_posix(), sample.label) for sample in samples
        ]
        for part, samples in source.parts.items()
    }


def refused(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_folder(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_class_folders_with_nested_pictures_and_litter(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "pets",
        *("cat/b.JPG", "cat/2020/may/a.png", "dog/x.webp", "dog/notes.txt", "dog/.hidden.jpg"),
        *(".git/x.jpg", "__MACOSX/cat/._b.jpg", "Thumbs.db", ".DS_Store", "desktop.ini", "cat.csv"),
    )
    source = read_folder(root)
    assert (source.name, source.kind, source.root) == ("pets", "folders", root)
    assert source.classes == ("cat", "dog")
    assert listed(source) == {
        "all": [("cat/2020/may/a.png", "cat"), ("cat/b.JPG", "cat"), ("dog/x.webp", "dog")]
    }


def test_samples_are_sorted_as_paths_are(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{name}/{n}.jpg" for name in ("a", "a-b", "a b") for n in (10, 9, 1)))
    paths = [sample.path for sample in read_folder(root).parts["all"]]
    assert paths == sorted(paths)


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("train", "val", "test"), ["train", "val", "test"]),
        (("Training", "Validation", "TESTING"), ["train", "val", "test"]),
        (("train", "valid"), ["train", "val"]),
        (("test",), ["test"]),
    ],
)
def test_part_folders_under_all_their_names(
    tmp_path: Path, folders: tuple[str, ...], parts: list[str]
) -> None:
    for folder in folders:
        touch(tmp_path, f"{folder}/cat/1.jpg", f"{folder}/dog/1.jpg")
    touch(tmp_path, "README.md", "docs/notes.txt")
    source = read_folder(tmp_path)
    assert list(source.parts) == parts
    assert source.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat.4001.jpg", "cat"),
        ("dog_17.png", "dog"),
        ("golden_retriever-012.jpg", "golden_retriever"),
        ("hot dog (3).jpg", "hot dog"),
        ("cat.4001 (1).jpg", "cat"),
        ("dog17.jpeg", "dog"),
        ("resnet50_3.jpg", "resnet50"),
        ("n01440764_10026.JPEG", "n01440764"),
        ("grade_1_007.tif", "grade_1"),
        ("猫12.jpg", "猫"),
    ],
)
def test_flat_names_begin_with_the_label(tmp_path: Path, name: str, label: str) -> None:
    source = read_folder(touch(tmp_path, name, "other.1.jpg"))
    assert source.kind == "flat names"
    assert (name, label) in listed(source)["all"]


def test_flat_names_inside_parts(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{part}/{c}.1.jpg" for part in ("train", "val") for c in "ab"))
    assert listed(read_folder(root))["val"] == [("val/a.1.jpg", "a"), ("val/b.1.jpg", "b")]


def test_every_ending_counts(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{c}/x.{e.upper()}" for c in "ab" for e in PICTURE_ENDINGS))
    assert len(read_folder(root).parts["all"]) == 2 * len(PICTURE_ENDINGS) == 26


def test_class_names_are_nfc(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "crème")
    source = read_folder(touch(tmp_path, f"{decomposed}/1.jpg", "tart/1.jpg"))
    assert source.classes == (unicodedata.normalize("NFC", "crème"), "tart")
    assert all(sample.path.exists() for sample in source.parts["all"])


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_followed_and_loops_are_entered_once(tmp_path: Path) -> None:
    away = touch(tmp_path / "away", "3.jpg")
    root = touch(tmp_path / "root", "cat/1.jpg", "dog/1.jpg", ".store/deep/2.jpg")
    (root / "cat" / "more").symlink_to(root / ".store", target_is_directory=True)
    (root / "cat" / "loop").symlink_to(root / "cat", target_is_directory=True)
    (root / "cat" / "up").symlink_to(root, target_is_directory=True)
    (root / "dog" / "link.jpg").symlink_to(away / "3.jpg")
    (root / "dog" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    names = [name for name, _ in listed(read_folder(root))["all"]]
    assert names == [
        *("cat/1.jpg", "cat/more/deep/2.jpg"),
        *("dog/1.jpg", "dog/gone.jpg", "dog/link.jpg"),
    ]


def test_no_folder_a_file_and_an_empty_folder(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "nowhere")
    assert "is a file" in refused(touch(tmp_path, "x.jpg") / "x.jpg")
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty") == f"{tmp_path / 'empty'}: no pictures found."
    touch(tmp_path, "phone/cat/1.HEIC", "phone/dog/2.heic")
    assert "seen: 2 x .heic; convert" in refused(tmp_path / "phone")


def test_one_class(tmp_path: Path) -> None:
    assert "only one class ('cat')" in refused(touch(tmp_path / "a", "cat/1.jpg"))
    assert "only one class ('IMG')" in refused(touch(tmp_path / "b", "IMG_1.jpg", "IMG_2.jpg"))
    wrapped = touch(tmp_path / "c", "photos/cat/1.jpg", "photos/dog/1.jpg")
    assert f"Did you mean {wrapped / 'photos'}?" in refused(wrapped)


def test_empty_class_folders_are_named(tmp_path: Path) -> None:
    root = touch(tmp_path, "cat/1.jpg", "dog/1.jpg", "emu/1.heic", "owl/readme.txt")
    message = refused(root)
    assert "no pictures in 2 classes 'emu', 'owl' (seen: 1 x .heic" in message
    assert "remove the folder" in message


def test_mixtures(tmp_path: Path) -> None:
    mixed = touch(tmp_path / "a", "cat/1.jpg", "dog/1.jpg", "cat.1.jpg")
    assert "are mixed" in refused(mixed)
    beside = touch(tmp_path / "b", "train/cat/1.jpg", "train/dog/1.jpg", "cover.jpg")
    assert "beside the part folders" in refused(beside)
    vehicles = touch(tmp_path / "c", "bus/1.jpg", "train/1.jpg")
    assert "'train' is the name of a part and 'bus' is not" in refused(vehicles)
    twice = touch(tmp_path / "d", "val/cat/1.jpg", "valid/cat/1.jpg", "train/cat/1.jpg")
    assert "both 'val' and 'valid' mean val" in refused(twice)


def test_flat_names_without_labels(tmp_path: Path) -> None:
    assert "'1.jpg' gives no label" in refused(touch(tmp_path / "a", "1.jpg", "2.jpg"))
    assert "gives no label" in refused(touch(tmp_path / "b", "2020_05_17.jpg", "cat_1.jpg"))
    assert "gives no label" in refused(touch(tmp_path / "c", "cat.jpg", "dog.jpg"))
    hashes = touch(tmp_path / "d", *(f"{chr(97 + i)}f3b{i}.jpg" for i in range(20)))
    assert "20 pictures give 20 labels" in refused(hashes)


def test_classes_must_suit_the_parts(tmp_path: Path) -> None:
    train = ("train/cat/1.jpg", "train/dog/1.jpg")
    lacking = touch(tmp_path / "a", *train, "val/cat/1.jpg")
    assert "class missing in val: train has class 'dog'" in refused(lacking)
    extra = touch(tmp_path / "b", *train, "val/cat/1.jpg", "val/dog/1.jpg", "val/emu/1.jpg")
    assert "val has class 'emu' that train lacks" in refused(extra)
    strange = touch(tmp_path / "c", *train, "test/emu/1.jpg")
    assert "test has class 'emu' that train lacks" in refused(strange)
    fewer = touch(tmp_path / "d", *train, "test/cat/1.jpg")
    assert read_folder(fewer).classes == ("cat", "dog")
    hollow = touch(tmp_path / "e", *train)
    (hollow / "val").mkdir()
    assert f"{hollow / 'val'}: no pictures found" in refused(hollow)


@pytest.mark.usefixtures("permissions_bind")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    root = touch(tmp_path, "cat/1.jpg", "dog/1.jpg")
    (root / "dog").chmod(0)
    try:
        assert f"{root / 'dog'}: the folder cannot be read" in refused(root)
    finally:
        (root / "dog").chmod(0o755)


def test_real_photos(shared_data: Path) -> None:
    source = read_folder(shared_data / "cats-dogs")
    assert source.name == "cats-dogs"
    assert {part: len(samples) for part, samples in source.parts.items()} == {
        "train": 8000,
        "test": 1998,
    }
