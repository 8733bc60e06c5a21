"""Training views: which part of a picture is cut out and whether it is mirrored.

Every choice is a pure function of (seed, epoch, index), so it does not matter which thread or
process makes a view, in what order, or whether the run was interrupted in between.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.settings import AugmentSettings, ResizedCrop, ShiftCrop

Draws = NDArray[np.float64]
"""Numbers from 0 to 1 that decide something about a view."""
Stream = tuple[int, int]
"""Which numbers: a key of their own, so that new ones leave old ones as they are, and how many."""
CUTTING: Stream = 2, 5
"""Area, proportion, left, top, mirrored."""
CHANGING: Stream = 3, 4
"""Of `change_views`."""
ERASING: Stream = 4, 5
"""Of `erase`."""

GRID = 8
"""Sizes grow by so many pixels."""
GROWING = 0.75
"""Share of the epochs that are smaller than the last, where nothing else is asked for."""


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """The order in which an epoch visits pictures 0 to count - 1."""
    return np.random.default_rng((seed, epoch)).permutation(count).tolist()


def epoch_draws(count: int, seed: int, epoch: int, stream: Stream = CUTTING) -> Draws:
    """(count, numbers of `stream`): a row for each picture, the same whatever `count` is.

    All at once, because a generator for each picture would take 11 us, a tenth of its view.
    """
    # The third number tells these from `epoch_order`'s; a zero would not.
    key, numbers = stream
    return np.random.default_rng((seed, epoch, key)).random((count, numbers))


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


def training_views(
    pictures: Sequence[Pixels],
    settings: AugmentSettings,
    evaluation: Preprocess,
    size: int,
    draws: Draws,
) -> Tensor:
    """One augmented view of each picture.

    Args:
        pictures: (height, width, 3) uint8 each, upright.
        evaluation: the preprocessing of evaluation, whose view the crop `none` repeats.
        size: side of the views in pixels.
        draws: the pictures' rows of `epoch_draws`, which decide everything random.

    Returns:
        (N, size, size, 3) uint8.
    """
    views = torch.empty(
        (len(pictures), 3, size, size), dtype=torch.uint8, memory_format=torch.channels_last
    )
    for index, (pixels, numbers) in enumerate(zip(pictures, draws, strict=True)):
        view = views[index : index + 1]
        _resize_into(view, _choose_part(pixels, settings, evaluation, numbers))
        if settings.flip and numbers[4] < 0.5:
            view.copy_(view.flip(3))
    return views.permute(0, 2, 3, 1)


def _choose_part(
    pixels: Pixels, settings: AugmentSettings, evaluation: Preprocess, draws: Draws
) -> Pixels:
    crop = settings.crop
    if isinstance(crop, ResizedCrop):
        height, width, _ = pixels.shape
        top, left, height, width = random_box(height, width, crop, draws)
        return pixels[top : top + height, left : left + width]
    pixels = evaluation.fitted(pixels)
    if isinstance(crop, ShiftCrop):
        return _shifted_square(pixels, crop, evaluation.image_size, draws)
    return evaluation.middle(pixels)


def random_box(
    height: int, width: int, crop: ResizedCrop, draws: Draws
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a part of random area and proportion at a random place
    (Inception's crop, arXiv:1409.4842); what would leave the picture is trimmed.

    Args:
        draws: the picture's row of `epoch_draws`.
    """
    area = height * width * (crop.smallest + draws[0] * (1 - crop.smallest))
    ratio = crop.ratio ** (2 * draws[1] - 1)
    w = max(1, min(width, round(math.sqrt(area * ratio))))
    h = max(1, min(height, round(math.sqrt(area / ratio))))
    left, top = int(draws[2] * (width - w + 1)), int(draws[3] * (height - h + 1))
    return top, left, h, w


def _shifted_square(pixels: Pixels, crop: ShiftCrop, side: int, draws: Draws) -> Pixels:
    border = round(crop.pad * side)
    if border:
        pixels = np.pad(pixels, ((border, border), (border, border), (0, 0)))
    height, width, _ = pixels.shape
    left, top = int(draws[2] * (width - side + 1)), int(draws[3] * (height - side + 1))
    return pixels[top : top + side, left : left + side]


def _resize_into(view: Tensor, part: Pixels) -> None:
    """Write `part`, resized, into `view`, (1, 3, size, size) with channels last.

    Bilinear with antialiasing by torch, whose kernel for bytes takes 84 us for a view of 128 px
    where Pillow takes 190. It is called by its own name, since `F.interpolate` cannot be told where
    to write, and lays a single picture out by channels, which takes another 110 us.
    """
    # NumPy makes the copy: torch would start threads for it inside the loader's own. Writable, as
    # torch wants it: whole pictures of a mapped store are not.
    image = torch.from_numpy(np.require(part, requirements=["C", "W"])).permute(2, 0, 1)[None]
    if image.shape == view.shape:
        view.copy_(image)
    else:
        size = view.shape[2:]
        torch.ops.aten._upsample_bilinear2d_aa.out(image, size, False, None, None, out=view)
