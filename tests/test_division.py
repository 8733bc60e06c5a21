"""Data divided: what stays together, what stays as it is, and a table that trains."""

import csv
import hashlib
import io
import shutil
from pathlib import Path

import pytest
from tests.pictures import digest_of
from tests.scenes import COPIES, make_scene

from shortcut.data.groups import Rule
from shortcut.data.sources import read_source
from shortcut.division import Division, Plan, dividing
from shortcut.errors import DataError, RecipeError
from shortcut.events import Notice, heard, run_silently


def make_scenes(folder: Path, each: int = 15, first: int = 0) -> Path:
    for label, offset in (("cat", 0), ("dog", 200)):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            make_scene(first + offset + number, (96, 72)).save(folder / label / f"{number:02}.png")
    return folder


def divide(location: Path, **how: object) -> list[Division]:
    where = {"rules": how.pop("rules", ()), "anew": how.pop("anew", False)}
    return run_silently(dividing(read_source(location), Plan(**how), **where))  # type: ignore[arg-type]


def sizes(division: Division) -> dict[str, int]:
    return {part: len(chosen) for part, chosen in division.parts.items()}


def names(division: Division, part: str) -> set[str]:
    return {f"{s.label}/{s.path.name}" for s in division.parts.get(part, ())}


def test_shares_and_classes_are_kept_and_nothing_is_changed(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", each=20)
    before = digest_of(root)
    (found,) = divide(root)
    assert sizes(found) == {"train": 28, "val": 4, "test": 8}
    assert {s.label for s in found.parts["test"]} == {"cat", "dog"}
    assert divide(root) == [found] and divide(root, seed=1) != [found]
    assert digest_of(root) == before


def test_copies_are_on_one_side(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes")
    for number in range(15):
        for how in ("half the size", "mirrored"):
            copy = COPIES[how](make_scene(number, (96, 72)))
            copy.save(root / "cat" / f"{number:02}-{how[:4]}.png")
    for seed in range(3):
        (found,) = divide(root, seed=seed)
        for number in range(15):
            where = {
                part
                for part in found.parts
                for name in names(found, part)
                if name.startswith(f"cat/{number:02}")
            }
            assert len(where) == 1


def test_a_test_part_stays_and_its_copies_leave_the_training(tmp_path: Path) -> None:
    make_scenes(tmp_path / "scenes" / "train")
    make_scenes(tmp_path / "scenes" / "val", each=3, first=400)
    make_scenes(tmp_path / "scenes" / "test", each=4, first=800)
    make_scene(800, (96, 72)).save(tmp_path / "scenes" / "train" / "cat" / "leak.jpg", quality=70)
    (tmp_path / "scenes" / "train" / "dog" / "broken.png").write_bytes(b"")
    seen: list[object] = []
    story = dividing(read_source(tmp_path / "scenes"), Plan(val=0.25))
    (found,) = run_silently(heard(story, seen.append))
    assert len(found.parts["test"]) == 8
    assert {s.path.parts[-3] for s in found.parts["test"]} == {"test"}
    assert "cat/leak.jpg" not in names(found, "train") | names(found, "val")
    told = [event.text for event in seen if isinstance(event, Notice)]
    assert any("broken.png" in line for line in told)
    assert "left out: 1 pictures that are copies, or of a group, of test pictures" in told
    assert sum(sizes(found).values()) == 30 + 6 + 8
    (anew,) = divide(tmp_path / "scenes", anew=True)
    assert {s.path.parts[-3] for s in anew.parts["test"]} != {"test"}


def test_folds_differ_in_val_and_share_their_test(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes")
    found = divide(root, folds=3)
    assert [division.name for division in found] == ["scenes-1", "scenes-2", "scenes-3"]
    assert len({frozenset(names(division, "test")) for division in found}) == 1
    held = [names(division, "val") for division in found]
    assert not held[0] & held[1] and set.union(*held) == held[0] | names(found[0], "train")
    with pytest.raises(RecipeError, match="1 folds"):
        divide(root, folds=1)


def test_no_test_part_may_be_wanted(tmp_path: Path) -> None:
    (found,) = divide(make_scenes(tmp_path / "scenes"), test=0.0, val=0.2)
    assert set(found.parts) == {"train", "val"} and len(found.parts["val"]) == 6


def test_a_group_can_be_too_large(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", each=3)
    with pytest.raises(DataError, match="are one group: there is none to test on"):
        divide(root, rules=[Rule("folder")])
    with pytest.raises(DataError, match="val would have no picture of cat, dog"):
        divide(root, rules=[Rule("folder")], test=0.0)
    with pytest.raises(DataError, match="would have no picture of"):
        divide(root, folds=9)


@pytest.mark.parametrize("seed", range(5))
def test_small_classes_are_in_every_part(seed: int, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", each=20)
    for number in range(2, 20):
        (root / "dog" / f"{number:02}.png").unlink()
    for number in (300, 301, 302):
        make_scene(number, (96, 72)).save(root / "dog" / f"{number}.png")
    (found,) = divide(root, seed=seed)
    assert {part: {s.label for s in chosen} for part, chosen in found.parts.items()} == {
        part: {"cat", "dog"} for part in ("train", "val", "test")
    }
    assert divide(root, seed=seed, val=0.0)[0].parts.keys() == {"train", "test"}


def test_a_name_that_is_not_unicode_is_told_before_a_table_is_written(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes")
    (root / "cat" / "00.png").rename(root / "cat" / "\udcff.png")
    (found,) = divide(root)
    with pytest.raises(DataError, match="not Unicode"):
        run_silently(found.table(tmp_path))


def test_the_table_trains_from_anywhere_and_knows_each_file(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes")
    (found,) = divide(root)
    place = tmp_path / "elsewhere" / "deep" / "scenes.csv"
    place.parent.mkdir(parents=True)
    place.write_bytes(run_silently(found.table(place.parent)))
    source = read_source(place)
    for part, chosen in found.parts.items():
        assert {s.path.resolve() for s in source.parts[part]} == {s.path for s in chosen}
    rows = list(csv.DictReader(io.StringIO(place.read_text("utf-8"))))
    for row in rows:
        content = (place.parent / row["path"]).read_bytes()
        assert row["hash"] == hashlib.sha256(content).hexdigest() and int(row["group"]) > 0
    shutil.rmtree(root / "cat")
    with pytest.raises(DataError, match="cannot be read"):
        run_silently(found.table(place.parent))


def test_where_nothing_can_be_read_that_is_said(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / "x" / label).mkdir(parents=True)
        (tmp_path / "x" / label / "1.jpg").write_text("x")
    with pytest.raises(DataError, match="no picture can be read"):
        divide(tmp_path / "x")
