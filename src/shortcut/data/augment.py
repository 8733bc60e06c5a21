"""Training views: which part of a picture is cut out and whether it is mirrored.

Every choice is a pure function of (seed, epoch, index), so it does not matter which thread or
process makes a view, in what order, or whether the run was interrupted in between.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.settings import AugmentSettings, ResizedCrop, ShiftCrop

Draws = NDArray[np.float64]
"""Five numbers from 0 to 1 that decide a view: area, proportion, left, top, mirrored."""

GRID = 8
"""Sizes grow by so many pixels."""
GROWING = 0.75
"""Share of the epochs that are smaller than the last, where nothing else is asked for."""


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """The order in which an epoch visits pictures 0 to count - 1."""
    return np.random.default_rng((seed, epoch)).permutation(count).tolist()


def epoch_draws(count: int, seed: int, epoch: int) -> Draws:
    """(count, 5): a row for each picture, the same whatever `count` is.

    All at once, because a generator for each picture would take 11 us, a tenth of its view.
    """
    # The third number tells this stream from `epoch_order`'s; a zero would not.
    return np.random.default_rng((seed, epoch, 2)).random((count, 5))


def growing_sizes(epochs: int, start: int, final: int, growing: float = GROWING) -> list[int]:
    """Image size in pixels of each epoch: from `start` up to `final` over a share `growing` of the
    epochs, in steps of 8 pixels, then `final`; the last epoch always is `final`.

    Early epochs learn coarse features, which need few pixels, and time goes with their number
    (progressive learning, arXiv:2104.00298, section 4).
    """
    until = min(growing * epochs, epochs - 1)
    return [
        start + int((final - start) * epoch / until) // GRID * GRID if epoch < until else final
        for epoch in range(epochs)
    ]


def training_view(
    pixels: Pixels,
    settings: AugmentSettings,
    evaluation: Preprocess,
    size: int,
    draws: Draws,
) -> Pixels:
    """One augmented view of a picture.

    Args:
        pixels: (height, width, 3) uint8, upright.
        evaluation: the preprocessing of evaluation, whose view the crop `none` repeats.
        size: side of the view in pixels.
        draws: the picture's row of `epoch_draws`, which decides everything random.

    Returns:
        (size, size, 3) uint8.
    """
    crop = settings.crop
    if isinstance(crop, ResizedCrop):
        part = _random_part(pixels, crop, draws)
    elif isinstance(crop, ShiftCrop):
        part = _shifted_square(evaluation.fitted(pixels), crop, evaluation.image_size, draws)
    else:
        part = evaluation.middle(evaluation.fitted(pixels))
    view = _resized(part, size)
    return view[:, ::-1] if settings.flip and draws[4] < 0.5 else view


def _random_part(pixels: Pixels, crop: ResizedCrop, draws: Draws) -> Pixels:
    """A part of random area and proportion at a random place (Inception's crop,
    arXiv:1409.4842); what would leave the picture is trimmed."""
    height, width, _ = pixels.shape
    area = height * width * (crop.smallest + draws[0] * (1 - crop.smallest))
    ratio = crop.ratio ** (2 * draws[1] - 1)
    w = max(1, min(width, round(math.sqrt(area * ratio))))
    h = max(1, min(height, round(math.sqrt(area / ratio))))
    left, top = int(draws[2] * (width - w + 1)), int(draws[3] * (height - h + 1))
    return pixels[top : top + h, left : left + w]


def _shifted_square(pixels: Pixels, crop: ShiftCrop, side: int, draws: Draws) -> Pixels:
    border = round(crop.pad * side)
    if border:
        pixels = np.pad(pixels, ((border, border), (border, border), (0, 0)))
    height, width, _ = pixels.shape
    left, top = int(draws[2] * (width - side + 1)), int(draws[3] * (height - side + 1))
    return pixels[top : top + side, left : left + side]


def _resized(part: Pixels, size: int) -> Pixels:
    """Bilinear with antialiasing by torch, whose kernel for bytes is 2.5 times as fast as Pillow's
    (94 us against 236 us for a view of 128 px)."""
    if part.shape[:2] == (size, size):
        return part
    # NumPy makes the copy: torch would start threads for it inside the loader's own.
    image = torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)[None]
    view = F.interpolate(image, (size, size), mode="bilinear", antialias=True)
    return view[0].permute(1, 2, 0).numpy()
