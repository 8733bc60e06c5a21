"""Heat over a picture, as a plate with the picture beside it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from shortcut.data.folders import printable
from shortcut.data.preprocess import Pixels
from shortcut.fonts import drawable, families, shorten, text_width
from shortcut.heat import overlay_heat
from shortcut.report.drawing import DPI, INK, save

PANEL = 3.0
"""Side of a panel in inches."""
TITLE = 10.0
"""Height of its letters in points."""


def draw_plate(
    pixels: Pixels,
    maps: Sequence[tuple[str, NDArray[np.float32]]],
    path: Path,
    *,
    title: str,
    answer: str,
) -> None:
    """Write a picture and its heat maps side by side as a PNG.

    Args:
        pixels: (S, S, 3) uint8.
        maps: what stands above each, and its heat (S, S).
        title: letters for which no font is installed become boxes.
        answer: the line below it.

    Raises:
        ResourceError: if `path` cannot be written; an older picture is untouched.
    """
    panels = [("as the network sees it", pixels)]
    panels += [(name, overlay_heat(pixels, heat)) for name, heat in maps]
    figure = Figure(
        figsize=(PANEL * len(panels), PANEL + 0.9),
        dpi=DPI,
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08),
    )
    fonts = families()
    width = 72 * PANEL * len(panels) * 0.96
    lines = [drawable(_fitted(printable(line), width), fonts) for line in (title, answer)]
    look = {"color": INK, "family": list(fonts), "parse_math": False}
    figure.suptitle("\n".join(lines), x=0.02, ha="left", fontsize=TITLE, linespacing=1.4, **look)
    every = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, shown) in zip(every, panels, strict=True):
        axes.imshow(shown, interpolation="nearest")
        axes.set_title(name, fontsize=8.5, loc="left", color=INK)
        axes.set_axis_off()
    save(figure, path)


def _fitted(line: str, width: float) -> str:
    """Shortened to about `width` points, by the mean width of its letters."""
    return shorten(line, int(width * len(line) / max(text_width(line, TITLE), 1.0)))
