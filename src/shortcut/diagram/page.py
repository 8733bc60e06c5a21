"""The page: columns side by side, names of stages in the margin, figures and a legend below."""

from collections.abc import Iterator, Sequence

from shortcut.diagram import wording
from shortcut.diagram.blocks import Detail
from shortcut.diagram.columns import EDGE, ROW, Band, make_bands, make_grid
from shortcut.diagram.grid import Grid, middle_line, width_of
from shortcut.diagram.legend import draw_legend, legend_width
from shortcut.diagram.network import Network
from shortcut.diagram.scene import Arc, Box, Line, Scene, Shape, Text
from shortcut.language import Say

MARGIN = 28.0
"""Around the page; pixels, as all below."""
GUTTER = 20.0
"""Between the names in the margin and the first column."""
BETWEEN = 34.0
"""Between two columns."""
HEADING = 58.0
FIGURE = 22.0
"""Height of a row of figures."""
APART = 18.0
"""Above and below the figures."""


def lay_out(networks: Sequence[Network], detail: Detail, say: Say) -> Scene:
    """The whole picture, for at least one network."""
    bands = make_bands(networks, detail, say)
    grids, width = _columns(networks, bands, detail, say)
    shapes: list[Shape] = list(_headings(networks, grids, say))
    tops = [MARGIN + HEADING]
    for place, band in enumerate(bands):
        if place % 2 == 0:
            shapes.append(Box(0, tops[-1], width, band.height, "band"))
        shapes += _draw_band(band, grids, tops[-1])
        tops.append(tops[-1] + band.height)
    for column, grid in enumerate(grids):
        top, bottom = _ends(bands, tops, column)
        shapes.append(Line(((grid.spine, top), (grid.spine, bottom)), "spine"))
    shapes += _figures(networks, grids, tops[-1] + APART, say)
    y = tops[-1] + FIGURE * len(wording.figures(networks[0], say)) + 2 * APART
    shapes.append(Line(((MARGIN, y), (width - MARGIN, y)), "rule"))
    legend, bottom = draw_legend(networks, detail, say, (MARGIN, y + APART, width - MARGIN))
    ground = Box(0, 0, width, round(bottom + MARGIN), "page")
    return Scene(
        width=width,
        height=ground.height,
        title=wording.title(networks, say),
        description=wording.description(networks, say),
        shapes=tuple(sorted([ground, *shapes, *legend], key=_depth)),
    )


def _depth(shape: Shape) -> int:
    """What covers what; of equal depth, shapes do not meet or stand in their order."""
    if isinstance(shape, Text):
        return 5
    if isinstance(shape, Arc) or shape.role in ("spine", "rule"):
        return 3
    return {"page": 0, "band": 1, "frame": 2}.get(shape.role, 4)


def _columns(
    networks: Sequence[Network], bands: Sequence[Band], detail: Detail, say: Say
) -> tuple[list[Grid], float]:
    """The lines of each column, and the width of the page."""
    labels = [width_of(name, "legend") for name, _ in wording.figures(networks[0], say)]
    labels += [width_of(band.name, "stage") for band in bands]
    labels += [width_of(band.module, "module") for band in bands]
    x = MARGIN + max(labels) + GUTTER
    grids: list[Grid] = []
    for network in networks:
        grids.append(make_grid(network, detail, say, x))
        heads = [width_of(network.name, "network"), width_of(_note(network, say), "note")]
        x = max(grids[-1].right, grids[-1].left + max(heads)) + BETWEEN
    right = max(x - BETWEEN, MARGIN + legend_width(networks, detail, say))
    return grids, round(right + MARGIN)


def _note(network: Network, say: Say) -> str:
    return say(", ", "，").join(filter(None, [wording.blocks_line(network, say), network.note]))


def _headings(networks: Sequence[Network], grids: Sequence[Grid], say: Say) -> Iterator[Shape]:
    for network, grid in zip(networks, grids, strict=True):
        yield Text(grid.left, MARGIN + 18, network.name, "network")
        yield Text(grid.left, MARGIN + 39, _note(network, say), "note")


def _draw_band(band: Band, grids: Sequence[Grid], top: float) -> Iterator[Shape]:
    y = top + EDGE
    yield Text(MARGIN, middle_line(y + 11, "stage"), band.name, "stage")
    if band.module:
        yield Text(MARGIN, middle_line(y + 30, "module"), band.module, "module")
    for row, height in zip(band.rows, band.heights, strict=True):
        for piece, grid in zip(row, grids, strict=True):
            if piece:
                yield from piece.draw(grid, y, height)
        y += height + ROW


def _ends(bands: Sequence[Band], tops: Sequence[float], column: int) -> tuple[float, float]:
    """Where the line of a column begins and ends: in its first and in its last piece."""
    places: list[float] = []
    for band, top in zip(bands, tops, strict=False):
        y = top + EDGE
        for row, height in zip(band.rows, band.heights, strict=True):
            if row[column]:
                places += [y + height / 2]
            y += height + ROW
    return places[0], places[-1]


def _figures(
    networks: Sequence[Network], grids: Sequence[Grid], top: float, say: Say
) -> Iterator[Shape]:
    for place, (name, _) in enumerate(wording.figures(networks[0], say)):
        y = top + FIGURE * (place + 0.5)
        yield Text(MARGIN, middle_line(y, "legend"), name, "legend")
        for network, grid in zip(networks, grids, strict=True):
            value = wording.figures(network, say)[place][1]
            yield Text(grid.left, middle_line(y, "figure"), value, "figure")
