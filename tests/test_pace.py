"""Pace: on machines of any speed, steady or not, a training ends when it should."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcut import pace as module
from shortcut.budget import Budget, clock
from shortcut.costs import Costs, Work
from shortcut.errors import RecipeError
from shortcut.events import EpochEnd, Notice, Step
from shortcut.pace import Pace
from shortcut.recipe import read_recipe

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


def step_end(epoch: int, epochs: int, quarter: int) -> Step:
    return Step(epoch, epochs, 15 * quarter, 60, 1.0, 0.1, 100.0, 0.0, 1.0)


def run(
    seconds: float,
    slow: list[float],
    monkeypatch: pytest.MonkeyPatch,
    work: Work = WORK,
    changes: Mapping[str, object] = CHANGES,
    told: list[Notice] | None = None,
    drifts: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
) -> tuple[float, Pace]:
    """A training on a machine that is `slow[epoch]` times slower than was measured.

    Args:
        drifts: by which it is slower still in each quarter of the last epoch.
        told: gets what the person is told on the way.
    """
    monkeypatch.setattr(module, "measure_costs", lambda *_: COSTS)
    FakeBudget.now = 12.0  # reading pictures
    job = fake_job(changes)
    pace = Pace(job, FakeBudget(seconds, 0.0), work)
    while len(job.history) < len(job.train.sizes):
        done, epochs = len(job.history), len(job.train.sizes)
        factor = slow[done % len(slow)]
        for quarter in range(4):
            size, drift = job.train.sizes[done], drifts[quarter] if done == epochs - 1 else 1.0
            FakeBudget.now += factor * drift * work.train / 4 * COSTS.training(size)
            pace.glance(step_end(done + 1, epochs, quarter + 1))
        FakeBudget.now += factor * work.rest(0, COSTS, 1.0)
        job.history.append(epoch_end(done + 1, epochs, job.train.sizes[done]))
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


LONG_EPOCHS = Costs(fixed=1e-4, per_pixel=7e-7, measuring=3e-3, final=6e-3)
"""Of a machine that trains three epochs of 7,600 pictures in three minutes."""


@pytest.mark.parametrize("drift", [0.8, 0.9, 1.0, 1.1, 1.2])
@pytest.mark.parametrize("from_quarter", range(4))
def test_a_machine_may_change_in_a_long_last_epoch(drift, from_quarter, monkeypatch):
    """And it ends in time, where without a look on the way it would be 8 % early or 9 % late."""
    monkeypatch.setattr(sys.modules[__name__], "COSTS", LONG_EPOCHS)
    drifts = [1.0] * from_quarter + [drift] * (4 - from_quarter)
    took, pace = run(180, [1.0], monkeypatch, drifts=drifts)
    assert len(pace.job.history) <= 4
    assert 0.95 * 180 <= took <= 1.05 * 180


def test_pictures_of_a_last_epoch_keep_most_of_their_size(monkeypatch):
    """A network that was used to 112 px and saw 64 at the end would not know its own pictures."""
    monkeypatch.setattr(sys.modules[__name__], "COSTS", LONG_EPOCHS)
    _, whole = run(180, [1.0], monkeypatch)
    took, pace = run(180, [1.0], monkeypatch, drifts=[3.0, 3.0, 3.0, 3.0])
    planned, last = whole.job.history[-1].image_size, pace.job.history[-1].image_size
    assert took > 180 and 0.5 * planned < last < planned


@pytest.mark.parametrize("side", [14, 28, 100])
def test_a_size_off_the_grid_stays_on_a_steady_machine(side, monkeypatch):
    changes = CHANGES | {"data.image_size": side}
    monkeypatch.setattr(sys.modules[__name__], "COSTS", Costs(0.006, 1e-7, 3e-3, 6e-3))
    _, pace = run(180, [1.0], monkeypatch, changes=changes)
    assert len(pace.job.history) <= 4
    assert pace.job.history[-1].image_size <= side


def test_short_last_epochs_stay_as_they_were(monkeypatch):
    drifts = [1.3, 1.3, 1.3, 1.3]
    _, pace = run(1200, [1.0], monkeypatch, drifts=drifts)
    _, whole = run(1200, [1.0], monkeypatch)
    assert pace.job.history[-1].image_size == whole.job.history[-1].image_size


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
