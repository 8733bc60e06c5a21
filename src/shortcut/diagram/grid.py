"""Where things stand in one column, and the small marks that everything is made of."""

from collections.abc import Iterator
from dataclasses import dataclass

from shortcut.diagram.network import Change
from shortcut.diagram.scene import Box, Circle, Line, Shape, Text
from shortcut.diagram.theme import SIZES
from shortcut.fonts import text_width

LAYER = 25.0
"""Height of a layer; pixels, as all below."""
THIN = 19.0
"""Height of a layer without a window: norm, ReLU."""
PILL = 19.0
PLUS = 8.0
"""Radius of the sign of an addition."""
TIP = 5.5
INSET = 10.0
"""Between the edge of a box and the text in it."""


@dataclass(frozen=True)
class Grid:
    """The lines of one column, from left to right."""

    left: float
    """Of the blocks' frames."""
    box: float
    """Of the layers."""
    settings: float
    size: float
    """Right edge of output sizes inside layers."""
    edge: float
    """Right edge of the layers."""
    near: float
    """Way down of an arc with nothing on it."""
    far: float
    """Middle of what stands on an arc."""
    across: float
    """Width of what stands on an arc."""
    right: float
    """Of the blocks' frames."""

    @property
    def spine(self) -> float:
        """Middle of the layers: the line they hang on."""
        return (self.box + self.edge) / 2


def width_of(text: str, role: str) -> float:
    """Width in pixels of a text in its role."""
    size, bold = SIZES[role]
    return text_width(text, size, bold=bold)


def middle_line(y: float, role: str) -> float:
    """Baseline of a text whose capitals and digits are centred on `y`: they are 0.73 em high."""
    return y + 0.365 * SIZES[role][0]


def arrow_tip(x: float, y: float, role: str = "tip") -> Line:
    """Points down to (x, y)."""
    return Line(((x - TIP * 0.62, y - TIP), (x + TIP * 0.62, y - TIP), (x, y)), role, closed=True)


def arrow_tip_left(x: float, y: float, role: str) -> Line:
    """Points left to (x, y)."""
    return Line(((x + TIP, y - TIP * 0.62), (x + TIP, y + TIP * 0.62), (x, y)), role, closed=True)


def addition(x: float, y: float, radius: float = PLUS) -> Iterator[Shape]:
    """The circled plus."""
    yield Circle(x, y, radius, "plus")
    arm = radius * 0.55
    yield Line(((x - arm, y), (x + arm, y)), "sign")
    yield Line(((x, y - arm), (x, y + arm)), "sign")


def pill_width(text: str) -> float:
    """Width of the mark that `pill` draws."""
    return width_of(text, "pill") + 2 * INSET


def pill(x: float, y: float, text: str, change: Change = "none") -> Iterator[Shape]:
    """A size on the line, centred on (x, y)."""
    role = "pill" if change == "none" else f"pill-{change}"
    width = pill_width(text)
    yield Box(x - width / 2, y - PILL / 2, width, PILL, role, PILL / 2)
    yield Text(x, middle_line(y, role), text, role, "middle")
