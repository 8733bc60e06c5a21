"""What stands where in an SVG file, read from the file alone: boxes of texts, rectangles, arcs."""

import re
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree as ET

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

SVG = "{http://www.w3.org/2000/svg}"
RULE = re.compile(r"text\.(?P<role>[\w-]+)\{(?P<look>[^}]*)\}")
ASCENT, DESCENT = 0.76, 0.24
"""Of a line of DejaVu Sans, in ems: above and below the baseline, capitals and tails."""
TOUCH = 0.5
"""Pixels that two boxes may share."""


@dataclass(frozen=True)
class Rectangle:
    """Left, top, right, bottom in pixels, and what is there."""

    left: float
    top: float
    right: float
    bottom: float
    what: str

    def meets(self, other: "Rectangle") -> bool:
        """Whether the two share more than their edges."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > TOUCH and down > TOUCH

    def holds(self, other: "Rectangle") -> bool:
        """Whether the other lies in this one."""
        return (
            self.left - TOUCH <= other.left
            and other.right <= self.right + TOUCH
            and self.top - TOUCH <= other.top
            and other.bottom <= self.bottom + TOUCH
        )


@dataclass(frozen=True)
class Drawing:
    """The parts of a file that tests look at."""

    page: Rectangle
    texts: list[Rectangle]
    boxes: list[Rectangle]
    """Rectangles other than the ground, in the order of drawing; `what` is the role."""
    arcs: list[Rectangle]
    """Straight pieces of arcs, as thin rectangles; `what` is the role."""
    block_arcs: list[str]
    """Roles of the arcs that stand beside blocks, without the legend's samples."""


def read_drawing(file: bytes) -> Drawing:
    """Parse a file that `draw_diagram` wrote."""
    root = ET.fromstring(file)
    style = root.findtext(f"{SVG}style") or ""
    looks = {found["role"]: found["look"] for found in RULE.finditer(style)}
    boxes = [_box(element) for element in root.iter(f"{SVG}rect")]
    paths = [element for element in root.iter(f"{SVG}path") if _role(element).startswith("arc-")]
    lowest = max((box.bottom for box in boxes if box.what == "frame"), default=0.0)
    return Drawing(
        page=next(box for box in boxes if box.what == "page"),
        texts=[_text(element, looks) for element in root.iter(f"{SVG}text")],
        boxes=[box for box in boxes if box.what not in ("page", "band")],
        arcs=[piece for path in paths for piece in _pieces(path)],
        block_arcs=[_role(path) for path in paths if _pieces(path)[0].top < lowest],
    )


def overlaps(drawing: Drawing) -> list[str]:
    """Texts that meet a text, cross the side of a box or an arc, or leave the page."""
    found = [
        f"`{one.what}` and `{other.what}`"
        for one, other in combinations(drawing.texts, 2)
        if one.meets(other)
    ]
    for text in drawing.texts:
        found += [f"`{text.what}` leaves the page"] * (not drawing.page.holds(text))
        # A filled box that holds the text covers what was drawn before it.
        holders = [place for place, box in enumerate(drawing.boxes) if box.holds(text)]
        last = max(holders, default=-1)
        for box in drawing.boxes[last + 1 :]:
            if text.meets(box):
                found.append(f"`{text.what}` crosses a side of {box.what}")
        if last < 0 or drawing.boxes[last].what == "frame":
            found += [
                f"`{text.what}` lies on {piece.what}" for piece in drawing.arcs if text.meets(piece)
            ]
    return found


def _role(element: ET.Element) -> str:
    return element.get("class", "").split()[0]


def _box(element: ET.Element) -> Rectangle:
    x, y, width, height = (float(element.get(key, 0)) for key in ("x", "y", "width", "height"))
    return Rectangle(x, y, x + width, y + height, _role(element))


def _text(element: ET.Element, looks: dict[str, str]) -> Rectangle:
    role, *anchor = element.get("class", "").split()
    look = looks[role]
    size = float(re.search(r"font-size:([\d.]+)px", look)[1])
    text, x, y = element.text or "", float(element.get("x", 0)), float(element.get("y", 0))
    width = _width(text, size, "bold" if "bold" in look else "normal")
    left = x - {"m": width / 2, "e": width}.get(anchor[0] if anchor else "", 0.0)
    return Rectangle(left, y - ASCENT * size, left + width, y + DESCENT * size, text)


def _width(text: str, size: float, weight: str) -> float:
    """Measured as outlines, not as the layout does; a Chinese letter is an em wide."""
    latin = "".join(letter for letter in text if ord(letter) < 0x2E80)
    width = size * (len(text) - len(latin))
    if latin.strip():
        font = FontProperties(family="DejaVu Sans", weight=weight)
        width += TextPath((0, 0), latin, size=size, prop=font).get_extents().x1
    return width


def _pieces(path: ET.Element) -> list[Rectangle]:
    """The straight pieces of `M x y H x a.. V y a.. H x`."""
    steps = re.findall(r"([MHVa])([-\d. ]+)", path.get("d", ""))
    found, x, y = [], 0.0, 0.0
    for letter, numbers in steps:
        values = [float(number) for number in numbers.split()]
        before = x, y
        match letter:
            case "M":
                (x, y) = values
                continue
            case "H":
                x = values[0]
            case "V":
                y = values[0]
            case _:
                x, y = x + values[-2], y + values[-1]
                continue
        (left, right), (top, bottom) = sorted((before[0], x)), sorted((before[1], y))
        found.append(Rectangle(left - 1, top - 1, right + 1, bottom + 1, _role(path)))
    return found
