"""Random erasing: one rectangle inside the view, of the paper's areas, in the colour asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torchvision.transforms.v2 import RandomErasing

from shortcut.data.augment import ERASING, epoch_draws
from shortcut.data.erasing import erase
from shortcut.data.preprocess import IMAGENET_MEAN

PAINT = torch.tensor([124, 116, 104], dtype=torch.uint8)  # 255 times ImageNet's mean
ROWS = arrays(np.float64, (3, 5), elements=st.floats(0, 1, exclude_max=True))


def white(count: int, size: int) -> Tensor:
    return torch.full((count, size, size, 3), 255, dtype=torch.uint8)


def erased(views: Tensor, share: float, draws) -> np.ndarray:
    """(N, size, size) bool: what is painted over; everything else must still be white."""
    after = erase(views, share, IMAGENET_MEAN, draws)
    painted = (after == PAINT).all(3)
    assert ((after == 255).all(3) | painted).all()
    return painted.numpy()


@given(draws=ROWS, size=st.integers(1, 40), share=st.floats(0, 1))
@settings(max_examples=150)
def test_what_is_erased_is_a_rectangle_that_leaves_a_row_and_a_column(draws, size, share):
    for painted, row in zip(erased(white(3, size), share, draws), draws, strict=True):
        rows, columns = painted.any(1), painted.any(0)
        assert (painted == np.outer(rows, columns)).all()
        for line in (rows, columns):
            found = np.flatnonzero(line)
            assert len(found) < size or not len(found)
            assert len(found) == 0 or found[-1] - found[0] + 1 == len(found)
        assert row[0] < share or not painted.any()


def test_areas_and_proportions_are_torchvisions():
    size, usual = 200, RandomErasing()
    (smallest, largest), (flat, tall) = usual.scale, usual.ratio
    painted = erased(white(400, size), 1.0, epoch_draws(400, 0, 0, ERASING))
    height, width = painted.any(2).sum(1), painted.any(1).sum(1)
    area, ratio = height * width / size**2, height / width
    inside = (height < size - 1) & (width < size - 1)  # not trimmed
    assert inside.mean() > 0.9
    assert area[inside].min() > smallest * 0.95 and area.max() < largest * 1.02
    assert area.mean() == pytest.approx((smallest + largest) / 2, abs=0.015)
    assert ratio[inside].min() > flat * 0.95 and ratio[inside].max() < tall * 1.05
    assert ratio.min() < flat * 1.15 and ratio.max() > tall * 0.85
    assert np.median(ratio) == pytest.approx(1, abs=0.15)


def test_a_rectangle_may_lie_anywhere():
    painted = erased(white(2000, 16), 1.0, epoch_draws(2000, 0, 0, ERASING))
    often = painted.mean(0)
    assert often.min() > 0.005  # corners too: about one of a hundred
    assert np.allclose(often, often[::-1], atol=0.06) and np.allclose(often, often.T, atol=0.06)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_so_many_views_are_erased(share):
    draws = epoch_draws(1000, 0, 0, ERASING)
    touched = erased(white(1000, 32), share, draws).any((1, 2))
    assert (touched == (draws[:, 0] < share)).all()
    assert touched.mean() == pytest.approx(share, abs=0.04)


def test_a_view_does_not_depend_on_its_company():
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), np.uint8))
    draws = epoch_draws(6, 0, 0, ERASING)
    whole = erase(noise, 0.8, IMAGENET_MEAN, draws)
    chosen = [4, 1]
    assert torch.equal(erase(noise[chosen], 0.8, IMAGENET_MEAN, draws[chosen]), whole[chosen])


def test_what_was_given_is_left_as_it_was():
    views = white(5, 30)
    erase(views, 1.0, IMAGENET_MEAN, epoch_draws(5, 0, 0, ERASING))
    assert (views == 255).all()
