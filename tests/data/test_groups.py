"""What belongs on one side, and parts that do not tear it apart."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.scenes import make_scene

from shortcut.data.copies import Pair
from shortcut.data.groups import Rule, find_groups, fold_out, parse_rule, share_out
from shortcut.data.samples import Sample
from shortcut.errors import DataError, RecipeError


def samples(*names: str) -> list[Sample]:
    return [Sample(Path(name), "a") for name in names]


def test_without_rules_each_picture_is_a_group_but_for_copies() -> None:
    found = find_groups(samples("a", "b", "c", "d"), [], [Pair(0, 2, 0.99)], None)
    assert found == [0, 1, 0, 2]


def test_folders_and_names_join_and_chains_do() -> None:
    files = samples("x/p1-a.jpg", "x/p2-a.jpg", "y/p1-b.jpg", "y/p3.jpg", "z/other.jpg")
    assert find_groups(files, [Rule("folder")], [], None) == [0, 0, 1, 1, 2]
    assert find_groups(files, [Rule("name", r"^p\d")], [], None) == [0, 1, 0, 2, 3]
    assert find_groups(files, [Rule("name", r"-(.)$")], [], None) == [0, 0, 1, 2, 3]
    both = [Rule("folder"), Rule("name", r"^p\d")]
    assert find_groups(files, both, [Pair(3, 4, 1.0)], None) == [0] * 5


def test_a_column_of_the_table_says_who_belongs_together(tmp_path: Path) -> None:
    for name in "abc":
        make_scene(0, (8, 8)).save(tmp_path / f"{name}.png")
    table = tmp_path / "list.csv"
    table.write_text("path,label,Patient\na.png,x,7\nb.png,y,8\nc.png,x,7\n", "utf-8")
    files = [Sample(tmp_path / f"{name}.png", "x") for name in "abc"]
    assert find_groups(files, [Rule("column", "patient")], [], table) == [0, 1, 0]
    with pytest.raises(DataError, match="no column 'person'; the columns are path, label, patient"):
        find_groups(files, [Rule("column", "person")], [], table)
    with pytest.raises(DataError, match="no table that has a column `x`"):
        find_groups(files, [Rule("column", "x")], [], None)


def test_photos_of_one_burst_belong_together(tmp_path: Path) -> None:
    files: list[Sample] = []
    for number, second in enumerate(("00", "02", "04", "30", None, "31")):
        exif = Image.Exif()
        if second:
            exif[0x0132] = f"2024:05:01 10:00:{second}"
        make_scene(number, (8, 8)).save(tmp_path / f"{number}.jpg", exif=exif)
        files.append(Sample(tmp_path / f"{number}.jpg", "a"))
    assert find_groups(files, [Rule("time", "2")], [], None) == [0, 0, 0, 1, 2, 1]
    assert find_groups(files, [Rule("time", "60")], [], None) == [0, 0, 0, 0, 1, 0]
    assert find_groups(samples("none.jpg"), [Rule("time", "1")], [], None) == [0]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("folder", Rule("folder")),
        ("name:^(.*)_", Rule("name", "^(.*)_")),
        ("column:a:b", Rule("column", "a:b")),
        ("time:2.5", Rule("time", "2.5")),
    ],
)
def test_rules_are_read(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize("text", ["", "folder:x", "name:", "name:(", "time:", "time:soon", "day"])
def test_what_is_no_rule_is_told(text: str) -> None:
    with pytest.raises(RecipeError):
        parse_rule(text)


@settings(max_examples=30)
@given(st.integers(150, 200), st.sampled_from([0.1, 0.2, 0.25, 0.4]), st.integers(0, 1000))
def test_shares_are_kept_groups_are_whole_and_a_seed_decides(
    count: int, share: float, seed: int
) -> None:
    noise = np.random.default_rng(seed)
    labels = noise.choice(["a", "b"], count).tolist()
    groups = noise.integers(0, 60, count).tolist()
    chosen = share_out(labels, groups, share, seed)
    assert chosen == share_out(labels, groups, share, seed)
    inside = {group for group, held in zip(groups, chosen, strict=True) if held}
    outside = {group for group, held in zip(groups, chosen, strict=True) if not held}
    assert not inside & outside
    assert abs(sum(chosen) / len(chosen) - share) < 0.06
    for label, images in Counter(labels).items():
        held = sum(c for c, name in zip(chosen, labels, strict=True) if name == label)
        assert abs(held / images - share) < 0.2


def test_folds_hold_each_picture_once() -> None:
    labels, groups = ["a", "b"] * 30, [n // 3 for n in range(60)]
    folds = fold_out(labels, groups, 5, 0)
    assert set(folds) == set(range(5))
    assert all(len({f for f, g in zip(folds, groups, strict=True) if g == n}) == 1 for n in groups)
    sizes = [folds.count(fold) for fold in range(5)]
    assert max(sizes) - min(sizes) <= 3


def test_a_class_has_a_picture_in_a_share_and_keeps_a_group() -> None:
    labels, groups = ["a"] * 98 + ["b", "b"], list(range(100))
    chosen = share_out(labels, groups, 0.01, 0)
    assert sum(chosen) == 2 and sum(chosen[98:]) == 1
    assert share_out(["a", "a", "b"], [0, 0, 1], 0.5, 0) == [False] * 3


def test_a_thousand_classes_take_no_time() -> None:
    noise = np.random.default_rng(0)
    labels = [f"c{number}" for number in noise.integers(0, 1000, 20_000)]
    groups = noise.integers(0, 15_000, 20_000).tolist()
    # Whole pictures of classes of twenty: 2.6 are 3.
    assert abs(sum(share_out(labels, groups, 0.13, 0)) / 20_000 - 0.15) < 0.02
    folds = fold_out(labels, groups, 7, 0)
    assert max(map(folds.count, range(7))) - min(map(folds.count, range(7))) < 200
