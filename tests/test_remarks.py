"""What is told before a training begins."""

from pathlib import Path

import pytest

from shortcut.data.samples import Sample, Source
from shortcut.recipe import read_recipe
from shortcut.remarks import remark

TEST_CHOOSES = "accuracy is measured on the test part, which also chooses the best epoch"


def remarks(pictures: int, *, planned: bool = False, **changes: object) -> list[str]:
    parts = {"train": [Sample(Path("a.jpg"), "a")] * pictures}
    source = Source("x", Path(), "folders", ("a", "b"), {})
    recipe = read_recipe("balanced", {key.replace("__", "."): v for key, v in changes.items()})
    return remark(source, parts, recipe, "val", planned=planned)


def test_few_steps_are_told() -> None:
    (line,) = remarks(200)
    assert line.startswith("only 48 steps in all: ") and "`--budget 5m`" in line
    assert remarks(7600) == []
    assert remarks(200, planned=True) == []
    assert remarks(200, train__epochs=200) == []
    assert "only 24 steps" in remarks(200, train__accumulate=2)[0]


@pytest.mark.parametrize(("has_val", "more"), [(True, ["the val part is not used"]), (False, [])])
def test_where_accuracy_is_measured_is_told(has_val: bool, more: list[str]) -> None:
    sample = Sample(Path("a.jpg"), "a")
    given = {"train": (sample,), "test": (sample,)} | ({"val": (sample,)} if has_val else {})
    source = Source("x", Path(), "folders", ("a", "b"), given)
    recipe = read_recipe("balanced", {"data.validation": "test"})
    parts = {"train": [sample] * 9000}
    assert remark(source, parts, recipe, "test", planned=False) == [TEST_CHOOSES, *more]
    assert remark(source, parts, recipe, "val", planned=False) == [
        "there is no test part: accuracy is measured on val"
    ]
