"""What all charts have in common: colours, axes, and the way to a file."""

import io
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shortcut.disk import write_whole

DPI = 150
TRAIN, MEASURED = "#D55E00", "#0072B2"
"""Vermilion and blue of Okabe and Ito (2008), told apart by every kind of colour vision."""
INK, MUTED, FAINT = "#333333", "#B0B0B0", "#E4E4E4"


def tidy(axes: Axes, name: str) -> None:
    """Quiet axes, named on the left."""
    axes.set_ylabel(name, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.grid(axis="y", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(color=INK, labelcolor=INK)


def as_svg(figure: Figure, *, tight: bool = False) -> bytes:
    """A figure for a page, on no ground of its own; letters are shapes, as drawn here."""
    drawn = io.BytesIO()
    with rc_context({"svg.hashsalt": "shortcut"}):  # the same figure, the same bytes
        figure.savefig(
            drawn,
            format="svg",
            bbox_inches="tight" if tight else None,
            pad_inches=0.1,
            transparent=True,
            metadata={"Date": None, "Creator": None},
        )
    _lay_out_no_more(figure)
    return drawn.getvalue()


def save(figure: Figure, path: Path, *, tight: bool = False) -> None:
    """Write a figure as PNG; an older picture stays whole until then.

    Raises:
        ResourceError: it cannot be written.
    """
    drawn = io.BytesIO()
    figure.savefig(
        drawn,
        format="png",
        bbox_inches="tight" if tight else None,
        pad_inches=0.15,
        metadata={"Software": None},
    )
    _lay_out_no_more(figure)
    write_whole(path, drawn.getvalue())


def _lay_out_no_more(figure: Figure) -> None:
    """It may be written in another format too, and to find the places takes most of the time."""
    if figure.get_layout_engine() is not None:
        figure.set_layout_engine("none")
