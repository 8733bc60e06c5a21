"""Heat over pictures: hot places are coloured, cold ones are the picture; any name is drawn."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from shortcut.errors import ResourceError
from shortcut.report.overlay import draw_plate, overlay_heat

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


@pytest.mark.parametrize(
    "title", ["cat.jpg", "猫狗 $x_1$ { tab\tline\n\x00🐈\udcff", "x" * 300, "猫" * 90]
)
@pytest.mark.parametrize("maps", [1, 2])
def test_a_plate_of_any_name(tmp_path: Path, title: str, maps: int) -> None:
    panels = [("grad-cam: 8 x 8 cells", one_spot())] * maps
    for name in ("a.png", "b.png"):
        draw_plate(SCENE, panels, tmp_path / name, title=title, answer="猫, 0.9321")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and image.size == (450 * (maps + 1), 585)


def test_a_plate_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"cannot write .*a.png"):
        draw_plate(SCENE, [("m", one_spot())], tmp_path / "file" / "a.png", title="a", answer="b")
