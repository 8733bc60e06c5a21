"""The one way into the network: sizes, the middle, and one way only for every door."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shortcut.data.cache import InMemory, Undecoded, shrunk
from shortcut.data.decode import decode_picture
from shortcut.data.preprocess import Preprocess, resize_short

SIDES = st.integers(1, 400)
PREPROCESS = Preprocess(image_size=24, resize=28)
SHAPES = {
    "big": (640, 480),
    "big upright": (333, 501),
    "just right": (28, 40),
    "one more": (29, 29),
    "small": (20, 25),
    "tiny": (3, 2),
    "dot": (1, 1),
    "long": (900, 60),
    "tall": (40, 1700),
    "strip": (1, 2000),
    "four to one": (400, 100),
    "hardly over": (401, 100),
}


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@given(width=SIDES, height=SIDES, side=st.integers(8, 64))
def test_the_short_side_is_the_one_asked_for(width, height, side):
    found = resize_short(Image.new("RGB", (width, height)), side)
    assert min(found.size) == side
    assert max(found.size) <= 4 * side
    ratio = min(max(width, height) / min(width, height), 4)
    assert abs(max(found.size) - ratio * side) <= 0.5 + 1e-9
    assert (found.width > found.height) <= (width > height)


@given(width=SIDES, height=SIDES, side=st.integers(8, 64))
def test_resizing_a_resized_picture_changes_nothing(width, height, side):
    once = resize_short(noise(width, height), side)
    assert resize_short(once, side) is once


@given(width=SIDES, height=SIDES)
def test_every_picture_becomes_the_square(width, height):
    pixels = PREPROCESS(noise(width, height))
    assert pixels.shape == (24, 24, 3)
    assert pixels.dtype == np.uint8


def test_pictures_of_the_right_size_keep_their_pixels():
    picture = noise(28, 40)
    pixels = np.asarray(picture)
    assert PREPROCESS.fitted(pixels) is pixels
    expected = np.asarray(picture)[8:32, 2:26]
    assert (PREPROCESS(picture) == expected).all()


def test_without_a_margin_the_whole_square_is_kept():
    picture = noise(24, 24)
    assert (Preprocess(24, 24)(picture) == np.asarray(picture)).all()


def test_of_a_strip_only_the_middle_counts():
    strip = np.zeros((10, 1000, 3), np.uint8)
    strip[:, 480:520] = 200
    assert (PREPROCESS(Image.fromarray(strip)) == 200).all()


@given(width=SIDES, height=SIDES)
def test_fitting_pixels_equals_resizing_the_picture(width, height):
    picture = noise(width, height)
    fitted = PREPROCESS.fitted(np.asarray(picture))
    assert (fitted == np.asarray(resize_short(picture, 28))).all()


@given(width=st.integers(28, 90), height=st.integers(28, 90))
def test_the_middle_lies_inside_and_in_the_middle(width, height):
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height), [0]), -1)[:, :, 0]
    middle = PREPROCESS.middle(places.astype(np.uint8))
    assert middle.shape[:2] == (24, 24)
    left, top, _ = middle[0, 0].tolist()
    right, bottom, _ = middle[-1, -1].tolist()
    assert (right - left, bottom - top) == (23, 23)
    assert abs(left - (width - 1 - right)) <= 1 and abs(top - (height - 1 - bottom)) <= 1


def test_plain_values_read_back():
    own = Preprocess(64, 80, mean=(0.1, 0.2, 0.3), std=(1.0, 0.5, 0.25))
    assert Preprocess(**own.as_dict()) == own


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_evaluation_and_prediction_see_the_same_pixels(shape, suffix, tmp_path):
    """Through the cache in memory, through the one on disk, and straight from the file."""
    path = tmp_path / f"photo.{suffix}"
    noise(*shape).save(path)
    straight = PREPROCESS(decode_picture(path, min_side=PREPROCESS.resize))
    small = np.asarray(shrunk(path, PREPROCESS.resize))
    assert min(small.shape[:2]) <= PREPROCESS.resize
    for pictures in (InMemory([small]), Undecoded([path], PREPROCESS.resize)):
        assert (PREPROCESS.middle(PREPROCESS.fitted(pictures[0])) == straight).all()
    assert (PREPROCESS(decode_picture(path.read_bytes(), min_side=28)) == straight).all()


@pytest.mark.parametrize("resize", [28, 146, 256])
def test_evaluation_and_prediction_agree_on_real_photos(resize, shared_data: Path):
    preprocess = Preprocess(resize * 7 // 8, resize)
    photos = sorted((shared_data / "hotdog").rglob("*.*g"))[::150]
    assert photos
    for path in photos:
        straight = preprocess(decode_picture(path, min_side=resize))
        kept = Undecoded([path], resize)[0]
        assert (preprocess.middle(preprocess.fitted(kept)) == straight).all(), path


def test_a_large_jpeg_decoded_small_is_close_to_one_decoded_whole():
    ramp = np.linspace(0, 255, 800).astype(np.uint8)
    photo = Image.fromarray(np.dstack([np.tile(ramp, (600, 1))] * 3))
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=95)
    fast = PREPROCESS(decode_picture(buffer.getvalue(), min_side=28)).astype(int)
    whole = PREPROCESS(decode_picture(buffer.getvalue())).astype(int)
    assert np.abs(fast - whole).max() <= 4
