"""A picture as a small pattern that stays nearly the same when it is saved anew, resized,
brightened or cut at its edges, and how alike two are.

Perceptual hashes (dHash, pHash) say the same of copies that were resized or recompressed, but a cut
of a twentieth changes a quarter of their bits. Here windows are laid over both pictures until their
patterns agree, which a matrix product does for all windows at once.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Pixels of a grey thumbnail's side: a cut of a twentieth is three of them."""
COARSE, FINE = 16, 24
"""Cells of a pattern's side: to find pairs among all, and to compare two."""
FLATTEST = 1.0
"""Grey levels: below such a spread a pattern is noise, and like no other."""
BLOCK = 4096
"""Thumbnails that are float32 at a time: 67 MB."""
LEAST = 50
"""Pixels: a window is not smaller, which allows for a quarter cut off."""

Thumb = NDArray[np.uint8]
"""(SIDE, SIDE) grey, stretched to a square."""
Pattern = NDArray[np.float32]
Window = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of a thumbnail."""
WHOLE: Window = (0, 0, SIDE, SIDE)


def make_thumb(image: Image.Image) -> Thumb:
    """The grey thumbnail of a picture."""
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8)


def edge_windows(cut: float = 0.06) -> list[Window]:
    """The whole, its four corners and its middle without `cut` of each side: one of them is near to
    any cut of a tenth and less."""
    gone = SIDE * cut
    places = [(0.0, 0.0), (gone, 0.0), (0.0, gone), (gone, gone), (gone / 2, gone / 2)]
    return [WHOLE] + [(x, y, x + SIDE - gone, y + SIDE - gone) for x, y in places]


def find_patterns(
    thumbs: NDArray[np.uint8], window: Window = WHOLE, cells: int = COARSE
) -> Pattern:
    """(N, SIDE, SIDE) uint8 -> (N, cells * cells) float32: what stands out from its surroundings.

    Rows have mean 0 and length 1, so that a product of two is their correlation; those of blank
    pictures are shorter.
    """
    left, top, right, bottom = (np.array([edge]) for edge in window)
    rows, columns = _overlaps(top, bottom, cells), _overlaps(left, right, cells)
    blocks = [thumbs[start : start + BLOCK] for start in range(0, len(thumbs), BLOCK)]
    return np.concatenate(
        [np.empty((0, cells**2), np.float32)]
        + [_standing_out(rows @ block.astype(np.float32) @ columns[0].T, cells) for block in blocks]
    )


def likeness(one: Thumb, other: Thumb) -> float:
    """The correlation of two pictures, -1 to 1, where one of them may be a cut-out of the other."""
    return max(_best_window(one, other), _best_window(other, one))


def _best_window(whole: Thumb, part: Thumb) -> float:
    """How like `part` the most alike window of `whole` is: first a grid, then ever smaller moves of
    the four edges."""
    wanted = find_patterns(part[None], cells=FINE)[0]
    best, window = _most_alike(whole, wanted, _grid())
    step = 2.0
    while step >= 0.5:
        moved = np.clip(np.array(window) + step * _moves(), 0, SIDE)
        wide = (moved[:, 2] - moved[:, 0] >= LEAST) & (moved[:, 3] - moved[:, 1] >= LEAST)
        best, window = max((best, window), _most_alike(whole, wanted, moved[wide].tolist()))
        step /= 2
    return best


def _most_alike(
    whole: Thumb, wanted: Pattern, windows: Sequence[Sequence[float]]
) -> tuple[float, tuple[float, ...]]:
    edges = np.array(windows, dtype=np.float64)
    rows = _overlaps(edges[:, 1], edges[:, 3], FINE)
    columns = _overlaps(edges[:, 0], edges[:, 2], FINE)
    means = rows @ whole.astype(np.float32) @ columns.transpose(0, 2, 1)
    scores = _standing_out(means.astype(np.float32), FINE) @ wanted
    place = int(scores.argmax())
    return float(scores[place]), tuple(edges[place].tolist())


@cache
def _grid() -> list[Window]:
    found: list[Window] = []
    for share in (1.0, 0.97, 0.94, 0.91, 0.88, 0.85):
        side = SIDE * share
        starts = sorted({0.0, (SIDE - side) / 2, SIDE - side})
        found += [(x, y, x + side, y + side) for x in starts for y in starts]
    return found


@cache
def _moves() -> NDArray[np.float64]:
    """Every edge inwards, where it is, or outwards."""
    return np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 4), -1).reshape(-1, 4)


def _standing_out(means: Pattern, cells: int) -> Pattern:
    """(N, cells, cells) means -> patterns."""
    blur = _blur(cells)
    found = (means - blur @ means @ blur.T).reshape(len(means), -1)
    found -= found.mean(1, keepdims=True)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.maximum(length, FLATTEST * cells)


def _overlaps(start: NDArray[np.float64], end: NDArray[np.float64], cells: int) -> Pattern:
    """(W, cells, SIDE): what share of each cell of windows from `start` to `end` each pixel has."""
    width = ((end - start) / cells)[:, None, None]
    low = start[:, None, None] + width * np.arange(cells)[:, None]
    pixels = np.arange(SIDE)
    shared = np.minimum(low + width, pixels + 1) - np.maximum(low, pixels)
    return np.asarray(np.clip(shared, 0, None) / width, dtype=np.float32)


@cache
def _blur(cells: int) -> Pattern:
    """(cells, cells): a mean over 7 or 9 neighbours, where the edge goes on outside."""
    reach = 3 if cells == COARSE else 4
    blur = np.zeros((cells, cells), np.float32)
    for cell in range(cells):
        for near in range(cell - reach, cell + reach + 1):
            blur[cell, min(max(near, 0), cells - 1)] += 1 / (2 * reach + 1)
    return blur
