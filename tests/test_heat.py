"""Heat: where a map is hot, in words; and over a picture, where cold places stay the picture."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shortcut.heat import PLASMA, find_spot, heat_of, overlay_heat

SCENE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def one_spot(strength: float = 1.0) -> np.ndarray:
    heat = np.zeros((32, 32), np.float32)
    heat[4:8, 20:24] = strength
    return heat


def test_only_what_is_hot_has_a_colour() -> None:
    shown = overlay_heat(SCENE, one_spot()).astype(int)
    coloured = np.ptp(shown, axis=2) > 0
    np.testing.assert_array_equal(coloured, one_spot() > 0)
    red, green, blue = shown[4:8, 20:24].mean((0, 1))
    assert red > 150 and green > 150 and blue < 120  # yellow: the hottest


def test_heat_is_a_share_of_its_hottest() -> None:
    weak = overlay_heat(SCENE, one_spot(0.02))
    np.testing.assert_array_equal(weak, overlay_heat(SCENE, one_spot()))


@given(arrays(np.float32, (8, 8), elements=st.floats(0, 1, width=32)))
def test_hotter_is_never_darker_on_one_colour(heat: np.ndarray) -> None:
    """So it can be read without telling any two hues apart."""
    shown = overlay_heat(np.full((8, 8, 3), 0, np.uint8), heat)
    luma = shown @ np.array([0.299, 0.587, 0.114])
    order = np.argsort(heat, axis=None, kind="stable")
    assert (np.diff(luma.flatten()[order]) > -1.5).all()


def test_no_heat_leaves_the_picture_grey() -> None:
    grey = overlay_heat(SCENE, np.zeros((32, 32), np.float32))
    assert grey.dtype == np.uint8 and grey.shape == SCENE.shape
    assert not np.ptp(grey, axis=2).any() and len(np.unique(grey)) > 50


def test_colours_are_those_of_matplotlib() -> None:
    share = np.linspace(0, 1, 256)
    steps = np.linspace(0, 1, len(PLASMA))
    drawn = [np.interp(share, steps, part) for part in zip(*PLASMA, strict=True)]
    wanted = 255 * mpl.colormaps["plasma"](share)[:, :3]
    assert np.abs(np.stack(drawn, 1) - wanted).max() < 5.5


def test_what_speaks_against_a_class_is_cold() -> None:
    cells = np.array([[[4, -9], [2, 0]], [[-1, 0], [-3, -2]]], np.float32)
    first, second = heat_of(cells, 8, (0.0, 4.0))
    assert (first[0, 0], first[4, 0], first[0, 4], first[7, 7]) == (1, 0.5, 0, 0)
    assert first[2, 0] == 0.75 and not second.any()


@given(arrays(np.float32, (12, 12), elements=st.floats(0, 1, width=32)))
def test_a_spot_is_the_smallest_part_with_half_of_the_heat(heat: np.ndarray) -> None:
    spot = find_spot(heat)
    if spot is None:
        assert not heat.any()
        return
    x, y = spot.hottest
    assert heat[y, x] == heat.max()
    count = round(spot.share * heat.size)
    ordered = np.sort(heat, axis=None)[::-1].astype(np.float64)
    assert ordered[:count].sum() >= 0.4999 * ordered.sum()
    assert ordered[: count - 1].sum() <= 0.5001 * ordered.sum()


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [(0, 0, "upper left"), (5, 5, "middle"), (11, 5, "right"), (5, 11, "lower")],
)
def test_places_in_words(x: int, y: int, place: str) -> None:
    heat = np.zeros((12, 12), np.float32)
    heat[y, x] = 0.3
    assert str(find_spot(heat)) == f"{place}, 1 % of the picture holds half of the heat"
    assert str(find_spot(np.ones_like(heat))).startswith("spread out, 50 % of the picture")
