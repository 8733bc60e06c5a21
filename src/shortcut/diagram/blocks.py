"""The pieces of a column: layers on their own, blocks in frames, whole stages in brackets.

Each piece knows its height before it is drawn, so that the page can give all columns equal rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from shortcut.diagram import wording
from shortcut.diagram.grid import (
    INSET,
    LAYER,
    PILL,
    PLUS,
    THIN,
    Grid,
    addition,
    arrow_tip,
    arrow_tip_left,
    middle_line,
    pill,
    pill_width,
    width_of,
)
from shortcut.diagram.network import Block, Change, Layer
from shortcut.diagram.scene import Arc, Box, Circle, Shape, Text
from shortcut.language import Say
from shortcut.models.tracing import Shape as Size

Detail = Literal["stages", "blocks", "layers"]
HEAD = 20.0
"""Of a frame, above its first layer: name, and where the arc begins."""
GAP = 7.0
"""Between two layers with windows."""
TIGHT = 5.0
"""Between a layer and the norm or ReLU that belongs to it."""
ROUND = 14.0
"""Radius of an arc's corners."""
BESIDE = 16.0
"""Between layers and what stands on an arc."""
CARD = 2.5
"""By how much a frame that stands for several shows the next one behind it."""
THIN_KINDS = ("norm", "relu", "other")


