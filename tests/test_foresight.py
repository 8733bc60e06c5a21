"""Foresight: what a budget decides before a picture is read, on a machine of a known speed."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shortcut import foresight
from shortcut.budget import Budget
from shortcut.costs import Work
from shortcut.data.cache import Keeping
from shortcut.data.samples import Sample
from shortcut.errors import RecipeError
from shortcut.foresight import check_reading, choose_by_budget
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.planning import LEVELS, OFTEN
from shortcut.precision import BF16, Choice
from shortcut.recipe import read_recipe
from shortcut.world import ALONE


class Still(Budget):
    """Its clock stands; `started` is what it shows."""

    def spent(self) -> float:
        return self.started


def some_samples(count: int) -> list[Sample]:
    return [Sample(Path(f"{number}.jpg"), "ab"[number % 2]) for number in range(count)]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 pictures a second, reading and the optimizer for nothing."""
    choice = Choice(BF16, {"bf16": 100.0})
    monkeypatch.setattr(foresight, "choose_precision", lambda *_, **__: choice)
    monkeypatch.setattr(foresight, "seconds_to_read", lambda *_, **__: 0.0)
    monkeypatch.setattr(
        foresight, "measure_optimizers", lambda names, *_: dict.fromkeys(names, 0.0)
    )


def test_a_network_is_chosen_for_the_time_that_reading_leaves(monkeypatch):
    asked: dict[str, object] = {}

    def choose_level(estimate, seconds):
        asked.update(locals())
        return LEVELS[1]

    monkeypatch.setattr(foresight, "seconds_to_read", lambda samples, *_, **__: 0.1 * len(samples))
    monkeypatch.setattr(
        foresight, "measure_optimizers", lambda names, *_: dict.fromkeys(names, 0.05)
    )
    monkeypatch.setattr(foresight, "choose_level", choose_level)
    samples = some_samples(1000)
    parts = {"train": samples, "val": samples[:50], "test": samples[:200]}
    recipe = read_recipe("balanced", {"train.accumulate": 2})
    planned, choice = choose_by_budget(recipe, parts, ALONE, Still(600, 10.0))
    base = create_model(LEVELS[0].model, num_classes=2)
    assert choice == Choice(BF16, {"bf16": 100.0})
    estimate = asked["estimate"]
    assert estimate.rate == 100 * multiply_adds(base, LEVELS[0].final)
    assert estimate.work == Work(1000, 50, 200)
    assert asked["seconds"] == pytest.approx(600 * 0.99 - 10 - 125)
    assert estimate.batch == 2 * planned.train.batch_size == 128
    assert estimate.optimizer_seconds == {level.model: 0.05 for level in LEVELS}
    assert (planned.model.name, planned.data.image_size) == (LEVELS[1].model, LEVELS[1].tested)


@pytest.mark.parametrize(
    ("minutes", "named", "share"),
    [
        (2, {}, None),
        (60, {}, 1.0),
        (60, {"augment.flip": False, "data.mirror_below": 0.0}, None),
        (60, {"augment.trivial_augment": 0.0}, 0.0),
        (60, {"augment.trivial_augment": 0.5}, 0.5),
        (2, {"augment.trivial_augment": 0.5}, 0.5),
    ],
    ids=["few epochs", "many", "not to be mirrored", "none asked", "half", "half, few epochs"],
)
def test_pictures_that_are_seen_often_are_changed(minutes, named, share):
    samples = some_samples(1000)
    recipe, budget = read_recipe("balanced", named), Still(60 * minutes, 0.0)
    planned, _ = choose_by_budget(recipe, {"train": samples}, ALONE, budget)
    assert planned.augment.trivial_augment == share


@pytest.mark.parametrize(
    ("epochs", "device", "share"),
    [(OFTEN - 0.1, "cpu", None), (OFTEN, "cpu", 1.0), (OFTEN, "meta", None)],
)
def test_often_is_so_many_epochs_and_a_processors_work(epochs, device, share, monkeypatch):
    """`meta` stands for a GPU."""
    monkeypatch.setattr(foresight.Estimate, "epochs", lambda *_: epochs)
    samples = some_samples(1000)
    world, recipe = replace(ALONE, device=torch.device(device)), read_recipe("balanced")
    planned, _ = choose_by_budget(recipe, {"train": samples}, world, Still(600, 0.0))
    assert planned.augment.trivial_augment == share


def test_a_planned_batch_has_two_pictures_for_each_process():
    samples = some_samples(100)
    world, budget = replace(ALONE, size=12), Still(600, 0.0)
    planned, _ = choose_by_budget(read_recipe("balanced"), {"train": samples}, world, budget)
    assert planned.train.batch_size == 24


def test_a_budget_that_reading_would_use_up_is_refused_before_it(monkeypatch):
    """1,000 photos of a good camera, half a second each."""
    monkeypatch.setattr(foresight, "seconds_to_read", lambda samples, *_, **__: 0.5 * len(samples))
    parts, recipe = {"train": [None] * 800, "test": [None] * 200}, read_recipe("balanced")
    with pytest.raises(RecipeError, match=r"opening the pictures takes about 500 s .* 1014 s\."):
        check_reading(parts, recipe, Keeping(), Still(500, 3.0))
    with pytest.raises(RecipeError, match="opening the pictures"):
        check_reading(parts, recipe, Keeping(), Still(510, 3.0))
    assert check_reading(parts, recipe, Keeping(), Still(515, 3.0)) == 100
