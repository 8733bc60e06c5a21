"""Patterns: what stays alike, and what is alike to nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scenes import COPIES, make_scene

from shortcut.data.patterns import (
    SIDE,
    WHOLE,
    edge_windows,
    find_patterns,
    likeness,
    make_thumb,
)


def thumb(seed: int) -> np.ndarray:
    return make_thumb(make_scene(seed))


def test_rows_have_mean_zero_and_length_one() -> None:
    found = find_patterns(np.stack([thumb(seed) for seed in range(5)]))
    assert found.shape == (5, 256) and found.dtype == np.float32
    assert np.abs(found.mean(1)).max() < 1e-6
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert find_patterns(np.zeros((0, SIDE, SIDE), np.uint8)).shape == (0, 256)


def test_brightness_and_contrast_do_not_matter() -> None:
    one = thumb(0)
    other = (one.astype(float) * 0.6 + 30).astype(np.uint8)
    a, b = find_patterns(np.stack([one, other]))
    assert a @ b > 0.995


def test_a_blank_picture_is_like_no_other() -> None:
    grain = np.random.default_rng(0).integers(120, 122, (2, SIDE, SIDE)).astype(np.uint8)
    blank = find_patterns(np.stack([np.full((SIDE, SIDE), 255, np.uint8), *grain]))
    assert np.linalg.norm(blank[0]) < 1e-4
    assert abs(blank @ blank.T).max() < 0.5


def test_a_window_sees_what_a_cut_out_shows() -> None:
    whole = thumb(3)
    window = (8.0, 4.0, 56.0, 52.0)
    part = make_scene(3).crop((24, 9, 168, 117))
    inside, cut_out = (
        find_patterns(whole[None], window)[0],
        find_patterns(make_thumb(part)[None])[0],
    )
    assert inside @ cut_out > 0.98
    assert find_patterns(whole[None], WHOLE)[0] @ cut_out < 0.9
    assert len(edge_windows()) == 6 and edge_windows()[0] == WHOLE


@pytest.mark.parametrize("how", [how for how in COPIES if how != "mirrored"])
def test_a_copy_is_alike_and_a_stranger_is_not(how: str) -> None:
    for seed in range(5):
        copy = make_thumb(COPIES[how](make_scene(seed)))
        assert likeness(thumb(seed), copy) > 0.94
        assert likeness(thumb(seed + 100), copy) < 0.85


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_likeness_is_a_correlation_and_symmetric(first: int, second: int) -> None:
    noise = [np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE)) for seed in (first, second)]
    one, other = (pixels.astype(np.uint8) for pixels in noise)
    assert -1.0 <= likeness(one, other) == likeness(other, one) <= 1.0 + 1e-5
    assert likeness(one, one) == pytest.approx(1.0, abs=1e-5)
