"""From a decoded picture to the network's input, bit for bit as Pillow 13: a reference for ports.

1. Of a picture longer than 4:1, take the middle. Resize in proportion, to a short side of `resize`
   pixels. A side six times too long, or more, is first shrunk by a whole number: means of boxes.
   Then comes a triangle filter (bilinear, antialiased), axis by axis, with 8 bits in between.
2. Cut out the middle square, `image_size` pixels on a side. 3. Normalise each channel.

The input must be the decoded picture, RGB of 8 bits: EXIF orientation applied, transparency laid
over white, 16 bits scaled to 8. Only NumPy is needed. Floats have 64 bits where 32 are not named.
Run as a script, this checks itself on each `example-N.npz` beside it.
"""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray


def preprocess(picture: NDArray[np.uint8], image_size: int, resize: int) -> NDArray[np.uint8]:
    """An upright RGB picture, (H, W, 3), as the network sees it, (image_size, image_size, 3)."""
    old = [min(side, 4 * min(picture.shape[:2])) for side in picture.shape[:2]]
    new = [round(side * (resize / min(old))) for side in old]  # `round` takes halves to even
    boxes = [int(old[axis] / new[axis] / 3) or 1 for axis in (0, 1)]
    pixels = box_means(middle(picture, max(old)), *boxes)
    # It saves work, and is what Pillow does from 13 on; before, columns always came first.
    rows_first = len(pixels) - new[0] > max(0, 2 * (pixels.shape[1] - new[1]))
    for axis in (0, 1) if rows_first else (1, 0):
        pixels = resample(pixels, axis, old[axis] / boxes[axis], new[axis])
    return middle(pixels, image_size)


def middle(pixels: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """At most so many rows and columns; of an odd rest, one more is cut off below or right."""
    top, left = (max(0, side - most) // 2 for side in pixels.shape[:2])
    return pixels[top : top + most, left : left + most]


def box_means(pixels: NDArray[np.uint8], tall: int, wide: int) -> NDArray[np.uint8]:
    """The mean of each box of `tall` x `wide` pixels; at the far edges, of what is left of it."""
    rows, columns = np.arange(0, pixels.shape[0], tall), np.arange(0, pixels.shape[1], wide)
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, 0, np.uint32), columns, 1, np.uint32)
    heights, widths = np.diff(rows, append=len(pixels)), np.diff(columns, append=pixels.shape[1])
    counts = np.outer(heights, widths)[:, :, None].astype(np.uint32)
    # Times 1 / count, cut off after 24 bits: now and then that is one less than a division gives.
    return ((sums + counts // 2) * (2**24 // counts) >> 24).astype(np.uint8)


def resample(pixels: NDArray[np.uint8], axis: int, old: float, new: int) -> NDArray[np.uint8]:
    """`new` pixels along an axis from the first `old`, of which the last may count in part."""
    lines, scale = pixels.swapaxes(0, axis), float(np.float32(old)) / new
    resampled, reach = np.empty((new, *lines.shape[1:]), np.uint8), max(scale, 1.0)
    for i in range(new):
        center = (i + 0.5) * scale
        first, last = int(center - reach + 0.5), int(center + reach + 0.5)
        taps = np.arange(max(0, first), min(last, len(lines)))
        weights = np.maximum(0.0, 1 - np.abs((taps - center + 0.5) * (1 / reach)))
        fixed = (weights / np.cumsum(weights)[-1] * 2**22 + 0.5).astype(int)  # summed in order
        resampled[i] = (np.tensordot(fixed, lines[taps], 1) + 2**21) >> 22  # never above 255
    return resampled.swapaxes(0, axis)


def normalise(pixels: NDArray[np.uint8], mean: ArrayLike, std: ArrayLike) -> NDArray[np.float32]:
    """(S, S, 3) as (3, S, S), in float32; `mean` and `std` per channel, on a scale of 0 to 1."""
    level, spread = (np.asarray(each, np.float32) * 255 for each in (mean, std))
    return np.ascontiguousarray(((pixels.astype(np.float32) - level) / spread).transpose(2, 0, 1))


if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("example-*.npz")):
        with np.load(path) as stored:
            pixels = preprocess(stored["picture"], int(stored["image_size"]), int(stored["resize"]))
            found = {"pixels": pixels, "tensor": normalise(pixels, stored["mean"], stored["std"])}
            if wrong := [name for name in found if found[name].tobytes() != stored[name].tobytes()]:
                raise SystemExit(f"{path.name}: not equal: {', '.join(wrong)}")
        print(f"{path.name}: equal")
