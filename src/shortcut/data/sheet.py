"""A sheet of training views, to be looked at: what the recipe makes of some of the pictures."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image

from shortcut.data.loaders import TrainingLoader
from shortcut.data.preprocess import Pixels
from shortcut.data.thumbnails import as_jpeg

ROWS, COLUMNS = 6, 7
TILE, GAP = 112, 4
"""Side of a view on the sheet, and the white between two of them, in pixels."""


def lay_views(loader: TrainingLoader) -> Pixels:
    """A row for each of some pictures, of as many classes as there is room for: first as it is
    measured, then, after a gap, as epochs from the first to the last are to see it, before mixup
    and cutmix. Small views are enlarged pixel by pixel.

    Returns:
        (height, width, 3) uint8.
    """
    chosen, measured = _some_of_each(loader.labels), loader.preprocess
    squares = [measured.middle(measured.fitted(loader.pictures[place])) for place in chosen]
    last = len(loader.sizes) - 1
    epochs = sorted({round(last * step / (COLUMNS - 2)) for step in range(COLUMNS - 1)})
    columns = [squares, *(loader.views(epoch, chosen).cpu().numpy() for epoch in epochs)]
    width, height = (count * (TILE + GAP) + GAP for count in (len(columns), len(chosen)))
    sheet = Image.new("RGB", (width + 2 * GAP, height), "white")
    for across, views in enumerate(columns):
        left = GAP + across * (TILE + GAP) + (2 * GAP if across else 0)
        for down, view in enumerate(views):
            sheet.paste(_tile(view), (left, GAP + down * (TILE + GAP)))
    return np.asarray(sheet)


def _tile(view: Pixels) -> Image.Image:
    method = Image.Resampling.NEAREST if len(view) <= TILE else Image.Resampling.BOX
    return Image.fromarray(view).resize((TILE, TILE), method)


def draw_views(loader: TrainingLoader) -> bytes:
    """`lay_views` as a JPEG."""
    sheet = lay_views(loader)
    return as_jpeg(sheet, max(sheet.shape))


def _some_of_each(labels: Sequence[int]) -> list[int]:
    """Places of `ROWS` pictures or fewer, by their classes: a second of a class only where all have
    a first."""
    seen = Counter[int]()
    ranked: list[tuple[int, int, int]] = []
    for place, label in enumerate(labels):
        if seen[label] < ROWS:
            ranked.append((seen[label], label, place))
            seen[label] += 1
    chosen = sorted(ranked)[:ROWS]
    return [place for _, _, place in sorted(chosen, key=lambda row: row[1])]
