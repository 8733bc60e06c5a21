"""What copies mean: a leak, two labels, or one too many."""

from pathlib import Path

import numpy as np

from shortcut.checks.copies import check_copies
from shortcut.checks.findings import Finding
from shortcut.data.copies import Pair
from shortcut.data.looks import Look
from shortcut.data.samples import Sample


def check(files: list[tuple[str, str, int]], *pairs: Pair) -> dict[str, Finding]:
    """Files as (`part/name`, label, width)."""
    looks = [
        Look(Sample(Path(name), label), width=width, height=10, thumb=np.zeros((64, 64), np.uint8))
        for name, label, width in files
    ]
    parts = {Path(name): name.partition("/")[0] for name, _, _ in files}
    return {finding.kind.name: finding for finding in check_copies(looks, parts, pairs)}


def names(finding: Finding) -> list[str]:
    return [str(path) for path in finding.exclude]


def test_no_pairs_no_findings() -> None:
    assert check([("train/a", "x", 10)]) == {}


def test_a_leak_costs_the_training_its_copy_and_the_test_nothing() -> None:
    files = [("train/a", "x", 90), ("test/b", "x", 10), ("val/c", "x", 10), ("train/d", "x", 5)]
    found = check(files, Pair(0, 1, 1.0), Pair(1, 2, 0.95), Pair(0, 3, 0.99))
    assert names(found["leak"]) == ["val/c", "train/a", "train/d"] and found["leak"].count == 3
    assert found["leak"].examples[0].words[0] == "alike to 95.0%"
    assert found["leak"].kind.level == "error"
    assert names(found["copies"]) == ["train/d"]


def test_within_a_part_the_largest_stays() -> None:
    files = [("train/a", "x", 10), ("train/b", "x", 90), ("train/c", "x", 10), ("train/z", "x", 9)]
    found = check(files, Pair(0, 1, 0.98, mirrored=True), Pair(1, 2, 0.95))
    assert set(found) == {"copies"} and found["copies"].count == 2
    assert names(found["copies"]) == ["train/a", "train/c"]
    assert [str(file) for file in found["copies"].examples[0].files] == [
        "train/b",
        "train/a",
        "train/c",
    ]


def test_nobody_knows_which_of_two_labels_is_right() -> None:
    files = [("train/a", "x", 10), ("train/b", "y", 10)]
    found = check(files, Pair(0, 1, 1.0))
    assert set(found) == {"conflict"} and names(found["conflict"]) == ["train/a", "train/b"]
    assert found["conflict"].examples[0].words == ("equal", "完全相同")


def test_a_conflict_across_parts_is_a_leak_too_and_what_is_measured_on_stays() -> None:
    found = check([("train/a", "x", 10), ("test/b", "y", 10)], Pair(0, 1, 0.99))
    assert set(found) == {"leak", "conflict"}
    assert found["leak"].examples[0].words[0] == "alike to 99.0%"
    assert names(found["conflict"]) == ["train/a"]


def test_a_mirror_image_of_another_class_may_be_right() -> None:
    found = check([("train/a", "left", 10), ("train/b", "right", 10)], Pair(0, 1, 0.99, True))
    assert set(found) == {"mirrored"} and names(found["mirrored"]) == []
    assert found["mirrored"].examples[0].words[0] == "mirrored, alike to 99.0%"
