"""Training views: pure functions of (seed, epoch, index), inside the picture, half are flipped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from shortcut.data.augment import (
    CHANGING,
    CUTTING,
    ERASING,
    epoch_draws,
    epoch_order,
    growing_sizes,
    training_views,
)
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.settings import AugmentSettings, NoCrop, ResizedCrop, ShiftCrop

EVALUATION = Preprocess(image_size=16, resize=20)
SIDE = st.integers(1, 2000) | st.sampled_from([1, 2, 3, 1999, 2000])
SEED, EPOCH, INDEX = st.integers(0, 2**63 - 1), st.integers(0, 10_000), st.integers(0, 10**7)
DRAWS = arrays(np.float64, 5, elements=st.floats(0, 1, exclude_max=True))
RESIZED = st.builds(
    ResizedCrop, name=st.just("resized"), smallest=st.floats(0.01, 1), ratio=st.floats(1, 4)
)
CROP = st.builds(NoCrop) | RESIZED
CROP |= st.builds(ShiftCrop, name=st.just("shift"), pad=st.floats(0, 0.5))
AUGMENT = st.builds(AugmentSettings, crop=CROP, flip=st.booleans())


def noise(width: int = 60, height: int = 40) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def ramp(width: int, height: int) -> Pixels:
    """Red grows to the right from 0 to 250, green downwards."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 250, width).round()
    pixels[..., 1] = np.linspace(0, 250, height).round()[:, None]
    return pixels


def training_view(pixels, settings, evaluation, size, draws) -> Pixels:
    return training_views([pixels], settings, evaluation, size, draws[None])[0].numpy()


# Order and size --------------------------------------------------------------------------


@given(count=st.integers(0, 300), seed=SEED, epoch=EPOCH)
def test_an_order_is_a_permutation_and_always_the_same(count, seed, epoch):
    order = epoch_order(count, seed, epoch)
    assert sorted(order) == list(range(count))
    assert epoch_order(count, seed, epoch) == order


def test_orders_differ_by_epoch_and_by_seed():
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_orders_do_not_depend_on_numpys_global_state():
    first = epoch_order(9, 0, 0)
    np.random.default_rng(5).random(100)
    assert epoch_order(9, 0, 0) == first


@given(
    epochs=st.integers(1, 300),
    start=st.integers(8, 300),
    more=st.integers(0, 300),
    growing=st.integers(0, 64).map(lambda part: part / 64),
)
def test_sizes_grow_in_small_steps_to_the_final_one(epochs, start, more, growing):
    final = start + more
    sizes = growing_sizes(epochs, start, final, growing)
    assert len(sizes) == epochs and sizes == sorted(sizes) and sizes[-1] == final
    assert all((size - start) % 8 == 0 or size == final for size in sizes)
    assert sum(size == final for size in sizes) >= int((1 - growing) * epochs)
    if epochs > 1 and growing * epochs > 0:
        assert sizes[0] == start


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_the_last_epoch_sees_the_size_that_is_measured(epochs):
    # `--epochs 2` with the default recipe must not end at a size that evaluation never uses.
    assert growing_sizes(epochs, 64, 128)[-1] == 128


def test_sizes_by_hand():
    assert growing_sizes(8, 64, 96) == [64, 64, 72, 80, 80, 88, 96, 96]
    assert growing_sizes(4, 64, 96, growing=0.0) == [96] * 4
    assert growing_sizes(3, 64, 64) == [64] * 3


# Views -----------------------------------------------------------------------------------


@given(augment=AUGMENT, width=SIDE, height=SIDE, draws=DRAWS, size=st.integers(8, 32))
@settings(max_examples=60)
def test_every_picture_gives_a_view(augment, width, height, draws, size):
    picture = np.full((height, width, 3), 200, np.uint8)
    view = training_view(picture, augment, EVALUATION, size, draws)
    assert view.shape == (size, size, 3) and view.dtype == np.uint8
    if not getattr(augment.crop, "pad", 0):
        assert (view == 200).all()  # nothing but picture


@given(augment=AUGMENT, draws=DRAWS)
@settings(max_examples=40)
def test_a_view_is_a_pure_function_of_its_draws(augment, draws):
    picture = noise()
    first = training_view(picture, augment, EVALUATION, 16, draws).copy()
    training_view(picture, augment, EVALUATION, 16, 1 - draws / 2 - 0.5)
    assert (training_view(picture, augment, EVALUATION, 16, draws) == first).all()
    assert (picture == noise()).all()  # the picture is left as it was


