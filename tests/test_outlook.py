"""How long the rest takes: right where time is a line in pixels, from two sizes on."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut.events import EpochEnd
from shortcut.job import Tally
from shortcut.outlook import seconds_left

SIZES = st.lists(st.sampled_from([64, 72, 96, 128]), min_size=2, max_size=9)
TRAIN, VAL = 1000, 50


def epoch_end(number: int, size: int, price: float, measuring: float = 0.0) -> EpochEnd:
    seconds = TRAIN * price + measuring
    return EpochEnd(number, 9, 1, 0, 1, 0, 0, seconds, 1 / price, 0, size, False)


def make_job(
    sizes: list[int], history: list[EpochEnd], tested: dict[int, float] | None = None
) -> SimpleNamespace:
    return SimpleNamespace(
        train=SimpleNamespace(sizes=sizes, labels=[0] * TRAIN),
        val=SimpleNamespace(labels=[0] * VAL),
        recipe=SimpleNamespace(data=SimpleNamespace(image_size=128)),
        history=history,
        tally=Tally(),
        tested=tested or {},
    )


@given(SIZES, st.floats(1e-4, 1e-2), st.floats(1e-8, 1e-6), st.integers(1, 8))
def test_a_line_in_pixels_is_told_exactly_once_two_sizes_are_known(sizes, fixed, slope, done):
    prices = {size: fixed + slope * size**2 for size in (64, 72, 96, 128)}
    done = min(done, len(sizes) - 1)
    past = [epoch_end(i + 1, size, prices[size], 0.5) for i, size in enumerate(sizes[:done])]
    rest = sizes[done:]
    expected = sum(TRAIN * prices[size] + 0.5 for size in rest)
    tested = {64: 1 / prices[64], 128: 1 / prices[128]}
    assert seconds_left(make_job(sizes, past, tested)) == pytest.approx(expected)
    if len(set(sizes[:done])) > 1:
        assert seconds_left(make_job(sizes, past)) == pytest.approx(expected)


@given(SIZES, st.floats(0.3, 3.0))
def test_a_machine_may_be_slower_or_faster_than_when_it_was_tested(sizes, factor):
    """Tested sizes tell the shape; how fast it is now, the newest epoch."""
    prices = {size: factor * (1e-3 + 1e-7 * size**2) for size in (64, 72, 96, 128)}
    tested = {size: factor / prices[size] for size in (64, 128)}
    past = [epoch_end(1, sizes[0], prices[sizes[0]])]
    expected = sum(TRAIN * prices[size] for size in sizes[1:])
    assert seconds_left(make_job(sizes, past, tested)) == pytest.approx(expected)


def test_one_tested_size_tells_what_pixels_cost():
    job = make_job([64, 128], [epoch_end(1, 64, 1e-3)], {128: 500.0})
    assert seconds_left(job) == pytest.approx(2.0)


def test_by_the_pixels_where_one_size_is_known():
    job = make_job([64, 128], [epoch_end(1, 64, 1e-3)])
    assert seconds_left(job) == pytest.approx(4.0)


def test_what_is_newest_counts_most():
    """A machine that is half as fast by now will not be faster again."""
    job = make_job([64, 64, 64], [epoch_end(1, 64, 1e-3), epoch_end(2, 64, 2e-3)])
    assert seconds_left(job) == pytest.approx(2.0)


@given(st.floats(1e-4, 1), st.floats(1e-4, 1))
def test_a_larger_picture_never_takes_less_nor_more_than_by_its_pixels(one, other):
    history = [epoch_end(1, 96, one), epoch_end(2, 64, other)]
    left = seconds_left(make_job([96, 64, 128], history))
    assert TRAIN * other <= left * (1 + 1e-9) and left <= TRAIN * other * 4 * (1 + 1e-9)


def test_within_an_epoch_its_own_speed_counts():
    job = make_job([64, 64], [epoch_end(1, 64, 1e-3)])
    job.tally = Tally(steps=3, images=500, before=1000.0)  # two seconds a picture, and no hurry
    assert seconds_left(job, 0.5) == pytest.approx(1000, rel=0.01)


def test_nothing_is_left_of_a_whole_training_and_nothing_told_of_no_step():
    assert seconds_left(make_job([64], [epoch_end(1, 64, 1e-3)])) == 0
    assert seconds_left(make_job([64, 64], [])) == 0
