"""The one way from a decoded picture to the network's input, shared by evaluation, prediction and
exports.

Pillow and NumPy only, so that prediction needs no torch. Normalisation is left to the network's
side.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""Height x width x 3, RGB, 0 to 255."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocess:
    """Resize the short side, cut the middle square, later normalise. Stored in every model file."""

    image_size: int
    """Side of the square in pixels."""
    resize: int
    """Short side in pixels before the cut; at least `image_size`."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Per channel, on a scale of 0 to 1."""
    std: tuple[float, float, float] = IMAGENET_STD

    def __call__(self, image: Image.Image) -> Pixels:
        """An upright RGB picture of any size as (image_size, image_size, 3) uint8."""
        image = self.resized(image)
        return cut(image, self.middle(image), self.image_size)

    def resized(self, image: Image.Image) -> Image.Image:
        """The picture with a short side of `resize` pixels; as it is, bit for bit, if it has that
        already."""
        return resize_short(image, self.resize)

    def middle(self, image: Image.Image) -> Box:
        """The square that is kept of a resized picture: left, top, right, bottom in whole
        pixels."""
        left = (image.width - self.image_size) // 2
        top = (image.height - self.image_size) // 2
        return left, top, left + self.image_size, top + self.image_size

    def as_dict(self) -> dict[str, object]:
        """Plain values for a JSON header; `Preprocess(**values)` reads them back."""
        return asdict(self)


def resize_short(image: Image.Image, side: int) -> Image.Image:
    """Resize in proportion so that the short side is `side` pixels (bilinear with antialiasing).

    Of pictures longer than 4:1 only the middle is used: a 1 x 60,000 strip would otherwise become
    gigabytes.
    """
    short = min(image.size)
    if max(image.size) > 4 * short:
        image = _middle_part(image, 4 * short)
    if short == side:
        return image
    scale = side / short
    size = (round(image.width * scale), round(image.height * scale))
    # Shrinking by whole boxes first saves a third of the filter's time; 3.0 is the gap Pillow calls
    # "fair".
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)


def cut(image: Image.Image, box: Box, side: int) -> Pixels:
    """The part of `image` inside `box` (left, top, right, bottom) as a (side, side, 3) uint8
    square."""
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=box))


def _middle_part(image: Image.Image, longest: int) -> Image.Image:
    width, height = min(image.width, longest), min(image.height, longest)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
