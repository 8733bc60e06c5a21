"""Folders as people have them: every picture under its own label, one line for what cannot be."""

import hashlib
import os
import pickle
import unicodedata
from pathlib import Path

import pytest
from tests.hostile.making import encoded, fill, labelled, photo

from shortcut.data.cache import Keeping, check_broken, read_pictures
from shortcut.data.folders import read_folder
from shortcut.data.splits import carve_validation
from shortcut.errors import DataError
from shortcut.events import run_silently

on_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such names nor files")
PICTURE = encoded(photo(), "PNG")


def refused(root: Path) -> str:
    with pytest.raises(DataError) as refusal:
        read_folder(root)
    assert str(refusal.value).isprintable()
    assert refusal.value.exit_code == 3
    return str(refusal.value)


# What is there at all ---------------------------------------------------------------------


@pytest.mark.usefixtures("permissions_bind")
def test_missing_empty_file_and_forbidden(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "nowhere" / "at all")
    assert "is a file" in refused(fill(tmp_path, "a.jpg") / "a.jpg")
    assert "no such folder" in refused(tmp_path / "a.jpg" / "below")
    (tmp_path / "empty").mkdir()
    assert "no pictures found" in refused(tmp_path / "empty")
    inside = fill(tmp_path, "locked/data/cat/1.png", "locked/data/dog/1.png") / "locked" / "data"
    for locked in (inside, inside.parent):
        locked.chmod(0)
        try:
            assert "cannot be read (Permission denied)" in refused(inside)
        finally:
            locked.chmod(0o755)
    assert len(read_folder(inside).parts["all"]) == 2


def test_pictures_without_class_folders(tmp_path: Path) -> None:
    message = refused(fill(tmp_path, *(f"{number}.png" for number in range(120))))
    assert "found 120 pictures but no class folders, and '0.png' gives no label" in message
    assert "Use CLASS/picture.jpg, or names like 'cat.12.jpg'" in message


def test_too_few_classes_or_pictures(tmp_path: Path) -> None:
    assert "only one class ('cat')" in refused(fill(tmp_path / "a", "cat/1.png", "cat/2.png"))
    hollow = fill(tmp_path / "b", "cat/1.png", "dog/1.png")
    (hollow / "emu").mkdir()
    assert "no pictures in class 'emu'" in refused(hollow)
    single = fill(tmp_path / "c", "cat/1.png", "cat/2.png", "dog/1.png")
    with pytest.raises(DataError, match="'dog' has one picture only"):
        carve_validation(read_folder(single).parts["all"], fraction=0.5, seed=0)


# Classes ----------------------------------------------------------------------------------


def test_parts_are_matched_by_name(tmp_path: Path) -> None:
    train = ("train/ant/1.png", "train/bee/1.png", "train/cow/1.png")
    fewer = fill(tmp_path / "a", *train, "test/bee/1.png", "test/cow/1.png")
    assert labelled(read_folder(fewer), "test") == [
        ("test/bee/1.png", "bee"),
        ("test/cow/1.png", "cow"),
    ]
    same = fill(tmp_path / "b", *train, *(name.replace("train", "val") for name in train))
    assert {label for _, label in labelled(read_folder(same), "val")} == {"ant", "bee", "cow"}
    lacking = fill(tmp_path / "c", *train, "val/ant/1.png")
    assert "2 classes 'bee', 'cow' that val lacks" in refused(lacking)
    more = fill(tmp_path / "d", *train, *(f"test/{name}/1.png" for name in ("bee", "dog")))
    assert "test has class 'dog' that train lacks" in refused(more)
    others = fill(tmp_path / "e", *train, *(f"val/{name}/1.png" for name in ("x", "y", "z")))
    assert "val has 3 classes 'x', 'y', 'z' that train lacks" in refused(others)


def test_the_order_of_classes_is_the_same_everywhere(tmp_path: Path) -> None:
    names = [f"class_{number}" for number in range(1, 13)]
    accents = ["zebra", "Zoo", "éclair", "ähre", "apple"]
    source = read_folder(fill(tmp_path, *(f"{name}/1.png" for name in (*names, *accents))))
    numbered = "class_1 class_10 class_11 class_12 class_2 class_3 class_4 class_5 class_6 class_7"
    rest = "class_8 class_9 zebra ähre éclair"
    assert source.classes == tuple(f"Zoo apple {numbered} {rest}".split())


@on_posix
@pytest.mark.parametrize(
    "twins", [("Cat", "cat"), tuple(unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))]
)
def test_twins_are_refused(tmp_path: Path, twins: tuple[str, str]) -> None:
    root = fill(tmp_path, "dog/1.png", *(f"{name}/{len(name)}.png" for name in twins))
    if len(list(root.iterdir())) < 3:
        pytest.skip("here they are one folder")
    message = refused(root)
    assert all(ascii(name) in message for name in twins)
    assert "are one on macOS and Windows" in message


def test_the_folder_right_below_gives_the_class(tmp_path: Path) -> None:
    root = fill(tmp_path, "a/x/1.png", "b/x/1.png", "b/y/2.png")
    assert labelled(read_folder(root)) == [
        ("a/x/1.png", "a"),
        ("b/x/1.png", "b"),
        ("b/y/2.png", "b"),
    ]


