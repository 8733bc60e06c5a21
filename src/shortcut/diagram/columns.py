"""Networks as columns: what stands on the same lines in all of them, and how wide each must be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from shortcut.diagram import wording
from shortcut.diagram.blocks import BESIDE, Detail, Entry, Frame, Pen, Piece, Single
from shortcut.diagram.bracket import Bracket, alike, bracket_width, inner_width
from shortcut.diagram.grid import INSET, Grid, pill_width, width_of
from shortcut.diagram.network import Layer, Network, Stage
from shortcut.language import Say

ROW = 13.0
"""Between two pieces of a column; pixels, as all below."""
EDGE = 12.0
"""Above and below the pieces of a band."""
APART = 16.0
"""Between name and settings of a layer."""
PAD = 14.0
"""Between the frame of a block and its layers."""
NEAR = 30.0
"""Between layers and an arc with nothing on it."""
COLOURS = 4
"""Stages with a colour of their own; further ones look like the last."""

Row = tuple[Piece | None, ...]
"""A piece, or none, for each network."""


@dataclass(frozen=True)
class Band:
    """One stage of all networks."""

    name: str
    module: str
    """Name of the module in the networks, where they agree on another."""
    rows: tuple[Row, ...]

    @property
    def heights(self) -> list[float]:
        """Of the rows: each as high as its highest piece."""
        return [max(piece.height for piece in row if piece) for row in self.rows]

    @property
    def height(self) -> float:
        return sum(self.heights) + ROW * (len(self.rows) - 1) + 2 * EDGE


def make_bands(networks: Sequence[Network], detail: Detail, say: Say) -> list[Band]:
    """Stem, stages and head, from top to bottom."""
    full = detail == "layers"
    stem, head = Pen(say, "conv0", full), Pen(say, "head", full, marks=False)
    entries = tuple(Entry(f"{say('input', '输入')} {wording.size(n.input)}") for n in networks)
    bands = [_band("conv1", "", [entries, tuple(_single(n.stem, stem) for n in networks)])]
    inner = [inner_width(network.stages) for network in networks]
    for place in range(max(len(network.stages) for network in networks)):
        stages = [n.stages[place] if place < len(n.stages) else None for n in networks]
        pen = Pen(say, f"conv{min(place + 1, COLOURS)}", full)
        columns = [
            _stage(stage, pen, detail, width) if stage else []
            for stage, width in zip(stages, inner, strict=True)
        ]
        rows: list[Row] = list(zip_longest(*columns))
        if place == 0:
            rows.insert(0, tuple(_single(n.pool, stem) for n in networks))
        names = {stage.name for stage in stages if stage}
        module = names.pop() if len(names) == 1 else ""
        bands.append(_band(wording.stage_name(place), module, rows))
    ends = [[_single((layer,), head) for layer in head.shown(n.head)] for n in networks]
    bands.append(_band(say("head", "输出头"), "", list(zip_longest(*ends))))
    return bands


def make_grid(network: Network, detail: Detail, say: Say, left: float) -> Grid:
    """As narrow as the texts of this network let it be; whole pixels, for sharp edges."""
    blocks = [block for stage in network.stages for block in stage.blocks]
    across = [layer for block in blocks for layer in block.shortcut or ()]
    singles = [*network.stem, *network.pool, *network.head]
    layers = [*singles, *(layer for block in blocks for layer in (*block.branch, *block.after))]
    if detail == "stages":
        layers = singles
    settings = _widest((wording.layer_settings(layer, say) for layer in layers), "settings")
    names = _widest((wording.layer_name(layer, say) for layer in layers), "layer")
    box = left if detail == "stages" else left + PAD
    column = box + INSET + names + APART
    edge = column + settings + INSET
    aside = 0.0
    if detail == "layers":
        edge += 1.25 * APART + _widest((wording.size(x.output) for x in layers), "settings")
    else:
        leaving = [layer.output for layer in singles] + [s.output for s in network.stages]
        aside = BESIDE + max(pill_width(wording.size(shape)) for shape in leaving)
    if detail == "stages":
        edge = max(edge, box + bracket_width(network.stages, say))
        column = edge - INSET - settings
    beyond, width = 0.0, 0.0
    if detail != "stages":
        width = max((_across_width(layer, say) for layer in across), default=0.0)
        residual = any(block.shortcut is not None for block in blocks)
        beyond = PAD + (BESIDE + width if width else NEAR if residual else 0.0)
    return Grid(
        left=round(left),
        box=round(box),
        settings=round(column),
        size=round(edge - INSET),
        edge=round(edge),
        near=round(edge + NEAR),
        far=round(edge + BESIDE + width / 2),
        across=2 * round(width / 2),
        right=round(edge + max(beyond, aside)),
    )


def _band(name: str, module: str, rows: Sequence[Row]) -> Band:
    """Without rows in which nothing stands."""
    return Band(name, module, tuple(row for row in rows if any(row)))


def _single(layers: tuple[Layer, ...], pen: Pen) -> Single | None:
    return Single(layers, pen) if pen.shown(layers) else None


def _stage(stage: Stage, pen: Pen, detail: Detail, inner: float) -> list[Piece]:
    if detail == "stages":
        return [Bracket(part, pen.place, pen.say, inner) for part in alike([stage])]
    if detail == "layers":
        return [Frame((block,), pen) for block in stage.blocks]
    return [Frame(run, pen) for run in stage.runs()]


def _widest(texts: Iterable[str], role: str) -> float:
    return max((width_of(text, role) for text in texts), default=0.0)


def _across_width(layer: Layer, say: Say) -> float:
    name = width_of(wording.layer_name(layer, say), "across")
    return max(name, width_of(wording.layer_settings(layer, say), "settings")) + 2 * INSET
