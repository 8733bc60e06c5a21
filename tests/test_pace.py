"""Pace: on machines of any speed, steady or not, a training ends when it should."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcut import pace as module
from shortcut.budget import Budget, clock
from shortcut.errors import RecipeError
from shortcut.events import EpochEnd
from shortcut.pace import Pace
from shortcut.planning import Costs, Work
from shortcut.recipe import read_recipe

WORK = Work(train=7600, val=400, test=1998)
COSTS = Costs(fixed=1e-4, per_pixel=2.8e-7, measuring=1.2e-3)
CHANGES = {"data.image_size": 128, "augment.start_scale": 0.5, "augment.final_scale": 0.875}


class FakeBudget(Budget):
    """Its clock goes only when it is told to."""

    now = 0.0

    def spent(self) -> float:
        return FakeBudget.now


def fake_job() -> SimpleNamespace:
    job = SimpleNamespace(recipe=read_recipe("balanced", CHANGES), history=[])
    job.train = SimpleNamespace(sizes=[])
    job.plan = lambda sizes: setattr(job.train, "sizes", list(sizes))
    return job


def epoch_end(number: int, epochs: int, size: int) -> EpochEnd:
    return EpochEnd(number, epochs, 1, 0, 1, 0, 0, 0, 0, 0, size, False)


def run(seconds: float, slow: list[float], monkeypatch: pytest.MonkeyPatch) -> tuple[float, Pace]:
    """A training on a machine that is `slow[epoch]` times slower than was measured."""
    monkeypatch.setattr(module, "measure_costs", lambda *_: COSTS)
    FakeBudget.now = 12.0  # reading pictures
    job = fake_job()
    pace = Pace(job, FakeBudget(seconds, 0.0), WORK)
    while len(job.history) < len(job.train.sizes):
        done = len(job.history)
        size, factor = job.train.sizes[done], slow[done % len(slow)]
        FakeBudget.now += factor * WORK.epoch(size, COSTS)
        job.history.append(epoch_end(done + 1, len(job.train.sizes), size))
        pace.adjust(job.history[-1])
    FakeBudget.now += WORK.ending(COSTS)
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


def test_the_forecast_is_told_and_held_against_the_end(monkeypatch):
    took, pace = run(600, [1.0], monkeypatch)
    assert pace.describe().text.startswith("plan: resnet18")
    assert f"ended after {clock(took)} of 10:00" in pace.verdict().text
    assert abs(took / pace.forecast - 1) < 0.03


def test_too_little_time_is_refused_with_what_would_do(monkeypatch):
    with pytest.raises(RecipeError, match=r"a budget of 20 s is too short.* give at least \d+ s"):
        run(20, [1.0], monkeypatch)


def test_thousands_of_short_epochs_are_not_planned_thousands_of_times(monkeypatch):
    """60 photos for an hour: planning after each epoch would take most of it."""
    monkeypatch.setattr(module, "measure_costs", lambda *_: COSTS)
    monkeypatch.setattr(module, "LOOKING", 0.01)
    plans: list[int] = []
    fill = module.fill_time
    monkeypatch.setattr(module, "fill_time", lambda *a: plans.append(a[0]) or fill(*a))
    few = Work(train=60, val=4, test=0)
    FakeBudget.now, job = 1.0, fake_job()
    pace = Pace(job, FakeBudget(3600, 0.0), few)
    while len(job.history) < len(job.train.sizes):
        size = job.train.sizes[len(job.history)]
        FakeBudget.now += 1.1 * few.epoch(size, COSTS)
        job.history.append(epoch_end(len(job.history) + 1, len(job.train.sizes), size))
        pace.adjust(job.history[-1])
    assert len(job.history) > 5000 and len(plans) < 120
    assert 0.95 * 3600 <= FakeBudget.now + few.ending(COSTS) <= 1.02 * 3600


def test_what_is_over_stays_in_the_plan(monkeypatch):
    _, pace = run(600, [1.0, 1.3], monkeypatch)
    assert list(pace.job.train.sizes) == [epoch.image_size for epoch in pace.job.history]
