"""What is said before a training begins."""

import math
from pathlib import Path

import pytest
from tests.recipes import write_tiny_recipe

from shortcut import preparation
from shortcut.data.folders import read_folder
from shortcut.data.samples import Sample, Source
from shortcut.data.splits import carve_validation
from shortcut.errors import DataError
from shortcut.events import Notice
from shortcut.precision import PLAIN, Choice
from shortcut.preparation import choose_parts, match_classes, prepare
from shortcut.recipe import read_recipe
from shortcut.world import find_world

FIXED = Choice(PLAIN, {})


def notices(photos: Path, changes: dict[str, object], choice: Choice | None = FIXED) -> list[str]:
    """The texts of all notices of a preparation."""
    recipe = read_recipe(write_tiny_recipe(photos.parent), changes)
    train, val = carve_validation(read_folder(photos).parts["all"], fraction=0.25, seed=0)
    parts = {"train": train, "val": val}
    story = prepare(recipe, parts, find_world("cpu"), cache=photos.parent, choice=choice)
    return [event.text for event in story if isinstance(event, Notice)]


def test_a_network_that_ends_in_a_softmax_is_warned_of(tiny_photos: Path) -> None:
    changes = {"model.name": "resnet34_tutorial", "data.image_size": 112, "data.resize": 112}
    said = [text for text in notices(tiny_photos, changes) if "softmax" in text]
    assert len(said) == 1
    # With two classes the best that cross entropy can say of the output (1, 0).
    assert f"{-math.log(math.e / (math.e + 1)):.4f}" == "0.3133"
    assert "`resnet34_tutorial` ends in a softmax" in said[0] and "below 0.3133" in said[0]


@pytest.mark.parametrize("name", ["resnet20", "plain20", "resnet18"])
def test_networks_that_give_logits_are_not(tiny_photos: Path, name: str) -> None:
    assert not any("softmax" in text for text in notices(tiny_photos, {"model.name": name}))


@pytest.mark.parametrize("slow", [True, False])
def test_bf16_that_was_asked_for_is_warned_of_where_it_is_slow(
    tiny_photos: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    monkeypatch.setattr(preparation, "computes_bf16", lambda device: not slow)
    said = notices(tiny_photos, {"train.precision": "bf16"}, None)
    assert "number format: bf16, channels last, as the recipe asks" in said
    warned = [text for text in said if "many times as slowly" in text]
    assert len(warned) == slow
    said = notices(tiny_photos, {"train.precision": "fp32"}, None)
    assert not any("many times as slowly" in text for text in said)


def test_what_the_self_test_found_is_told(
    tiny_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Choice(PLAIN, {"fp32": 2.34, "fp32, channels last": 123.4})
    monkeypatch.setattr(preparation, "choose_precision", lambda *args, **more: found)
    figures = "fp32 2.3 · fp32, channels last 123"
    for given in (None, found):  # by a plan for a budget it is found earlier
        assert any(figures in text for text in notices(tiny_photos, {}, given))


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
