"""Schedules: their ends, their bounds, their shape, and torch's where torch has the same one."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcut.schedule import lr_factor
from shortcut.settings import (
    ConstantSchedule,
    CosineSchedule,
    OneCycleSchedule,
    PlateauSchedule,
    ScheduleSettings,
    StepSchedule,
)

SHARE = st.floats(0, 1)
INNER = st.floats(0.01, 0.99)
EPOCHS = st.integers(1, 300)
LOSSES = st.lists(st.floats(1e-3, 10), max_size=40)
CONSTANT = st.just(ConstantSchedule())
STEP = st.builds(StepSchedule, name=st.just("step"), every=st.integers(1, 50), factor=INNER)
PLATEAU = st.builds(
    PlateauSchedule, name=st.just("plateau"), patience=st.integers(0, 12), factor=INNER
)
COSINE = st.builds(
    CosineSchedule, name=st.just("cosine"), warmup_epochs=st.floats(0, 20), final=SHARE
)
CYCLE = st.builds(
    OneCycleSchedule, name=st.just("onecycle"), peak=INNER, start=st.floats(0.01, 1), final=SHARE
)
ANY = CONSTANT | STEP | PLATEAU | COSINE | CYCLE


def curve(settings: ScheduleSettings, epochs: int, points: int = 400) -> list[float]:
    return [lr_factor(settings, epochs * i / points, epochs, []) for i in range(points + 1)]


@given(settings=ANY, epochs=EPOCHS, progress=st.floats(0, 1, exclude_max=True), losses=LOSSES)
def test_every_factor_lies_between_nought_and_one(settings, epochs, progress, losses):
    assert 0 <= lr_factor(settings, progress * epochs, epochs, losses) <= 1


@given(settings=ANY, epochs=EPOCHS, losses=LOSSES)
def test_the_first_step_moves_something(settings, epochs, losses):
    assert lr_factor(settings, 0.0, epochs, losses) > 0


@given(epochs=EPOCHS, progress=SHARE, losses=LOSSES)
def test_constant(epochs, progress, losses):
    assert lr_factor(ConstantSchedule(), progress * epochs, epochs, losses) == 1


@pytest.mark.parametrize(
    ("epoch", "factor"),
    [(0, 1), (2.99, 1), (3, 0.5), (5.999, 0.5), (6, 0.25), (8.5, 0.25), (9, 0.125)],
)
def test_step_by_hand(epoch, factor):
    settings = StepSchedule(name="step", every=3, factor=0.5)
    assert lr_factor(settings, epoch, 10, []) == factor


def test_plateau_by_hand():
    settings = PlateauSchedule(name="plateau", patience=2, factor=0.7)
    losses = [1.0, 0.9, 0.95, 0.9, 0.91, 0.92, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86]
    #          low  low  1     2    fall  1     low  1     2     fall  1     2     fall
    falls = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3]
    factors = [lr_factor(settings, epoch, 20, losses[:epoch]) for epoch in range(14)]
    assert factors == pytest.approx([0.7**count for count in falls])


def test_plateau_falls_as_the_tutorial_says():
    """Times 0.7 when progress stalls: 0.00100, 0.00070, 0.00049."""
    settings = PlateauSchedule(name="plateau", patience=10, factor=0.7)
    falling = [1 / epoch for epoch in range(1, 121)]
    rates = [
        0.001 * lr_factor(settings, 199, 200, falling + [1.0] * stalled) for stalled in (0, 11, 22)
    ]
    assert [f"{rate:.5f}" for rate in rates] == ["0.00100", "0.00070", "0.00049"]


@given(losses=LOSSES, patience=st.integers(0, 5))
@settings(max_examples=25)
def test_plateau_is_torchs(losses, patience):
    settings = PlateauSchedule(name="plateau", patience=patience, factor=0.5)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, eps=0
    )
    for count, loss in enumerate(losses, 1):
        reference.step(loss)
        ours = lr_factor(settings, count, 100, losses[:count])
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"])


@given(settings=COSINE, epochs=EPOCHS)
def test_cosine_begins_small_peaks_at_one_and_ends_at_final(settings, epochs):
    warmup = min(settings.warmup_epochs, epochs / 2)
    assert lr_factor(settings, warmup, epochs, []) == pytest.approx(1)
    assert lr_factor(settings, epochs, epochs, []) == pytest.approx(settings.final)
    after = [
        lr_factor(settings, warmup + (epochs - warmup) * i / 50, epochs, []) for i in range(51)
    ]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(after))
    if warmup > 0.01:
        assert lr_factor(settings, warmup / 2, epochs, []) == pytest.approx(0.5)


@given(settings=CYCLE, epochs=EPOCHS)
def test_one_cycle_starts_peaks_and_ends_where_it_says(settings, epochs):
    assert lr_factor(settings, 0, epochs, []) == pytest.approx(settings.start)
    assert lr_factor(settings, settings.peak * epochs, epochs, []) == pytest.approx(1)
    assert lr_factor(settings, epochs, epochs, []) == pytest.approx(settings.final, abs=1e-9)
    points = curve(settings, epochs)
    top = points.index(max(points))
    assert all(a <= b + 1e-12 for a, b in pairwise(points[: top + 1]))
    assert all(a >= b - 1e-12 for a, b in pairwise(points[top:]))


@given(
    settings=st.builds(
        OneCycleSchedule, name=st.just("onecycle"), peak=st.floats(0.1, 0.9), start=INNER
    )
    | st.builds(CosineSchedule, name=st.just("cosine"), warmup_epochs=st.floats(1, 5)),
    epochs=st.integers(4, 40),
)
def test_cosine_and_one_cycle_do_not_jump(settings, epochs):
    # The steepest part is the ramp: to 1 within a tenth of the training, or within an epoch.
    steepest = 400 / min(40, 400 / epochs)
    assert all(abs(a - b) <= 2 * steepest / 400 for a, b in pairwise(curve(settings, epochs)))


@given(settings=CONSTANT | STEP | COSINE | CYCLE, epochs=EPOCHS, losses=LOSSES, progress=SHARE)
def test_only_plateau_looks_at_the_losses(settings, epochs, losses, progress):
    when = progress * epochs
    assert lr_factor(settings, when, epochs, losses) == lr_factor(settings, when, epochs, [])
