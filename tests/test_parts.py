"""Which pictures go where, and which classes there are."""

from pathlib import Path

import pytest

from shortcut.data.samples import Sample, Source
from shortcut.errors import DataError
from shortcut.parts import choose_parts, match_classes
from shortcut.recipe import read_recipe


@pytest.mark.parametrize(
    ("count", "with_test", "carved"), [(4000, False, 400), (4000, True, 200), (3980, True, 398)]
)
def test_less_is_carved_where_a_test_part_measures(
    count: int, with_test: bool, carved: int
) -> None:
    samples = [Sample(Path(f"{n}.jpg"), "ab"[n % 2]) for n in range(count)]
    given = {"train": samples} | ({"test": samples[:20]} if with_test else {})
    source = Source("x", Path(), "folders", ("a", "b"), given)
    parts, measured_on = choose_parts(source, read_recipe("balanced"))
    assert measured_on == "val" and len(parts["val"]) == carved
    assert len(parts["train"]) == count - carved


@pytest.mark.parametrize("name", ["\x1b[2J", "c" * 1001])
def test_a_name_that_no_model_file_takes_is_refused_at_once(name: str) -> None:
    samples = [Sample(Path(f"{label}.png"), label) for label in ("cat", name)]
    with pytest.raises(DataError, match="cannot be the name of a class: rename its folder"):
        match_classes({"train": samples, "val": samples})
