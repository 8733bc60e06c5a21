"""Mixup and cutmix: labels and share are what the pixels say."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shortcut.data.mixing import Mixed, mix
from shortcut.settings import AugmentSettings

ALPHA = st.floats(0.05, 20)
KEY = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 1000), st.integers(0, 10**6))


def batch(count: int, side: int = 8) -> tuple[Tensor, Tensor]:
    """Each picture is one even value, 0 to count - 1, and so is its label."""
    values = torch.arange(count, dtype=torch.float32)
    images = values.view(-1, 1, 1, 1).expand(count, 3, side, side).contiguous()
    return images, torch.arange(count)


def blended(mixed: Mixed) -> Tensor:
    """The mean pixel that labels, others and share promise."""
    return mixed.share * mixed.labels + (1 - mixed.share) * mixed.others


def test_off_is_the_identity():
    images, labels = batch(4)
    mixed = mix(images, labels, AugmentSettings(), (0, 0, 0))
    assert mixed.images is images and mixed.labels is labels and mixed.others is labels
    assert mixed.share == 1


@given(alpha=ALPHA, key=KEY, count=st.integers(1, 6))
@settings(max_examples=50)
def test_mixup_blends_whole_pictures(alpha, key, count):
    images, labels = batch(count)
    mixed = mix(images, labels, AugmentSettings(mixup=alpha), key)
    assert 0.5 <= mixed.share <= 1
    assert mixed.labels.equal(labels)
    expected = blended(mixed).view(-1, 1, 1, 1).expand_as(images)
    torch.testing.assert_close(mixed.images, expected.float(), atol=1e-5, rtol=1e-5)


@given(alpha=ALPHA, key=KEY, count=st.integers(1, 6), side=st.integers(8, 40))
@settings(max_examples=50)
def test_cutmix_pastes_a_box_whose_area_is_the_share(alpha, key, count, side):
    images, labels = batch(count, side)
    mixed = mix(images, labels, AugmentSettings(cutmix=alpha), key)
    assert mixed.labels.equal(labels)
    own = mixed.images == labels.view(-1, 1, 1, 1)
    other = mixed.images == mixed.others.view(-1, 1, 1, 1)
    assert bool((own | other).all())
    torch.testing.assert_close(
        mixed.images.mean((1, 2, 3)), blended(mixed).float(), atol=1e-5, rtol=1e-5
    )
    pasted = ~own[0, 0]
    if count > 1 and bool(pasted.any()):
        rows, columns = pasted.any(1).sum(), pasted.any(0).sum()
        assert int(pasted.sum()) == int(rows * columns)  # one rectangle
        assert mixed.share == pytest.approx(1 - int(pasted.sum()) / side**2)
        assert torch.equal(own[0], own[-1])  # the same one in every picture


@pytest.mark.parametrize("side", [8, 9, 16, 33, 128])
def test_the_first_label_is_that_of_the_larger_part(side):
    images, labels = batch(2, side)
    equal_parts = AugmentSettings(cutmix=1e6)  # this alpha draws shares of almost one half
    for step in range(30):
        assert mix(images, labels, equal_parts, (0, 0, step)).share >= 0.5


@given(key=KEY)
@settings(max_examples=20)
def test_mixing_is_a_pure_function_of_its_key(key):
    images, labels = torch.rand(4, 3, 8, 8), torch.arange(4)
    before = images.clone()
    asked = AugmentSettings(mixup=0.4, cutmix=1.0)
    first = mix(images, labels, asked, key)
    torch.rand(9)
    second = mix(images, labels, asked, key)
    assert torch.equal(first.images, second.images) and first.share == second.share
    assert torch.equal(images, before)


def test_with_both_each_takes_about_half():
    images, labels = batch(2, 16)
    asked = AugmentSettings(mixup=1.0, cutmix=1.0)
    whole = 0
    for step in range(200):
        mixed = mix(images, labels, asked, (0, 0, step))
        whole += bool((mixed.images[0] == mixed.images[0, 0, 0, 0]).all())
    assert 70 < whole < 130


def test_steps_differ():
    images, labels = batch(2)
    shares = {mix(images, labels, AugmentSettings(mixup=1.0), (0, 0, s)).share for s in range(20)}
    assert len(shares) == 20
