"""A picture as a list of plain shapes: computed once, written as SVG, PNG or PDF.

Lengths are in pixels of a 96-dpi screen, y downwards. What a shape looks like is its role, a key of
the theme.
"""

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with rounded corners."""

    x: float
    y: float
    width: float
    height: float
    role: str
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line; `y` is its baseline, `x` its start, middle or end."""

    x: float
    y: float
    text: str
    role: str
    anchor: Anchor = "start"


@dataclass(frozen=True, slots=True)
class Line:
    """Straight pieces through `points`; closed ones are filled."""

    points: tuple[Point, ...]
    role: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Arc:
    """Out to the right from `start`, down, and back to `end`, with round corners."""

    start: Point
    end: Point
    reach: float
    """x of its way down."""
    radius: float
    role: str


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle around (x, y)."""

    x: float
    y: float
    radius: float
    role: str


Shape = Box | Text | Line | Arc | Circle


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture; later shapes cover earlier ones."""

    width: float
    height: float
    title: str
    description: str
    """For those who cannot see it."""
    shapes: tuple[Shape, ...]
