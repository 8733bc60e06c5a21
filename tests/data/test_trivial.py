"""TrivialAugment: torchvision's ways, by as much as it, to the last bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from torchvision.transforms.v2 import TrivialAugmentWide

from shortcut.data.augment import CHANGING, epoch_draws
from shortcut.data.preprocess import Pixels
from shortcut.data.trivial import STRENGTHS, WAYS, change_trivially, change_views

BEFORE_ONE = np.nextafter(1.0, 0.0)
DRAW = st.floats(0, 1, exclude_max=True)
NAMES = [
    *("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness"),
    *("Color", "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize"),
]


def noise(side: int) -> Pixels:
    """Not all bytes are there, so that contrast has something to stretch."""
    return np.random.default_rng(1).integers(40, 200, (side, side, 3), np.uint8)


def torchvisions(view: Pixels, way: int, strength: int, negative: bool) -> Pixels:
    """What `TrivialAugmentWide` makes of it where its generator says so."""
    ours = TrivialAugmentWide(num_magnitude_bins=STRENGTHS)
    amounts, signed = ours._AUGMENTATION_SPACE[NAMES[way]]
    found = amounts(STRENGTHS, *view.shape[:2])
    amount = 0.0 if found is None else float(found[strength])
    amount = -amount if signed and negative else amount
    image = Image.fromarray(view)
    changed = ours._apply_image_or_video_transform(
        image, NAMES[way], amount, interpolation=ours.interpolation, fill=ours._fill
    )
    return np.asarray(changed)


def draws_for(way: int, strength: int, negative: bool) -> list[float]:
    return [(way + 0.5) / len(WAYS), (strength + 0.5) / STRENGTHS, 0.25 if negative else 0.75]


def test_the_ways_are_torchvisions_in_its_order():
    assert list(TrivialAugmentWide._AUGMENTATION_SPACE) == NAMES
    assert [way.name.replace(" ", "") for way in WAYS] == [name.lower() for name in NAMES]
    # Those that torchvision gives a sign.
    signs = [signed for _, signed in TrivialAugmentWide._AUGMENTATION_SPACE.values()]
    assert [way.signed for way in WAYS] == signs


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("way", range(len(WAYS)), ids=NAMES)
def test_a_view_of_224_is_changed_as_torchvision_changes_it(way, negative):
    view = noise(224)
    for strength in (0, 1, 7, 15, 22, 29, 30):
        expected = torchvisions(view, way, strength, negative)
        found = change_trivially(view, draws_for(way, strength, negative))
        assert (found == expected).all(), strength


@given(side=st.integers(1, 70), draws=arrays(np.float64, 3, elements=DRAW))
@settings(max_examples=80)
def test_views_of_any_size_are_changed_and_left_as_they_are(side, draws):
    view = noise(side)
    changed = change_trivially(view, draws)
    assert changed.shape == view.shape and changed.dtype == np.uint8
    assert (view == noise(side)).all()
    assert (change_trivially(view, draws) == changed).all()


@pytest.mark.parametrize("side", [32, 64, 128])
def test_small_views_are_shifted_by_a_seventh_of_a_side_at_most(side):
    white = np.full((side, side, 3), 255, np.uint8)
    for way, name in enumerate(NAMES):
        if name.startswith("Translate"):
            changed = change_trivially(white, [(way + 0.5) / len(WAYS), BEFORE_ONE, 0.75])
            assert (changed == 0).mean() == pytest.approx(int(side * 32 / 224) / side)


def test_the_highest_draws_are_the_last_way_and_the_greatest_strength():
    view = noise(20)
    last = change_trivially(view, [BEFORE_ONE, 0.0, 0.0])
    assert (last == torchvisions(view, len(WAYS) - 1, 0, negative=False)).all()
    darkest = change_trivially(view, [(NAMES.index("Brightness") + 0.5) / 14, BEFORE_ONE, 0.0])
    assert darkest.max() == 1  # a hundredth of 199, as 0.99 of it is gone


def test_nothing_of_it_comes_from_a_generator_that_others_use():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - the one that must not matter
    before = torch.get_rng_state()
    change_trivially(noise(30), [0.6, 0.6, 0.6])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_so_many_views_are_changed_in_place_and_the_others_are_left(share):
    views = torch.from_numpy(np.stack([noise(16)] * 300))
    draws = epoch_draws(300, 0, 0, CHANGING)
    change_views(views, share, draws)
    changed = draws[:, 0] < share
    assert changed.mean() == pytest.approx(share, abs=0.08)
    for view, row in zip(views[changed].numpy(), draws[changed], strict=True):
        assert (view == change_trivially(noise(16), row[1:])).all()
    assert (views[~changed].numpy() == noise(16)).all()
