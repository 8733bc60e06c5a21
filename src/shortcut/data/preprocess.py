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
LONGEST = 4
"""Of pictures longer than this many times their short side only the middle is used."""

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
    crops: bool = False
    """Five squares of each picture, the middle and the corners, instead of the middle alone
    (Krizhevsky et al. 2012, section 4.1). Only for asking; never stored."""

    def __call__(self, image: Image.Image) -> Pixels:
        """An upright RGB picture of any size as (image_size, image_size, 3) uint8; with `crops`
        (5, image_size, image_size, 3)."""
        return self.cut(np.asarray(resize_short(image, self.resize)))

    def fitted(self, pixels: Pixels) -> Pixels:
        """Pixels with a short side of `resize`; as they are, bit for bit, if they have that
        already."""
        height, width, _ = pixels.shape
        short, long = min(height, width), max(height, width)
        if short == self.resize and long <= LONGEST * short:
            return pixels
        return np.array(resize_short(Image.fromarray(pixels), self.resize))

    def middle(self, pixels: Pixels) -> Pixels:
        """The middle square of pixels whose short side is `resize`."""
        height, width, _ = pixels.shape
        side = self.image_size
        return _square(pixels, (height - side) // 2, (width - side) // 2, side)

    def cut(self, pixels: Pixels) -> Pixels:
        """The middle square of pixels whose short side is `resize`; with `crops` that and the four
        in the corners."""
        if not self.crops:
            return self.middle(pixels)
        height, width, _ = pixels.shape
        side = self.image_size
        corners = [(top, left) for top in (0, height - side) for left in (0, width - side)]
        return np.stack([self.middle(pixels), *(_square(pixels, *at, side) for at in corners)])

    def as_dict(self) -> dict[str, object]:
        """Plain values for a JSON header; `Preprocess(**values)` reads them back."""
        return {name: value for name, value in asdict(self).items() if name != "crops"}


def resize_short(image: Image.Image, side: int) -> Image.Image:
    """Resize in proportion so that the short side is `side` pixels (bilinear with antialiasing).

    Of pictures longer than 4:1 only the middle is used: a 1 x 60,000 strip would otherwise become
    gigabytes.
    """
    short = min(image.size)
    image = middle_part(image)
    if short == side:
        return image
    scale = side / short
    size = (round(image.width * scale), round(image.height * scale))
    # Shrinking by whole boxes first saves a third of the filter's time; 3.0 is the gap Pillow calls
    # "fair".
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)


def middle_part(image: Image.Image) -> Image.Image:
    """A picture that is not longer than 4:1 as it is; of any other the middle."""
    longest = LONGEST * min(image.size)
    width, height = min(image.width, longest), min(image.height, longest)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _square(pixels: Pixels, top: int, left: int, side: int) -> Pixels:
    return pixels[top : top + side, left : left + side]
