"""First filters out of patches: what they answer is uncorrelated, and the same wherever it is
computed."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcut.data.patches import principal_filters
from shortcut.data.preprocess import IMAGENET_STD, Pixels


def landscape(side: int, seed: int) -> Pixels:
    """Random, but neighbours are alike, as in photos."""
    noise = np.random.default_rng(seed).normal(128, 400, (side + 8, side + 8, 3))
    smooth = sum(noise[y : y + side, x : x + side] for y in range(8) for x in range(8)) / 64
    return np.clip(smooth + noise[:side, :side] / 40, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("kernel", "count"), [(7, 32), (3, 16)])
def test_answers_to_the_patches_themselves_are_uncorrelated(kernel: int, count: int) -> None:
    """And their variances fall: with norms that follow it is a whitening."""
    pictures = [landscape(56, seed) for seed in range(40)]
    filters = torch.from_numpy(principal_filters(pictures, count, kernel, IMAGENET_STD))
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).double() / 255
    images /= torch.tensor(IMAGENET_STD)[:, None, None]
    answers = F.conv2d(images, filters[: count // 2].double(), stride=kernel)
    table = torch.cov(answers.transpose(0, 1).flatten(1))
    variances = table.diagonal()
    assert (variances.diff() <= 1e-9).all()
    correlations = table / (variances[:, None] * variances).sqrt()
    torch.testing.assert_close(
        correlations, torch.eye(count // 2, dtype=torch.float64), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("count", [2, 15, 32])
def test_they_are_of_length_one_and_come_with_their_negatives(count: int) -> None:
    filters = principal_filters([landscape(40, 0)], count, 5, IMAGENET_STD)
    assert filters.shape == (count, 3, 5, 5) and filters.dtype == np.float32
    half = -(-count // 2)
    rows = filters.reshape(count, -1)
    np.testing.assert_array_equal(rows[half:], -rows[: count - half])
    np.testing.assert_allclose(rows[:half] @ rows[:half].T, np.eye(half), atol=1e-6)
    assert (rows[:half].max(1) > -rows[:half].min(1)).all()


def test_there_are_no_more_than_a_patch_has_numbers_and_their_negatives() -> None:
    assert principal_filters([landscape(40, 0)], 64, 3, IMAGENET_STD).shape == (54, 3, 3, 3)


@given(st.permutations(range(6)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_pictures_does_not_count(order: list[int]) -> None:
    """Not to a bit: nor does who adds them."""
    pictures = [landscape(30, seed) for seed in range(6)]
    expected = principal_filters(pictures, 8, 3, IMAGENET_STD)
    shuffled = principal_filters((pictures[index] for index in order), 8, 3, IMAGENET_STD)
    np.testing.assert_array_equal(shuffled, expected)


@pytest.mark.parametrize("value", [0, 255])
def test_pictures_of_one_colour_give_filters_all_the_same(value: int) -> None:
    plain = np.full((16, 16, 3), value, np.uint8)
    filters = principal_filters([plain], 32, 7, IMAGENET_STD)
    assert np.isfinite(filters).all()
    np.testing.assert_allclose(np.linalg.norm(filters.reshape(32, -1), axis=1), 1, rtol=1e-5)
