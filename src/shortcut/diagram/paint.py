"""A scene as PNG or PDF, through matplotlib's figures: no pyplot, no global state."""

import io
import unicodedata
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle as CirclePatch
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline
from matplotlib.text import Text as Label

from shortcut.diagram.scene import Arc, Box, Circle, Line, Point, Scene, Text
from shortcut.diagram.theme import Theme
from shortcut.errors import ResourceError
from shortcut.fonts import drawable, families

Form = Literal["png", "pdf"]
SCREEN = 96
"""Pixels of a scene in an inch."""
DENSITY = 2.0
"""Pixels of a PNG for each pixel of the scene."""
LARGEST_PNG = 65_000
"""Pixels. Most programs that show pictures count sides in 16 bits."""
LARGEST_PDF = 14_400
"""Points, of 72 in an inch: the largest page that readers must accept (ISO 32000-1, annex C)."""
KAPPA = 4 / 3 * (np.sqrt(2) - 1)
"""Where the handles of a cubic curve stand that comes within 0.03 % of a quarter of a circle."""


def paint_scene(scene: Scene, theme: Theme, form: Form) -> bytes:
    """The whole file. A PNG has 2 pixels a pixel of the scene; only what would be higher than most
    programs can show has fewer.

    Raises:
        ResourceError: if the scene has Chinese text and no font here has it.
    """
    fonts = families()
    lacking = {letter for x in scene.shapes if isinstance(x, Text) for letter in x.text}
    lacking = {letter for letter in lacking if drawable(letter, fonts) == "□"}
    if any(unicodedata.name(letter, "").startswith("CJK") for letter in lacking):
        raise ResourceError(
            f"no font installed here has Chinese, so no {form.upper()} can be drawn. Install one, "
            "e.g. Noto Sans CJK, or write .svg: there the viewer's fonts are used."
        )
    longest = max(scene.width, scene.height)
    if form == "png":
        scale, dpi = 1.0, min(DENSITY, LARGEST_PNG / longest) * SCREEN
    else:
        scale, dpi = min(1.0, LARGEST_PDF / 72 * SCREEN / longest), 72.0
    figure = Figure(figsize=(scene.width / SCREEN * scale, scene.height / SCREEN * scale), dpi=dpi)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    for shape in scene.shapes:
        if isinstance(shape, Text):
            axes.add_artist(_label(shape, theme, fonts, scale))
        else:
            axes.add_patch(_patch(shape, theme, scale))
    file = io.BytesIO()
    facts = {"Title": scene.title, "Creator": None, "Producer": None, "CreationDate": None}
    only = {"Title": scene.title, "Description": scene.description, "Software": None}
    figure.savefig(file, format=form, dpi=dpi, metadata=facts if form == "pdf" else only)
    return file.getvalue()


def _label(text: Text, theme: Theme, fonts: tuple[str, ...], scale: float) -> Label:
    letter = theme.letters[text.role]
    sides = {"start": "left", "middle": "center", "end": "right"}
    return Label(
        text.x,
        text.y,
        drawable(text.text, fonts),
        color=letter.colour,
        fontsize=letter.size * 72 / SCREEN * scale,
        fontweight="bold" if letter.bold else "normal",
        family=list(fonts),
        ha=sides[text.anchor],
        va="baseline",
        parse_math=False,
    )


def _patch(shape: Box | Line | Arc | Circle, theme: Theme, scale: float) -> Patch:
    paint = theme.paints[shape.role]
    fill, edge = paint.fill or "none", paint.stroke or "none"
    width = paint.width * 72 / SCREEN * scale if paint.stroke else 0.0
    if isinstance(shape, Circle):
        middle = (shape.x, shape.y)
        return CirclePatch(middle, shape.radius, facecolor=fill, edgecolor=edge, linewidth=width)
    # Square corners of a line would stick out of a tip.
    return PathPatch(
        _outline(shape), facecolor=fill, edgecolor=edge, linewidth=width, capstyle="butt"
    )


def _outline(shape: Box | Line | Arc) -> Outline:
    match shape:
        case Line(points, _, closed):
            return Outline([*points, points[0]] if closed else list(points), closed=closed)
        case Arc((x0, y0), (x1, y1), reach, r):
            corners = [(reach, y0), (reach, y1)]
            return _rounded([(x0, y0), *corners, (x1, y1)], r)
        case Box(x, y, width, height, _, radius):
            r = min(radius, width / 2, height / 2)
            left, right, top, bottom = x, x + width, y, y + height
            if not r:
                square = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
                return Outline(square, closed=True)
            # Begun in the middle of a side, so that every corner is one that is turned.
            begin = ((left + right) / 2, top)
            corners = [(right, top), (right, bottom), (left, bottom), (left, top)]
            return _rounded([begin, *corners, begin], r, closed=True)


def _rounded(points: list[Point], radius: float, *, closed: bool = False) -> Outline:
    """Straight pieces through `points`, with the inner ones rounded."""
    vertices: list[Point] = [points[0]]
    codes = [Outline.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        rest = radius * (1 - KAPPA)
        vertices += [start, _towards(corner, before, rest), _towards(corner, after, rest), end]
        codes += [Outline.LINETO, Outline.CURVE4, Outline.CURVE4, Outline.CURVE4]
    vertices.append(points[-1])
    codes.append(Outline.CLOSEPOLY if closed else Outline.LINETO)
    return Outline(vertices, codes)


def _towards(start: Point, end: Point, distance: float) -> Point:
    """The point `distance` from `start` on the way to `end`; the way is level or upright."""
    way = np.subtract(end, start)
    length = float(np.hypot(*way))
    return start[0] + distance * way[0] / length, start[1] + distance * way[1] / length
