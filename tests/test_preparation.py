"""What is said before a training begins."""

import math
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from tests.recipes import write_tiny_recipe

from shortcut import preparation
from shortcut.data.folders import read_folder
from shortcut.data.splits import carve_validation
from shortcut.events import Event, Notice, run_silently
from shortcut.job import Job
from shortcut.precision import PLAIN, Choice
from shortcut.preparation import prepare
from shortcut.recipe import read_recipe
from shortcut.world import find_world

FIXED = Choice(PLAIN, {})


def notices(photos: Path, changes: dict[str, object], choice: Choice | None = FIXED) -> list[str]:
    """The texts of all notices of a preparation."""
    return [event.text for event in story_of(photos, changes, choice) if isinstance(event, Notice)]


def job_of(photos: Path, changes: dict[str, object]) -> Job:
    """What a preparation makes."""
    return run_silently(story_of(photos, changes, FIXED))


def story_of(
    photos: Path, changes: dict[str, object], choice: Choice | None
) -> Generator[Event, None, Job]:
    recipe = read_recipe(write_tiny_recipe(photos.parent), changes)
    train, val = carve_validation(read_folder(photos).parts["all"], fraction=0.25, seed=0)
    parts = {"train": train, "val": val}
    return prepare(recipe, parts, find_world("cpu"), cache=photos.parent, choice=choice)


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


@pytest.mark.parametrize(("weights", "patches"), [("none", True), ("imagenet", False)])
def test_first_filters_start_from_patches_of_the_pictures(
    weights: str, patches: bool, tiny_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as random ones, and nothing else is another; published weights stay as they are."""
    monkeypatch.setattr(preparation, "load_imagenet", lambda *_: iter(()))
    changes: dict[str, object] = {"model.name": "resnet18", "model.weights": weights}
    usual, ours = (
        job_of(tiny_photos, changes | {"model.first_filters": first}).classifier.model
        for first in ("random", "patches")
    )
    first, expected = (model.conv1.weight.flatten(1) for model in (ours, usual))
    found = 2 * 27  # of 3x3 pixels; the stem for small pictures has 64 filters
    assert torch.equal(first[:found], expected[:found]) != patches
    assert torch.equal(first[found:], expected[found:])
    assert torch.equal(first[:27], -first[27:found]) == patches
    if patches:
        torch.testing.assert_close(first.norm(dim=1)[0], expected.norm(dim=1).mean())
    others = usual.state_dict()
    assert all(
        torch.equal(tensor, others[name])
        for name, tensor in ours.state_dict().items()
        if name != "conv1.weight"
    )


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