ODD = {
    "a space": "hot dog",
    "a line break": "hot\ndog",
    "a tab and an escape": "a\t\x1b[31mred",
    "an emoji": "🌭",
    "a family": "👨‍👩‍👧",
    "right to left": "כלב",
    "an override": "\u202egod",
    "quotes": 'it\'s "so"',
    "a dash in front": "-rf",
    "percent and braces": "%s {0} $HOME",
    "255 bytes": "x" * 255,
    "another script": "热狗",
}


@on_posix
@pytest.mark.parametrize("kind", ODD)
def test_odd_names_work_and_messages_stay_on_one_line(tmp_path: Path, kind: str) -> None:
    name = ODD[kind]
    file = f"{name[:200]} 1.png"
    root = fill(tmp_path / "data", f"{name}/{file}", "other/1.png")
    source = read_folder(root)
    assert (f"{name}/{file}", name) in labelled(source)
    assert len(run_silently(read_pictures(source.parts["all"], 32, threads=1)).pictures) == 2
    fill(root, f"{name}/{file}", data=b"")
    (line,) = run_silently(read_pictures(source.parts["all"], 32, threads=1)).broken
    assert line.isprintable() and "is empty" in line
    assert "only one class" in refused(fill(tmp_path / "single", f"{name}/1.png"))


@on_posix
def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    broken = os.fsdecode(b"caf\xe9")
    try:
        root = fill(tmp_path / "a", f"cat/{broken}.png", "dog/1.png")
    except OSError:
        pytest.skip("this disk has no such names")
    source = read_folder(root)
    read = run_silently(read_pictures(source.parts["all"], 32, threads=1))
    assert len(read.pictures) == 2
    fill(root, f"cat/{broken}.png", data=b"")
    (line,) = run_silently(read_pictures(source.parts["all"], 32, threads=1)).broken
    assert line.startswith("caf\\udce9.png: ") and line.isprintable()
    # Model files and tables are UTF-8, so a class of this name could not be written down.
    assert r"'caf\udce9' is not valid Unicode" in refused(
        fill(tmp_path / "b", f"{broken}/1.png", "dog/1.png")
    )


# What lies beside the pictures -------------------------------------------------------------


def test_litter_is_left_out(tmp_path: Path) -> None:
    root = fill(
        tmp_path,
        *("cat/1.png", "dog/1.png", "cat/.1.png", "cat/.trash/2.png", ".ipynb_checkpoints/1.png"),
        *("__MACOSX/cat/._1.png", "__MACOSX/2.png", "Thumbs.db", "cat/Thumbs.db", "desktop.ini"),
        *(".DS_Store", "cat/.DS_Store", "labels.csv", "cat/1.xml"),
    )
    assert labelled(read_folder(root)) == [("cat/1.png", "cat"), ("dog/1.png", "dog")]


# While and after reading -------------------------------------------------------------------


def test_files_that_vanish_or_change_are_named_and_skipped(tmp_path: Path) -> None:
    root = fill(
        tmp_path, *(f"{name}/{number}.png" for name in ("cat", "dog") for number in range(20))
    )
    samples = read_folder(root).parts["all"]
    (root / "cat" / "3.png").unlink()
    fill(root, "dog/7.png", data=PICTURE[:100])
    read = run_silently(read_pictures(samples, 32, threads=2))
    assert [line.partition(":")[0] for line in read.broken] == ["3.png", "7.png"]
    assert "there is no such file" in read.broken[0]
    assert len(read.pictures) == len(read.samples) == 38
    check_broken(read, 0.06)
    with pytest.raises(DataError, match="2 of 40 pictures cannot be read"):
        check_broken(read, 0.05)


class Canary:
    """Leaves a trace where a pickle of it is opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.trace),)


def test_nothing_planted_beside_the_pictures_is_loaded(tmp_path: Path) -> None:
    root = fill(tmp_path / "data", "cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
    trace = tmp_path / "trace"
    poison, code = pickle.dumps(Canary(trace)), f"import os\nos.mkdir({str(trace)!r})\n".encode()
    for place in (".", "cat"):
        for name in ("train.cache", "labels.npy", "data.pkl", "model.pt", "dataset.pth"):
            fill(root / place, name, data=poison)
        for name in ("conftest.py", "sitecustomize.py", "__init__.py", "dataset.py"):
            fill(root / place, name, data=code)
    keeping = Keeping("disk", tmp_path / "cache")
    for _ in range(2):
        source = read_folder(root)
        read = run_silently(read_pictures(source.parts["all"], 32, threads=1, keeping=keeping))
        assert len(read.pictures) == 4
    assert not trace.exists()
    pickle.loads(poison)
    assert trace.exists()  # the bait was alive


def digest(root: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        whole.update(f"{path} {path.lstat().st_mtime_ns}\n".encode())
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()


@pytest.mark.usefixtures("permissions_bind")
def test_a_folder_that_cannot_be_written_is_as_good(tmp_path: Path) -> None:
    root = fill(tmp_path / "data", "cat/1.png", "cat/2.png", "dog/1.png", "dog/broken.png")
    fill(root, "dog/broken.png", data=PICTURE[:200])
    before = digest(root)
    folders = [root, root / "cat", root / "dog"]
    for folder in folders:
        folder.chmod(0o555)
    try:
        samples = read_folder(root).parts["all"]
        keeping = Keeping("disk", tmp_path / "cache")
        read = run_silently(read_pictures(samples, 32, threads=2, keeping=keeping))
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert (len(read.pictures), len(read.broken)) == (3, 1)
    assert digest(root) == before
