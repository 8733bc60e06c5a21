"""Plates: heat over a picture beside it, whatever they are called."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shortcut.errors import ResourceError
from shortcut.report.overlay import draw_plate

SCENE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def one_spot(strength: float = 1.0) -> np.ndarray:
    heat = np.zeros((32, 32), np.float32)
    heat[4:8, 20:24] = strength
    return heat


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
