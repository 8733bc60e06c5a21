"""Pace: on machines of any speed, steady or not, a training ends when it should."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcut import pace as module
from shortcut.budget import Budget, clock
from shortcut.costs import Costs, Work
from shortcut.data.cache import Keeping
from shortcut.data.samples import Sample
from shortcut.errors import RecipeError
from shortcut.events import EpochEnd, Notice
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.pace import Pace, check_reading, choose_by_budget
from shortcut.planning import LEVELS, OFTEN
from shortcut.precision import BF16, Choice
from shortcut.recipe import read_recipe
from shortcut.world import ALONE

WORK = Work(train=7600, val=400, test=1998)
COSTS = Costs(fixed=1e-4, per_pixel=2.8e-7, measuring=1.2e-3, final=2.5e-3)
CHANGES = {"data.image_size": 128, "augment.start_scale": 0.5, "augment.final_scale": 0.875}


class FakeBudget(Budget):
    """Its clock goes only when it is told to."""

    now = 0.0

    def spent(self) -> float:
        return FakeBudget.now


def fake_job(changes: Mapping[str, object] = CHANGES) -> SimpleNamespace:
    job = SimpleNamespace(recipe=read_recipe("balanced", dict(changes)), history=[])
    job.train = SimpleNamespace(sizes=[])
    job.plan = lambda sizes: setattr(job.train, "sizes", list(sizes))
    return job


def epoch_end(number: int, epochs: int, size: int) -> EpochEnd:
    return EpochEnd(number, epochs, 1, 0, 1, 0, 0, 0, 0, 0, size, False)


def run(
    seconds: float,
    slow: list[float],
    monkeypatch: pytest.MonkeyPatch,
    work: Work = WORK,
    changes: Mapping[str, object] = CHANGES,
    told: list[Notice] | None = None,
) -> tuple[float, Pace]:
    """A training on a machine that is `slow[epoch]` times slower than was measured.

    Args:
        told: gets what the person is told on the way.
    """
    monkeypatch.setattr(module, "measure_costs", lambda *_: COSTS)
    FakeBudget.now = 12.0  # reading pictures
    job = fake_job(changes)
    pace = Pace(job, FakeBudget(seconds, 0.0), work)
    while len(job.history) < len(job.train.sizes):
        done = len(job.history)
        size, factor = job.train.sizes[done], slow[done % len(slow)]
        FakeBudget.now += factor * work.epoch(size, COSTS)
        job.history.append(epoch_end(done + 1, len(job.train.sizes), size))
        news = pace.adjust(job.history[-1])
        if told is not None and news:
            told.append(news)
    FakeBudget.now += work.ending(COSTS.scaled(slow[len(job.history) % len(slow)]))
    return FakeBudget.now, pace


@pytest.mark.parametrize("seconds", [180, 360, 600, 1200, 5400])
@pytest.mark.parametrize("slow", [0.7, 0.9, 1.0, 1.15, 1.5])
def test_a_steady_machine_ends_within_five_per_cent(seconds, slow, monkeypatch):
    took, _ = run(seconds, [slow], monkeypatch)
    assert 0.95 * seconds <= took <= 1.02 * seconds


@given(st.integers(180, 1200), st.lists(st.floats(0.85, 1.2), min_size=30, max_size=30))
@settings(max_examples=40, deadline=None)
def test_an_unsteady_one_ends_within_five_per_cent(seconds, slow):
    with pytest.MonkeyPatch.context() as patch:
        took, _ = run(seconds, slow, patch)
    assert 0.93 * seconds <= took <= 1.05 * seconds


@pytest.mark.parametrize("slow", [1.0, 1.2, 1.5, 2.0])
def test_few_long_epochs_end_in_time(slow, monkeypatch):
    """Of 20,000 pictures three in 180 seconds: there is hardly an epoch to make anything good."""
    took, _ = run(180, [slow], monkeypatch, Work(20_000, 1000, 0))
    assert took <= 1.02 * 180


@pytest.mark.parametrize("slow", [1.0, 1.5, 3.0])
def test_pictures_that_do_not_grow_leave_epochs_out(slow, monkeypatch):
    same = {"data.image_size": 96, "augment.start_scale": 1.0, "augment.final_scale": 1.0}
    took, _ = run(900, [slow], monkeypatch, changes=same)
    assert 0.9 * 900 <= took <= 1.02 * 900


FEW = Work(train=1842, val=205, test=1821)


@pytest.mark.parametrize(("seconds", "first"), [(180, 0.15), (600, 0.15), (600, 0.3), (1800, 0.3)])
def test_time_that_a_busy_spell_seemed_to_cost_is_used_after_all(seconds, first, monkeypatch):
    """Three epochs in a row take seven times as long: fewer are planned, until it is over."""
    short = FEW.epoch(64, COSTS)
    begin = round(first * seconds / short)
    slow = [1.0] * begin + [7.0] * 3 + [1.0] * 2000
    took, pace = run(seconds, slow, monkeypatch, FEW)
    assert len(pace.job.history) > begin + 3
    assert 0.95 * seconds <= took <= 1.02 * seconds


def test_epochs_that_are_added_late_go_on_where_sizes_were(monkeypatch):
    """Not from the smallest again: a network that ends with them has forgotten the large ones."""
    slow = [1.6] * 3 + [1.0] * 10 + [0.85] * 100
    took, pace = run(600, slow, monkeypatch)
    sizes = [epoch.image_size for epoch in pace.job.history]
    assert 0.95 * 600 <= took <= 1.02 * 600
    assert min(sizes[-5:]) >= pace.final


def test_the_only_epoch_that_fits_is_the_only_one(monkeypatch):
    work, size = Work(train=7600, val=400, test=0), 64
    seconds = 12 + work.ending(COSTS) + 1.6 * work.epoch(size, COSTS)
    took, pace = run(seconds, [1.0], monkeypatch, work)
    assert len(pace.job.history) == 1 and took <= seconds


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_news(seed, monkeypatch):
    """Pictures that do not grow leave nothing but epochs to adjust."""
    same = {"data.image_size": 96, "augment.start_scale": 1.0, "augment.final_scale": 1.0}
    slow = np.random.default_rng(seed).normal(1.0, 0.03, 100).tolist()
    told: list[Notice] = []
    took, pace = run(900, slow, monkeypatch, changes=same, told=told)
    assert 0.95 * 900 <= took <= 1.02 * 900
    assert len(told) <= 1 and len(pace.job.history) > 30


def test_a_slow_first_epoch_of_few_pictures_is_not_the_last_word(monkeypatch):
    """For caches and kernels; the others take what was measured."""
    few = Work(train=600, val=40, test=0)
    took, _ = run(360, [6.0] + [1.0] * 10_000, monkeypatch, few)
    assert 0.95 * 360 <= took <= 1.02 * 360


def test_what_the_last_pictures_may_become_is_timed(monkeypatch):
    timed: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "measure_costs", lambda _, sizes: timed.append(sizes) or COSTS)
    even = {"data.image_size": 128, "augment.start_scale": 0.875, "augment.final_scale": 0.875}
    Pace(fake_job(even), FakeBudget(600, 0.0), WORK)
    assert timed == [(112, 128)]


def test_the_forecast_is_told_and_held_against_the_end(monkeypatch):
    took, pace = run(600, [1.0], monkeypatch)
    assert pace.describe().text.startswith("plan: resnet18")
    assert f"ended after {clock(took)} of 10:00" in pace.verdict().text
    assert abs(took / pace.forecast - 1) < 0.03


def test_too_little_time_is_refused_with_what_would_do(monkeypatch):
    with pytest.raises(RecipeError, match=r"a budget of 20 s is too short.* give at least \d+ s"):
        run(20, [1.0], monkeypatch)


def test_a_network_is_chosen_for_the_time_that_reading_leaves(monkeypatch):
    asked: dict[str, object] = {}

    def choose_level(estimate, seconds):
        asked.update(locals())
        return LEVELS[1]

    monkeypatch.setattr(module, "choose_precision", lambda *_, **__: Choice(BF16, {"bf16": 100.0}))
    monkeypatch.setattr(module, "seconds_to_read", lambda samples, *_, **__: 0.1 * len(samples))
    monkeypatch.setattr(module, "measure_optimizers", lambda names, *_: dict.fromkeys(names, 0.05))
    monkeypatch.setattr(module, "choose_level", choose_level)
    FakeBudget.now = 10.0
    samples = [Sample(Path(f"{n}.jpg"), "ab"[n % 2]) for n in range(1000)]
    parts = {"train": samples, "val": samples[:50], "test": samples[:200]}
    recipe = read_recipe("balanced", {"train.accumulate": 2})
    planned, choice = choose_by_budget(recipe, parts, ALONE, FakeBudget(600, 0.0))
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
def test_pictures_that_are_seen_often_are_changed(minutes, named, share, monkeypatch):
    monkeypatch.setattr(module, "choose_precision", lambda *_, **__: Choice(BF16, {"bf16": 100.0}))
    monkeypatch.setattr(module, "seconds_to_read", lambda *_, **__: 0.0)
    monkeypatch.setattr(module, "measure_optimizers", lambda names, *_: dict.fromkeys(names, 0.0))
    FakeBudget.now = 0.0
    samples = [Sample(Path(f"{n}.jpg"), "ab"[n % 2]) for n in range(1000)]
    recipe, budget = read_recipe("balanced", named), FakeBudget(60 * minutes, 0.0)
    planned, _ = choose_by_budget(recipe, {"train": samples}, ALONE, budget)
    assert planned.augment.trivial_augment == share


@pytest.mark.parametrize(
    ("epochs", "device", "share"),
    [(OFTEN - 0.1, "cpu", None), (OFTEN, "cpu", 1.0), (OFTEN, "meta", None)],
)
def test_often_is_so_many_epochs_and_a_processors_work(epochs, device, share, monkeypatch):
    """`meta` stands for a GPU."""
    monkeypatch.setattr(module, "choose_precision", lambda *_, **__: Choice(BF16, {"bf16": 100.0}))
    monkeypatch.setattr(module, "seconds_to_read", lambda *_, **__: 0.0)
    monkeypatch.setattr(module, "measure_optimizers", lambda names, *_: dict.fromkeys(names, 0.0))
    monkeypatch.setattr(module.Estimate, "epochs", lambda *_: epochs)
    FakeBudget.now = 0.0
    samples = [Sample(Path(f"{n}.jpg"), "ab"[n % 2]) for n in range(1000)]
    world, recipe = replace(ALONE, device=torch.device(device)), read_recipe("balanced")
    planned, _ = choose_by_budget(recipe, {"train": samples}, world, FakeBudget(600, 0.0))
    assert planned.augment.trivial_augment == share


def test_a_planned_batch_has_two_pictures_for_each_process(monkeypatch):
    monkeypatch.setattr(module, "choose_precision", lambda *_, **__: Choice(BF16, {"bf16": 100.0}))
    samples = [Sample(Path(f"{n}.jpg"), "ab"[n % 2]) for n in range(100)]
    world, budget = replace(ALONE, size=12), FakeBudget(600, 0.0)
    planned, _ = choose_by_budget(read_recipe("balanced"), {"train": samples}, world, budget)
    assert planned.train.batch_size == 24


def test_a_budget_that_reading_would_use_up_is_refused_before_it(monkeypatch):
    """1,000 photos of a good camera, half a second each."""
    FakeBudget.now = 3.0
    monkeypatch.setattr(module, "seconds_to_read", lambda samples, *_, **__: 0.5 * len(samples))
    parts, recipe = {"train": [None] * 800, "test": [None] * 200}, read_recipe("balanced")
    with pytest.raises(RecipeError, match=r"opening the pictures takes about 500 s .* 1014 s\."):
        check_reading(parts, recipe, Keeping(), FakeBudget(500, 0.0))
    with pytest.raises(RecipeError, match="opening the pictures"):
        check_reading(parts, recipe, Keeping(), FakeBudget(510, 0.0))
    assert check_reading(parts, recipe, Keeping(), FakeBudget(515, 0.0)) == 100


def test_opening_test_pictures_is_a_part_of_the_time(monkeypatch):
    late = replace(WORK, opening=60.0)
    took, _ = run(600, [1.0], monkeypatch, late)
    assert 0.95 * 600 <= took <= 1.02 * 600


def test_thousands_of_short_epochs_are_not_planned_thousands_of_times(monkeypatch):
    """Of 60 photos in an hour there are ten thousand: planning after each would take the hour."""
    plans: list[int] = []
    fill = module.fill_time
    monkeypatch.setattr(module, "fill_time", lambda *given: plans.append(given[0]) or fill(*given))
    took, pace = run(600, [1.1], monkeypatch, Work(train=60, val=4, test=0))
    assert len(pace.job.history) > 1500 and len(plans) < 120
    assert 0.95 * 600 <= took <= 1.02 * 600


def test_what_is_over_stays_in_the_plan(monkeypatch):
    _, pace = run(600, [1.0, 1.3], monkeypatch)
    assert list(pace.job.train.sizes) == [epoch.image_size for epoch in pace.job.history]
