"""What is found in real photos, where it is known what should be."""

import csv
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.scenes import COPIES

from shortcut.checks import checking
from shortcut.checks.story import Checked
from shortcut.events import run_silently

EXPECTED = {
    "zPug_3.heic": {"strangers"},
    "truncated.heic": {"strangers"},
    "16bit.cropped.jp2": {"strangers"},
    "10ct_32bit_128.tiff": {"unreadable"},
    "pil123p.png": {"transparent"},
    "tRNS_null_1x1.png": {"transparent"},
    "rotating-squares.gif": {"animated", "transparent"},
    "DS_Store": set[str](),
}
"""What the manifest does not tell: endings that are not read, and colours that are transparent."""


def by_file(checked: Checked) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = defaultdict(set)
    for finding in checked.findings:
        for example in finding.examples:
            for file in example.files:
                kinds[file.name].add(finding.kind.name)
    return kinds


def expected_of(row: dict[str, str]) -> set[str]:
    name = row["file"]
    if name in EXPECTED:
        return EXPECTED[name]
    if "." not in name[1:] or name.startswith("."):
        return set() if name.startswith(".") else {"strangers"}
    if row["pillow_13.0.0"] != "opens and loads" or row["format"] in ("", "HEIF"):
        return {"unreadable"}
    kinds = set[str]()
    kinds |= {"turned"} if (row["exif_orientation"] or "1") in "2345678" else set()
    kinds |= {"cmyk"} if row["mode"] in ("CMYK", "LAB") else set()
    kinds |= (
        {"deep"} if "16-bit" in row["what_is_odd"] and "tables" not in row["what_is_odd"] else set()
    )
    kinds |= {"animated"} if int(row["frames"] or 1) > 1 and row["format"] != "MPO" else set()
    transparent = row["mode"] in ("RGBA", "LA") or "transparen" in row["what_is_odd"]
    kinds |= {"transparent"} if transparent else set()
    kinds |= {"renamed"} if "named ." in row["what_is_odd"] else set()
    return kinds


def test_each_of_the_dirty_files_has_the_right_finding(
    shared_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = shared_data / "dirty"
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = by_file(run_silently(checking(folder, max_pixels=100_000_000)))
    capfd.readouterr()  # libtiff itself writes to standard error about the fuzzed file
    told = {"unreadable", "strangers", "turned", "cmyk", "deep", "animated", "transparent"}
    told |= {"renamed"}
    wrong = {
        row["file"]: (found[row["file"]] & told, expected_of(row))
        for row in rows
        if found[row["file"]] & told != expected_of(row)
    }
    assert len(rows) == 82
    assert wrong == {}


def test_the_copies_in_hotdog_are_those_that_are_known(shared_data: Path) -> None:
    """207 and 15 surplus copies of hot dogs, one of other things, and no leak."""
    checked = run_silently(checking(shared_data / "hotdog"))
    surplus = Counter(
        "/".join(path.relative_to(checked.source.root).parts[:2])
        for path, why in checked.exclusions.items()
        if why == "copies"
    )
    assert surplus == {"train/hotdog": 207, "test/hotdog": 15, "test/not-hotdog": 1}
    assert not {"leak", "conflict"} & {finding.kind.name for finding in checked.findings}


def plant(shared_data: Path, root: Path, each: int, strangers: int) -> dict[str, set[str]]:
    """Test pictures of cats-dogs beside training pictures, and copies of some among these; returns
    the names of the copies by kind."""
    noise = np.random.default_rng(0)
    planted: dict[str, set[str]] = {}
    for label in ("cat", "dog"):
        for part, count in (("train", strangers), ("test", strangers // 4)):
            (root / part / label).mkdir(parents=True)
            files = sorted((shared_data / "cats-dogs" / part / label).iterdir())
            for position in sorted(noise.choice(len(files), count, replace=False)):
                shutil.copy(files[position], root / part / label)
    files = sorted((root / "test").rglob("*.jpg"))
    for how, change in COPIES.items():
        planted[how] = set()
        for position in noise.choice(len(files), each, replace=False):
            name = f"{how.replace(' ', '-')}-{files[position].name}"
            with Image.open(files[position]) as image:
                copy = change(image.convert("RGB"))
            copy.save(root / "train" / files[position].parent.name / name, quality=60)
            planted[how].add(name)
    return planted


def leaks(checked: Checked) -> set[str]:
    return {path.name for path, why in checked.exclusions.items() if why == "leak"}


@pytest.mark.parametrize(
    ("each", "strangers"), [(10, 150), pytest.param(50, 2000, marks=pytest.mark.nightly)]
)
def test_planted_leaks_are_found_and_no_others(
    each: int, strangers: int, shared_data: Path, tmp_path: Path
) -> None:
    planted = plant(shared_data, tmp_path / "photos", each, strangers)
    found = leaks(run_silently(checking(tmp_path / "photos")))
    missed = {how: len(names - found) for how, names in planted.items()}
    assert missed.pop("cut by a tenth") <= each // 50
    assert set(missed.values()) == {0}
    assert found <= set().union(*planted.values())
