"""Maps of heat over a picture: made of the cells of a feature map, told in words, shown in colours.

NumPy only: exported models explain themselves without torch and without matplotlib.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Heat = NDArray[np.float32]
"""Height x width, 0 to 1."""
SPREAD = 0.3
"""Where half of the heat takes more of the picture than this, no one place is hot; evenly spread
it takes 0.5."""
ROWS, COLUMNS = ("upper", "", "lower"), ("left", "", "right")
PLASMA = (
    *((13, 8, 135), (76, 2, 161), (126, 3, 168), (169, 35, 150), (203, 71, 120)),
    *((230, 108, 92), (248, 148, 65), (253, 195, 40), (240, 249, 33)),
)
"""From blue through red to yellow, evenly lighter all the way: read without red or green too. Every
32nd colour of matplotlib's `plasma`; what is drawn between them lies within 5 of 255 of it."""
THICKEST = 0.75
"""Of the colour over the hottest point; the rest is the picture."""
LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue in what an eye sees as brightness (ITU-R BT.601)."""


def heat_of(evidence: Heat, side: int, centres: tuple[float, float]) -> Heat:
    """What speaks for a class, as maps over the picture.

    Args:
        evidence: (N, h, w), the part of each cell in the output of the class; below 0 it speaks
            against it.
        side: of the picture, in pixels.
        centres: pixel in which the first cell has its centre, and pixels from one to the next.

    Returns:
        (N, side, side). The hottest point of each map is 1; where nothing speaks for the class the
        whole map is 0.
    """
    maps = enlarged(evidence.clip(0), side, *centres)
    hottest = maps.max((1, 2), keepdims=True)
    return np.divide(maps, hottest, out=np.zeros_like(maps), where=hottest > 0)


def enlarged(cells: Heat, side: int, first: float, step: float) -> Heat:
    """(N, h, w) -> (N, side, side), bilinear between the centres of cells, even beyond the last.

    Args:
        first: pixel in which the first centre lies.
        step: pixels from one centre to the next.
    """
    at = (np.arange(side) - first) / step

    def weights(count: int) -> Heat:
        clipped = at.clip(0, count - 1)[:, np.newaxis]
        return (1 - np.abs(clipped - np.arange(count))).clip(0).astype(np.float32)

    height, width = cells.shape[1:]
    found: Heat = np.matmul(weights(height) @ cells, weights(width).T)
    return found


@dataclass(frozen=True)
class Spot:
    """The hot part of a map."""

    place: str
    """`upper left`, `middle`, ...: which ninth of the picture the hottest point lies in."""
    hottest: tuple[int, int]
    """Its pixel: x from the left, y from the top."""
    share: float
    """Of the picture, 0 to 1: the smallest part that holds half of the heat."""

    def __str__(self) -> str:
        place = self.place if self.share <= SPREAD else "spread out"
        return f"{place}, {100 * self.share:.0f} % of the picture holds half of the heat"


def find_spot(heat: Heat) -> Spot | None:
    """Where a map (S, S) is hot; None where it is 0 everywhere."""
    if not heat.any():
        return None
    top, left = divmod(int(heat.argmax()), heat.shape[1])
    row, column = ROWS[3 * top // heat.shape[0]], COLUMNS[3 * left // heat.shape[1]]
    sums = np.cumsum(np.sort(heat, axis=None)[::-1], dtype=np.float64)
    share = (int(np.searchsorted(sums, sums[-1] / 2)) + 1) / heat.size
    return Spot(f"{row} {column}".strip() or "middle", (left, top), share)


def overlay_heat(pixels: NDArray[np.uint8], heat: Heat) -> NDArray[np.uint8]:
    """(S, S, 3) uint8 with its heat (S, S) over it -> (S, S, 3) uint8.

    The picture turns grey, so that every colour is heat; where it is cold nothing is over it. Heat
    is shown as a share of its own hottest point.
    """
    hottest = float(heat.max())
    share = heat / hottest if hottest > 0 else np.zeros_like(heat)
    grey = (pixels @ np.array(LUMA))[..., np.newaxis]
    steps = np.linspace(0, 1, len(PLASMA))
    colours = np.stack([np.interp(share, steps, part) for part in zip(*PLASMA, strict=True)], -1)
    thick = THICKEST * np.sqrt(share)[..., np.newaxis]
    return np.rint(grey + thick * (colours - grey)).clip(0, 255).astype(np.uint8)
