"""Pictures as different as photos are: smooth shapes of random colours, with some fine grain."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

WIDTH, HEIGHT = 192, 144


def make_scene(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """One that no other seed gives."""
    noise = np.random.default_rng(seed)
    picture = np.zeros((size[1], size[0], 3))
    for cells, strength in ((3, 60), (7, 45), (15, 25), (40, 15), (110, 18)):
        coarse = noise.normal(0, strength, (cells, cells, 3)) + 20
        layers = [Image.fromarray(coarse[..., c].astype(np.float32)) for c in range(3)]
        grown = [np.asarray(x.resize(size, Image.Resampling.BICUBIC)) for x in layers]
        picture += np.stack(grown, -1)
    image = Image.fromarray((picture + 40).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(5):  # with edges as things have them
        (x, y), side = noise.random(2) * size, 0.05 * size[0] * (1 + noise.random())
        draw.ellipse((x, y, x + side, y + side), tuple(noise.integers(0, 256, 3).tolist()))
    return image


def cut(image: Image.Image, share: float) -> Image.Image:
    """Without `share` of its width and height, a third of that on the left and at the top."""
    width, height = image.size
    left, top = width * share / 3, height * share / 3
    box = (left, top, left + width * (1 - share), top + height * (1 - share))
    return image.crop(tuple(map(round, box)))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved anew": lambda image: image,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "cut by a twentieth": lambda image: cut(image, 0.05),
    "cut by a tenth": lambda image: cut(image, 0.10),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
}
"""What people and programs do to a picture that stays the same one."""
