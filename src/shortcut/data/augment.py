"""Training views: which part of a picture is cut out and whether it is mirrored.

Every choice is a pure function of (seed, epoch, index), so it does not matter which thread or
process makes a view, in what order, or whether the run was interrupted in between.
"""

import math

import numpy as np
from PIL import Image, ImageOps

from shortcut.data.preprocess import Box, Pixels, Preprocess, cut
from shortcut.settings import AugmentSettings, ResizedCrop, ShiftCrop


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """The order in which an epoch visits pictures 0 to count - 1."""
    return np.random.default_rng((seed, epoch)).permutation(count).tolist()


def epoch_size(epoch: int, epochs: int, start: int, final: int) -> int:
    """Image size in pixels of an epoch (counted from 0), growing in equal stages of 32 pixels.

    The last quarter of the epochs, at least one, is at the final size. Early epochs learn coarse
    features, which
    need few pixels, and time goes with their number (progressive learning, arXiv:2104.00298,
    section 4).
    """
    if start >= final:
        return final
    sizes = [*range(start, final, 32), final]
    growing = min(0.75 * epochs, epochs - 1)
    return sizes[int(epoch / growing * (len(sizes) - 1))] if epoch < growing else final


def training_view(
    image: Image.Image,
    settings: AugmentSettings,
    evaluation: Preprocess,
    size: int,
    key: tuple[int, int, int],
) -> Pixels:
    """One augmented view of an upright RGB picture.

    Args:
        evaluation: the preprocessing of evaluation, whose view the crop `none` repeats.
        size: side of the view in pixels.
        key: (seed, epoch, index), which decides everything random.

    Returns:
        (size, size, 3) uint8.
    """
    rng = np.random.default_rng(key)
    crop = settings.crop
    if isinstance(crop, ResizedCrop):
        box = _random_part(image.width, image.height, crop, rng)
    else:
        image = evaluation.resized(image)
        box = evaluation.middle(image)
        if isinstance(crop, ShiftCrop):
            side = evaluation.image_size
            if crop.pad:
                image = ImageOps.expand(image, round(crop.pad * side))
            left = rng.uniform(0, image.width - side)
            top = rng.uniform(0, image.height - side)
            box = left, top, left + side, top + side
    view = cut(image, box, size)
    if settings.flip and rng.random() < 0.5:
        view = view[:, ::-1]
    return view


def _random_part(width: int, height: int, crop: ResizedCrop, rng: np.random.Generator) -> Box:
    """A part of random area and proportion at a random place (Inception's crop,
    arXiv:1409.4842)."""
    for _ in range(10):
        area = width * height * rng.uniform(crop.smallest, 1)
        ratio = math.exp(rng.uniform(-math.log(crop.ratio), math.log(crop.ratio)))
        w, h = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if w <= width and h <= height:
            left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
            return left, top, left + w, top + h
    side = min(width, height)  # very long pictures: the middle
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side
