"""Plans: they fill the time and never more, grow with it, and leave the job as it was."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.test_training import make_job

from shortcut.costs import CLOSING, Costs, Work
from shortcut.data.augment import GRID, growing_sizes
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.planning import (
    LEVELS,
    SMALLEST_BATCH,
    STEPS,
    Estimate,
    Level,
    choose_batch,
    choose_level,
    fill_time,
    forecast,
    largest_size,
    plan_epochs,
)

COSTS = st.builds(
    Costs,
    fixed=st.floats(0, 1e-2),
    per_pixel=st.floats(1e-9, 1e-5),
    measuring=st.floats(0, 1e-2),
    final=st.floats(0, 1e-2),
)
WORK = st.builds(
    Work, train=st.integers(10, 20_000), val=st.integers(2, 2000), test=st.integers(0, 2000)
)


NO_OPTIMIZER = {level.model: 0.0 for level in LEVELS}
"""An optimizer that takes no time."""


def level_for(
    rate: float,
    work: Work,
    seconds: float,
    batch: int = 128,
    optimizer_seconds: Mapping[str, float] = NO_OPTIMIZER,
) -> Level:
    return choose_level(Estimate(rate, work, 2, batch, optimizer_seconds), seconds)


def total(sizes: list[int], work: Work, costs: Costs) -> float:
    return sum(work.epoch(size, costs) for size in sizes)


@given(WORK, COSTS, st.floats(1, 4000))
def test_as_many_epochs_as_fit(work, costs, seconds):
    assume(work.epoch(64, costs) * 20_000 > seconds)
    epochs = plan_epochs(64, 128, work, costs, seconds)
    assert epochs >= 1
    assert epochs == 1 or total(growing_sizes(epochs, 64, 128), work, costs) <= seconds
    assert total(growing_sizes(epochs + 1, 64, 128), work, costs) > seconds


@given(WORK, COSTS, st.floats(1, 4000), st.integers(1, 60))
def test_as_many_as_fit_after_those_that_are_done(work, costs, seconds, done):
    assume(work.epoch(64, costs) * 20_000 > seconds)
    epochs = plan_epochs(64, 128, work, costs, seconds, done)
    rest, more = (growing_sizes(length, 64, 128)[done:] for length in (epochs, epochs + 1))
    assert epochs == done + 1 or total(rest, work, costs) <= seconds
    assert epochs > done and total(more, work, costs) > seconds


@given(WORK, COSTS, st.floats(1, 4000), st.integers(1, 60), st.data())
def test_a_plan_fills_the_time_and_no_more(work, costs, seconds, epochs, data):
    done = data.draw(st.integers(0, epochs - 1))
    sizes = fill_time(done, epochs, (64, 112, 128), work, costs, seconds)
    assert len(sizes) == epochs
    assert all(64 <= size <= 128 for size in sizes)
    least = total([64] * (epochs - done), work, costs)
    most = total([128] * (epochs - done), work, costs)
    used = total(sizes[done:], work, costs)
    if least > seconds:
        assert used == pytest.approx(least)
    elif most <= seconds:
        assert used == pytest.approx(most)
    else:
        assert used <= seconds


def test_what_is_left_over_is_little():
    """Of a usual plan: a hundredth of the time."""
    work, costs = Work(7600, 400, 2000), Costs(0, 3e-7, 1e-3, 2e-3)
    for seconds in range(200, 800, 7):
        epochs = plan_epochs(64, 112, work, costs, seconds)
        sizes = fill_time(0, epochs, (64, 112, 128), work, costs, seconds)
        assert 0.985 * seconds <= total(sizes, work, costs) <= seconds


def test_more_time_chooses_a_level_that_is_no_lower():
    work = Work(7600, 400, 2000)
    times = (1, 60, 300, 900, 3600, 40_000)
    found = [LEVELS.index(level_for(3e10, work, seconds)) for seconds in times]
    assert found == sorted(found)
    assert found[0] == 0 and found[-1] == len(LEVELS) - 1


@pytest.mark.parametrize("level", [LEVELS[1], LEVELS[-1]], ids=["small", "large"])
@pytest.mark.parametrize("epochs", [12, 200])
def test_epochs_are_estimated_by_what_they_take(epochs, level):
    estimate = Estimate(3e10, Work(900, 50, 0), 2, 64, dict.fromkeys(NO_OPTIMIZER, 0.01))
    whole = estimate.seconds(level, epochs)
    found = estimate.epochs(level, whole + CLOSING)
    assert found == pytest.approx(epochs, rel=0.1)


def test_few_pictures_are_seen_more_often_before_a_larger_network_is_taken():
    many, few = Work(7600, 400, 0), Work(76, 4, 0)
    for seconds in (100, 400, 1000, 4000):
        one, other = (level_for(3e10, work, seconds) for work in (many, few))
        assert one == other


def test_an_optimizer_that_takes_longer_than_the_pictures_leaves_less_for_them():
    """Muon moves the weights of 300 pictures 19 times an epoch: 46 ms each on two cores."""
    few, slow = Work(300, 30, 0), dict.fromkeys(NO_OPTIMIZER, 0.046)
    times = range(100, 4000, 300)
    pairs = [
        [LEVELS.index(level_for(3e10, few, s, 16, how)) for how in (NO_OPTIMIZER, slow)]
        for s in times
    ]
    assert all(busy <= idle for idle, busy in pairs)
    assert any(busy < idle for idle, busy in pairs)


@given(st.integers(2, 100_000), st.integers(2, 512))
def test_batches_leave_an_epoch_enough_steps(pictures, largest):
    batch = choose_batch(pictures, largest)
    assert 2 <= batch <= largest
    assert batch <= SMALLEST_BATCH or pictures / batch >= STEPS
    assert batch * 2 > largest or batch * 2 * STEPS > pictures


def test_levels_ask_for_more_and_more():
    work = [
        level.pictures * multiply_adds(create_model(level.model, num_classes=2), level.final)
        for level in LEVELS
    ]
    assert work == sorted(work)
    assert all(level.start <= level.final <= level.tested for level in LEVELS)


def test_a_forecast_goes_by_the_pixels(tiny_photos: Path):
    """A third of the time for a picture that is only measured."""
    job = make_job(tiny_photos)
    side = job.recipe.data.image_size
    job.tested = {side: 10.0}
    job.plan([side // 2, side])
    training, measuring = 100 / 10 * (1 / 4 + 1), (2 * 30 + 30 + 60) / 10 / 3
    expected = training + measuring + CLOSING
    assert forecast(job, Work(100, 30, 60)) == pytest.approx(expected)


def test_processes_together_choose_as_one_that_is_as_fast():
    alone = Work(7600, 400, 2000)
    for seconds in (60, 300, 900, 3600):
        shared = level_for(1e10, replace(alone, processes=4), seconds)
        assert shared == level_for(4e10, alone, seconds)


@given(st.integers(8, 300), st.floats(0.5, 1), st.floats(1, 2), st.floats(0, 400))
def test_the_largest_size_that_is_paid_for(size, less, more, seconds):
    """In whole steps from the size that is there, so that a steady machine keeps it."""
    bounds = less * size, more * size
    found = largest_size(size, bounds, float, seconds)
    assert (found - size) % GRID == 0 and bounds[0] <= found <= bounds[1]
    assert found <= seconds or found - GRID < bounds[0]
    assert found + GRID > min(seconds, bounds[1]) or found > seconds
