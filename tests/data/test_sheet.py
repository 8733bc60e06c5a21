"""The sheet of training views: what is measured, then exactly what epochs see."""

import io

import numpy as np
import pytest
from PIL import Image

from shortcut.data.cache import InMemory
from shortcut.data.loaders import TrainingLoader
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.data.sheet import COLUMNS, GAP, ROWS, TILE, draw_views, lay_views
from shortcut.settings import AugmentSettings, NoCrop

EVALUATION = Preprocess(image_size=28, resize=32)
CHANGING = AugmentSettings(trivial_augment=1.0, random_erasing=0.5)
STILL = AugmentSettings(crop=NoCrop(), flip=False)


def loader(labels: list[int], augment: AugmentSettings, sizes: list[int]) -> TrainingLoader:
    """Pictures of noise, each brighter than the one before."""
    noise = np.random.default_rng(0)
    bright = np.linspace(20, 235, len(labels))
    pictures = [noise.integers(0, 20, (40, 50, 3)) + int(level) for level in bright]
    kept = InMemory([picture.astype(np.uint8) for picture in pictures])
    return TrainingLoader(kept, labels, augment, EVALUATION, 4, sizes, seed=3, threads=1)


def tiles(sheet: Pixels, rows: int, columns: int) -> list[list[Pixels]]:
    """Its views; everything between them must be white."""
    pixels = sheet.copy()
    assert pixels.shape[0] == GAP + rows * (TILE + GAP)
    assert pixels.shape[1] == GAP + columns * (TILE + GAP) + 2 * GAP
    found: list[list[Pixels]] = []
    for down in range(rows):
        top = GAP + down * (TILE + GAP)
        lefts = [GAP + c * (TILE + GAP) + (2 * GAP if c else 0) for c in range(columns)]
        found.append([pixels[top : top + TILE, left : left + TILE].copy() for left in lefts])
        for left in lefts:
            pixels[top : top + TILE, left : left + TILE] = 255
    assert (pixels == 255).all()
    return found


def enlarged(view: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(view).resize((TILE, TILE), Image.Resampling.NEAREST))


def test_a_row_is_what_is_measured_and_then_what_epochs_see():
    labels, sizes = [0, 1, 0, 1, 0, 1], [16, 16, 20, 24, 24, 28, 28, 28, 28, 28, 28]
    given = loader(labels, CHANGING, sizes)
    chosen = [0, 2, 4, 1, 3, 5]  # by their classes
    for row, place in zip(tiles(lay_views(given), 6, 7), chosen, strict=True):
        measured = EVALUATION(Image.fromarray(given.pictures[place]))
        assert (row[0] == enlarged(measured)).all()
        for tile, epoch in zip(row[1:], (0, 2, 4, 6, 8, 10), strict=True):
            (view,) = given.views(epoch, [place])
            assert (tile == enlarged(view.numpy())).all()


def test_views_are_those_that_batches_are_made_of():
    given = loader([0, 1] * 5, CHANGING, [16, 24])
    for epoch in (0, 1):
        for batch in given.epoch(epoch):
            assert (given.views(epoch, batch.indices) == batch.images).all()


def test_a_recipe_that_changes_nothing_shows_it():
    for row in tiles(lay_views(loader([0, 1], STILL, [28] * 9)), 2, COLUMNS):
        assert all((tile == row[0]).all() for tile in row)


@pytest.mark.parametrize(("epochs", "columns"), [(1, 2), (2, 3), (5, 6), (6, 7), (40, 7)])
def test_few_epochs_are_shown_once_each(epochs, columns):
    tiles(lay_views(loader([0, 1], CHANGING, [28] * epochs)), 2, columns)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 1, 2, 3, 4, 9]),
        ([5, 4, 3, 2, 1, 0, 0, 0], [5, 4, 3, 2, 1, 0]),
        (list(range(9)), [0, 1, 2, 3, 4, 5]),
        ([0], [0]),
    ],
    ids=["a rare class", "one of each", "more classes than rows", "one picture"],
)
def test_pictures_of_as_many_classes_as_there_is_room_for(labels, expected):
    given = loader(labels, STILL, [28])
    rows = tiles(lay_views(given), min(ROWS, len(labels)), 2)
    for row, place in zip(rows, expected, strict=True):
        assert (row[0] == enlarged(EVALUATION(Image.fromarray(given.pictures[place])))).all()


def test_what_is_written_is_the_sheet():
    given = loader([0, 1], CHANGING, [16, 28])
    written = np.asarray(Image.open(io.BytesIO(draw_views(given))))
    sheet = lay_views(given)
    assert written.shape == sheet.shape
    assert np.abs(written.astype(float) - sheet).mean() < 6  # a JPEG


@pytest.mark.parametrize("size", [128, 224])
def test_large_views_are_made_small_without_losing_lines(size):
    stripes = np.zeros((size, size, 3), np.uint8)
    stripes[::2] = 255
    evaluation = Preprocess(image_size=size, resize=size)
    given = TrainingLoader(
        InMemory([stripes]), [0], STILL, evaluation, 4, [size], seed=3, threads=1
    )
    for tile in tiles(lay_views(given), 1, 2)[0]:
        assert tile.mean() == pytest.approx(127.5, abs=2)