@given(count=st.integers(1, 200), more=st.integers(0, 200), seed=SEED, epoch=EPOCH)
def test_draws_depend_on_seed_epoch_and_index_alone(count, more, seed, epoch):
    draws = epoch_draws(count, seed, epoch)
    assert draws.shape == (count, 5) and (draws >= 0).all() and (draws < 1).all()
    assert (epoch_draws(count + more, seed, epoch)[:count] == draws).all()


def test_each_stream_is_drawn_by_itself():
    streams = (CUTTING, CHANGING, ERASING)
    draws = np.hstack([epoch_draws(2000, 0, 0, stream) for stream in streams])
    assert draws.shape == (2000, 5 + 4 + 5)
    related = np.abs(np.corrcoef(draws.T) - np.eye(14))
    assert related.max() < 0.1  # 0.022 is one deviation


def test_what_was_drawn_before_views_could_be_changed_is_drawn_still():
    # Else a training that began with an older version would not go on as it was.
    before = np.random.default_rng((3, 8, 2)).random((40, 5))
    assert (epoch_draws(40, 3, 8) == before).all()


def test_draws_differ_by_each_number_and_are_not_the_orders():
    rows = {
        epoch_draws(6, seed, epoch)[i].tobytes()
        for seed in (0, 1, 2)
        for epoch in (0, 1, 2)
        for i in range(6)
    }
    assert len(rows) == 3 * 3 * 6
    order_stream = np.random.default_rng((0, 0)).random((6, 5))
    assert not (epoch_draws(6, 0, 0) == order_stream).any()


@pytest.mark.parametrize("position", range(5))
def test_each_draw_matters(position):
    picture, views = noise(90, 80), set()
    for value in (0.1, 0.3, 0.6, 0.9):
        draws = np.full(5, 0.3)
        draws[position] = value
        views.add(training_view(picture, AugmentSettings(), EVALUATION, 16, draws).tobytes())
    assert len(views) == (2 if position == 4 else 4)  # mirrored or not


def test_about_half_of_the_views_are_mirrored():
    flips = AugmentSettings(crop=NoCrop(), flip=True)
    picture = noise()
    straight = EVALUATION(Image.fromarray(picture))
    draws = epoch_draws(400, 0, 0)
    mirrored = 0
    for index in range(400):
        view = training_view(picture, flips, EVALUATION, 16, draws[index])
        assert (view == straight).all() or (view == straight[:, ::-1]).all()
        mirrored += not (view == straight).all()
    assert 160 < mirrored < 240  # four standard deviations


def test_without_flip_and_crop_a_view_is_evaluations():
    still = AugmentSettings(crop=NoCrop(), flip=False)
    for width, height in ((60, 40), (300, 200), (10, 12)):
        picture = noise(width, height)
        view = training_view(picture, still, EVALUATION, 16, np.full(5, 0.3))
        assert (view == EVALUATION(Image.fromarray(picture))).all()


def test_a_shift_reaches_every_edge_and_no_further():
    shift = AugmentSettings(crop=ShiftCrop(name="shift"), flip=False)
    draws = epoch_draws(300, 0, 0)
    views = [training_view(ramp(60, 20), shift, EVALUATION, 16, row) for row in draws]
    red, green = np.array([[v[..., 0].mean(), v[..., 1].mean()] for v in views]).T
    slope = 250 / 59
    assert red.min() == pytest.approx(7.5 * slope, abs=slope)
    assert red.max() == pytest.approx(51.5 * slope, abs=slope)
    assert green.min() < 110 and green.max() > 140


def test_the_border_of_a_shift_is_black():
    shift = AugmentSettings(crop=ShiftCrop(name="shift", pad=0.5), flip=False)
    white = np.full((20, 20, 3), 255, np.uint8)
    views = [training_view(white, shift, EVALUATION, 16, row) for row in epoch_draws(50, 0, 0)]
    assert any((view[0] == 0).all() for view in views)
    assert all((view[8:-8, 8:-8] == 255).all() for view in views)


def test_resized_parts_keep_to_their_share_and_proportion():
    crop = AugmentSettings(crop=ResizedCrop(name="resized", smallest=0.25, ratio=2.0), flip=False)
    shares, ratios = [], []
    for draws in epoch_draws(200, 0, 0):
        view = training_view(ramp(250, 250), crop, EVALUATION, 64, draws).astype(float)
        # A view spans 63 of its 64 pixels from first to last middle.
        width = (view[:, -1, 0].mean() - view[:, 0, 0].mean()) / 250 * 64 / 63
        height = (view[-1, :, 1].mean() - view[0, :, 1].mean()) / 250 * 64 / 63
        shares.append(width * height)
        ratios.append(width / height)
    assert 0.22 < min(shares) < 0.35 and 0.9 < max(shares) < 1.05
    assert 0.45 < min(ratios) < 0.7 and 1.4 < max(ratios) < 2.2
