"""The short check: no picture is opened, and equal files are found all the same."""

import json
import shutil
from pathlib import Path

from tests.pictures import make_pictures

from shortcut.checks import Finding, checking_shortly, finding_table, tell_findings
from shortcut.data.samples import Source
from shortcut.data.sources import read_source
from shortcut.events import run_silently
from shortcut.parts import choose_parts
from shortcut.recipe import read_recipe


def parted(folder: Path) -> Path:
    """A train and a test part of 12 pictures a class."""
    for part in ("train", "test"):
        make_pictures(folder / part)
        for number, file in enumerate(sorted((folder / part).rglob("*.png"))):
            file.write_bytes(f"{part} {number}".encode())  # no picture: nobody is to open it
    return folder


def shortly(source: Source) -> list[Finding]:
    return run_silently(checking_shortly(source, source.parts))


def test_equal_files_in_two_parts_are_told(tmp_path: Path) -> None:
    root = parted(tmp_path / "photos")
    for number in range(3):
        file = root / "train" / "red" / f"photo-{number:02}.png"
        shutil.copy(file, root / "test" / "red" / f"again-{number}.png")
    found = {f.kind.name: f for f in shortly(read_source(root))}
    assert found["leak"].count == 3 and "copies" not in found
    (line,) = tell_findings(list(found.values()), "photos")
    assert "3 pictures that stand in two parts (leaks)" in line and "`shortcut check" in line
    rows = json.loads(finding_table(list(found.values())))
    leak = next(row for row in rows if "leaks" in row["what"][0])
    assert leak["count"] == 3 and leak["level"] == "error" and "泄漏" in leak["what"][1]


def test_other_files_of_one_size_are_no_copies(tmp_path: Path) -> None:
    root = parted(tmp_path / "photos")
    assert not {"leak", "copies"} & {f.kind.name for f in shortly(read_source(root))}


def test_where_nothing_is_grave_nothing_is_told() -> None:
    assert tell_findings([], "photos") == [] and json.loads(finding_table([])) == []


def test_a_copy_of_what_was_carved_off_for_val_is_a_leak(tmp_path: Path) -> None:
    root = make_pictures(tmp_path / "photos", each=20)
    for file in sorted(root.rglob("*.png")):
        shutil.copy(file, file.with_name(f"again-{file.name}"))
    source = read_source(root)
    assert "leak" not in {found.kind.name for found in shortly(source)}
    parts, _ = choose_parts(source, read_recipe("fast"))
    found = {f.kind.name: f for f in run_silently(checking_shortly(source, parts))}
    learnt = {sample.path for sample in parts["train"]}
    twins = [sample for sample in parts["val"] if twin(sample.path) in learnt]
    assert found["leak"].count == len(twins) > 0


def twin(file: Path) -> Path:
    name = file.name.removeprefix("again-")
    return file.with_name(f"again-{name}" if name == file.name else name)
