"""TrivialAugment (arXiv:2103.10158): a view is changed in one way out of fourteen, by as much as
chance has it.

Ways and strengths are those of the paper's wide space as torchvision has it (`TrivialAugmentWide`),
by Pillow, and equal to the last bit, but for one: views are shifted by up to a seventh of a side,
which is torchvision's 32 pixels in views of 224. In one of 64 they would be half of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from shortcut.data.preprocess import Pixels

STRENGTHS = 31
"""From nothing to the most, in equal steps."""
REFERENCE = 224
"""Side of the views in whose pixels a shift is given."""


@dataclass(frozen=True)
class Way:
    """One way to change a view."""

    name: str
    change: Callable[[Image.Image, float], Image.Image]
    """A view, RGB, and an amount -> the view, changed."""
    least: float = 0.0
    """Amount at the lowest strength."""
    most: float = 0.0
    """At the highest."""
    signed: bool = False
    """Half of the amounts are negative."""


def change_views(views: Tensor, share: float, draws: NDArray[np.float64]) -> None:
    """Change some views in place, each in one way.

    Args:
        views: (N, size, size, 3) uint8 on the CPU.
        share: of the views, from 0 to 1.
        draws: (N, 4) from 0 to 1, which decide: whether, and the three of `change_trivially`.
    """
    for view, (chosen, *numbers) in zip(views.numpy(), draws, strict=True):
        if chosen < share:
            view[:] = change_trivially(view, numbers)


def change_trivially(view: Pixels, draws: Sequence[float]) -> Pixels:
    """`view`, (height, width, 3) uint8, changed in one way.

    Args:
        draws: three numbers from 0 to 1 that decide: which way, how strongly, which sign.
    """
    way = WAYS[int(draws[0] * len(WAYS))]
    amount = _amounts(way.least, way.most)[int(draws[1] * STRENGTHS)]
    sign = -1 if way.signed and draws[2] < 0.5 else 1
    return np.asarray(way.change(Image.fromarray(view), sign * amount))


@cache
def _amounts(least: float, most: float) -> list[float]:
    """One for each strength. By torch, whose float32 decides last bits in torchvision."""
    return torch.linspace(least, most, STRENGTHS).tolist()


def _moved(view: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    """The pixel at (x, y) is that of (a x + b y + c, d x + e y + f); black where there was none."""
    return view.transform(view.size, Image.Transform.AFFINE, matrix)


def _shifted_across(view: Image.Image, pixels: float) -> Image.Image:
    return _moved(view, (1, 0, -int(pixels * view.width / REFERENCE), 0, 1, 0))


def _shifted_down(view: Image.Image, pixels: float) -> Image.Image:
    return _moved(view, (1, 0, 0, 0, 1, -int(pixels * view.height / REFERENCE)))


WAYS = (
    Way("identity", lambda view, _: view),
    Way("shear x", lambda view, by: _moved(view, (1, by, 0, 0, 1, 0)), most=0.99, signed=True),
    Way("shear y", lambda view, by: _moved(view, (1, 0, 0, by, 1, 0)), most=0.99, signed=True),
    Way("translate x", _shifted_across, most=32.0, signed=True),
    Way("translate y", _shifted_down, most=32.0, signed=True),
    Way("rotate", lambda view, degrees: view.rotate(degrees), most=135.0, signed=True),
    Way(
        "brightness",
        lambda view, by: ImageEnhance.Brightness(view).enhance(1 + by),
        most=0.99,
        signed=True,
    ),
    Way("color", lambda view, by: ImageEnhance.Color(view).enhance(1 + by), most=0.99, signed=True),
    Way(
        "contrast",
        lambda view, by: ImageEnhance.Contrast(view).enhance(1 + by),
        most=0.99,
        signed=True,
    ),
    Way(
        "sharpness",
        lambda view, by: ImageEnhance.Sharpness(view).enhance(1 + by),
        most=0.99,
        signed=True,
    ),
    Way("posterize", lambda view, bits: ImageOps.posterize(view, round(bits)), 8.0, 2.0),
    Way("solarize", lambda view, share: ImageOps.solarize(view, ceil(255 * share)), 1.0, 0.0),
    Way("autocontrast", lambda view, _: ImageOps.autocontrast(view)),
    Way("equalize", lambda view, _: ImageOps.equalize(view)),
)