@dataclass(frozen=True)
class Pen:
    """How layers are drawn at one place."""

    say: Say
    place: str
    """Role of their boxes where nothing is marked."""
    in_full: bool
    """With norms, ReLUs and the size that leaves each layer."""
    marks: bool = True
    """Down-sampling is marked: everywhere but in the head."""

    def shown(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """Those that are drawn."""
        return tuple(x for x in layers if self.in_full or x.kind not in ("norm", "relu"))


class Piece(Protocol):
    """What can stand in a row of the page."""

    @property
    def height(self) -> float:
        """At least; a row may give more."""
        ...

    def draw(self, grid: Grid, top: float, height: float) -> Iterator[Shape]:
        """Its shapes, from `top` down over `height`."""
        ...


@dataclass(frozen=True)
class Entry:
    """What comes in."""

    text: str

    @property
    def height(self) -> float:
        return PILL

    def draw(self, grid: Grid, top: float, height: float) -> Iterator[Shape]:
        yield from pill(grid.spine, top + PILL / 2, self.text)


@dataclass(frozen=True)
class Single:
    """Layers outside of blocks, with the size that leaves them beside the last."""

    layers: tuple[Layer, ...]
    pen: Pen

    @property
    def height(self) -> float:
        return _stack_height(self.pen.shown(self.layers))

    def draw(self, grid: Grid, top: float, height: float) -> Iterator[Shape]:
        shown = self.pen.shown(self.layers)
        yield from _stack(shown, grid, top, self.pen)
        if not self.pen.in_full:
            last = shown[-1]
            shrinks = self.pen.marks and last.change == "size"
            y = top + self.height - _row_height(last) / 2
            yield from beside(grid, y, last.output, "size" if shrinks else "none")


@dataclass(frozen=True)
class Frame:
    """A block, or equal blocks in a row drawn once."""

    blocks: tuple[Block, ...]
    pen: Pen

    @property
    def foot(self) -> float:
        """From the last layer of the branch to the bottom."""
        block = self.blocks[0]
        plus = 2 * PLUS + GAP if block.shortcut is not None else 0.0
        after = self.pen.shown(block.after)
        return plus + (_stack_height(after) + GAP if after else 0.0) + GAP + PILL / 2

    @property
    def height(self) -> float:
        branch = _stack_height(self.pen.shown(self.blocks[0].branch))
        return HEAD + branch + self.foot + PILL / 2

    def draw(self, grid: Grid, top: float, height: float) -> Iterator[Shape]:
        block, count, pen = self.blocks[0], len(self.blocks), self.pen
        bottom = top + height - PILL / 2
        width = grid.right - grid.left
        for shift in (2 * CARD, CARD, 0.0) if count > 1 else (0.0,):
            yield Box(grid.left + shift, top - shift, width, bottom - top, "frame", 10)
        name = wording.run_name([b.name for b in self.blocks])
        yield Text(grid.box, middle_line(top + HEAD / 2, "block"), name, "block")
        yield from _stack(pen.shown(block.branch), grid, top + HEAD, pen, height - self.height)
        y = bottom - self.foot + GAP
        if block.shortcut is not None:
            yield from self._shortcut(block.shortcut, grid, top + HEAD / 2, y + PLUS)
            y += 2 * PLUS + GAP
        yield from _stack(pen.shown(block.after), grid, y, pen)
        yield from pill(grid.spine, bottom, wording.size(block.output), block.change)
        if count > 1:
            yield from _badge(grid.right - 4, top, f"× {count}")

    def _shortcut(
        self, layers: tuple[Layer, ...], grid: Grid, start: float, end: float
    ) -> Iterator[Shape]:
        change, x, shown = self.blocks[0].change, grid.spine, self.pen.shown(layers)
        lane = grid.far if shown else grid.near
        yield Circle(x, start, 3, "dot")
        yield Arc((x, start), (x + PLUS + 3, end), lane, ROUND, f"arc-{change}")
        yield arrow_tip_left(x + PLUS + 1, end, f"tip-{change}")
        yield from addition(x, end)
        heights = [_across_height(layer) for layer in shown]
        y = (start + end) / 2 - (sum(heights) + TIGHT * (len(heights) - 1)) / 2
        for layer, height in zip(shown, heights, strict=True):
            yield from _across(layer, grid, y, change, self.pen.say)
            y += height + TIGHT


def beside(grid: Grid, y: float, size: Size, change: Change) -> Iterator[Shape]:
    """What leaves a layer, to the right of it."""
    text = wording.size(size)
    yield from pill(grid.edge + BESIDE + pill_width(text) / 2, y, text, change)


def _badge(right: float, y: float, text: str) -> Iterator[Shape]:
    width = width_of(text, "badge") + 2 * 8
    yield Box(right - width, y - 10, width, 20, "badge", 10)
    yield Text(right - width / 2, middle_line(y, "badge"), text, "badge", "middle")


def _row_height(layer: Layer) -> float:
    return THIN if layer.kind in THIN_KINDS else LAYER


def _gap(layer: Layer) -> float:
    """Above a layer that is not the first."""
    return TIGHT if layer.kind in THIN_KINDS else GAP


def _stack_height(layers: Sequence[Layer]) -> float:
    return sum(map(_row_height, layers)) + sum(map(_gap, layers[1:]))


def _stack(
    layers: Sequence[Layer], grid: Grid, top: float, pen: Pen, spare: float = 0.0
) -> Iterator[Shape]:
    """Layers below each other; `spare` is shared out above and below those with windows."""
    wide = [layer for layer in layers[1:] if layer.kind not in THIN_KINDS]
    extra = spare / (len(wide) + 2)
    y = top + extra
    for i, layer in enumerate(layers):
        if i:
            y += _gap(layer) + (0.0 if layer.kind in THIN_KINDS else extra)
        yield from _layer(layer, grid, y, pen)
        y += _row_height(layer)


def _layer(layer: Layer, grid: Grid, y: float, pen: Pen) -> Iterator[Shape]:
    name, width = wording.layer_name(layer, pen.say), grid.edge - grid.box
    if layer.kind in THIN_KINDS:
        yield Box(grid.box, y, width, THIN, "thin", 4)
        yield Text(grid.box + INSET, middle_line(y + THIN / 2, "thin"), name, "thin")
        return
    strided = pen.marks and layer.change == "size"
    role = "conv-size" if strided else "pool" if layer.kind == "maxpool" else pen.place
    look = "settings-size" if strided else "settings"
    centre = y + LAYER / 2
    yield Box(grid.box, y, width, LAYER, role, 5)
    yield arrow_tip(grid.spine, y)
    yield Text(grid.box + INSET, middle_line(centre, "layer"), name, "layer")
    settings = wording.layer_settings(layer, pen.say)
    if settings:
        yield Text(grid.settings, middle_line(centre, look), settings, look)
    if pen.in_full:
        text = wording.size(layer.output)
        yield Text(grid.size, middle_line(centre, look), text, look, "end")


def _across_height(layer: Layer) -> float:
    return THIN if layer.kind in THIN_KINDS else 2 * THIN + 2


def _across(layer: Layer, grid: Grid, y: float, change: Change, say: Say) -> Iterator[Shape]:
    """A layer on the shortcut: its settings stand below its name."""
    x, name = grid.far, wording.layer_name(layer, say)
    left, height = x - grid.across / 2, _across_height(layer)
    if layer.kind in THIN_KINDS:
        yield Box(left, y, grid.across, height, "thin", 4)
        yield Text(x, middle_line(y + height / 2, "thin"), name, "thin", "middle")
        return
    look = "settings-size" if change == "size" else "settings"
    yield Box(left, y, grid.across, height, f"across-{change}", 5)
    yield Text(x, middle_line(y + height * 0.3, "across"), name, "across", "middle")
    settings = wording.layer_settings(layer, say)
    yield Text(x, middle_line(y + height * 0.72, look), settings, look, "middle")
