"""The graph that resizes makes the pixels of the real preprocessing, whichever engine runs it."""

from collections.abc import Callable
from functools import cache

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.formats.onnx import converted as as_onnx
from shortcut.formats.openvino import converted as as_openvino
from shortcut.formats.quiet import quietly
from shortcut.formats.raw import SQUARES, Resizing, traced_resizing
from shortcut.runtime.engine import IMAGES
from shortcut.runtime.openvino import shared_core

SIZES = [(1, 1), (32, 32), (8, 25), (7, 25), (48, 73), (64, 73), (96, 110), (224, 256)]
"""Squares and the short sides that they are cut out of."""
VIEW = Preprocess(64, 73)
PICTURES = [
    *((1, 1), (1, 900), (700, 3), (64, 64), (73, 73), (73, 200), (50, 40), (32, 129), (333, 500)),
    *((1000, 1500), (2000, 900), (3000, 4000)),
]
"""Heights and widths: tiny, as they shall be, narrow, ties, tall, a photo of a phone."""

# Small sides often: there the edges are most of the picture.
sides = st.one_of(st.integers(1, 12), st.integers(1, 100), st.integers(1, 700))


def noise(height: int, width: int, seed: int = 0, levels: int = 256) -> Pixels:
    """Of few levels: as bright or dark as a picture can be, beside each other."""
    drawn = np.random.default_rng(seed).integers(0, levels, (height, width, 3))
    return (drawn * 255 // (levels - 1)).astype(np.uint8)


@cache
def resizing(image_size: int, resize: int) -> Resizing:
    return Resizing(Preprocess(image_size, resize))


def apart(picture: Pixels, image_size: int, resize: int) -> np.ndarray:
    real = Preprocess(image_size, resize)(Image.fromarray(picture))
    with torch.inference_mode():
        (found,) = resizing(image_size, resize)(torch.from_numpy(picture)[None]).numpy()
    assert found.dtype == np.uint8 and found.shape == real.shape
    return np.abs(found.astype(int) - real)


@pytest.mark.nightly
def test_the_largest() -> None:
    """Centres far from the corner lie where they should."""
    for shape in ((12_000, 3_000), (3_100, 12_200), (8_600, 8_700)):
        assert apart(noise(*shape), 48, 73).max() <= 2, shape


@settings(deadline=None, max_examples=100)
@given(sides, sides, st.sampled_from(SIZES), st.sampled_from([2, 3, 256]), st.integers(0, 2**32))
def test_any_picture(
    height: int, width: int, sizes: tuple[int, int], levels: int, seed: int
) -> None:
    off = apart(noise(height, width, seed, levels), *sizes)
    # Two in a row are rounded otherwise once in a million.
    assert off.max() <= 2 and (off > 1).mean() <= 0.02, f"{height} x {width}, {sizes}"


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 60),
    st.sampled_from([(2, 3), (2, 5), (6, 15), (5, 4), (10, 21)]),
    st.sampled_from([(25, 25), (32, 73), (7, 25)]),
)
def test_long_sides_that_end_in_a_half(
    times: int, ratio: tuple[int, int], sizes: tuple[int, int]
) -> None:
    """Rounded to the other side, all would lie half a pixel beside its place."""
    height, width = (times * side for side in ratio)
    assert apart(noise(height, width), *sizes).max() <= 2, f"{height} x {width}, {sizes}"


@pytest.mark.parametrize(("height", "width", "share"), [
    (375, 500, 0.001),
    (500, 333, 0.005),
    (1000, 1500, 0.005),
    (900, 2000, 0.001),
    (2000, 900, 0.2),  # Pillow takes rows first
    (1700, 2200, 0.2),  # Pillow shrinks by boxes first
])  # fmt: skip
def test_few_pixels_differ(height: int, width: int, share: float) -> None:
    assert (apart(noise(height, width), 224, 256) > 0).mean() <= share


@pytest.fixture(scope="module")
def engines() -> dict[str, Callable[[Pixels], Pixels]]:
    with quietly():
        program = traced_resizing(VIEW)
        model, proto = as_openvino(program, (SQUARES,)), as_onnx(program, (SQUARES,))
    compiled = shared_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return {
        "openvino": lambda pixels: compiled(pixels)[0].copy(),
        "onnxruntime": lambda pixels: session.run(None, {IMAGES: pixels})[0],  # type: ignore[dict-item, return-value]
    }


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_engines_make_the_same_pixels(
    engines: dict[str, Callable[[Pixels], Pixels]], name: str
) -> None:
    for height, width in PICTURES:
        picture = noise(height, width)[None]
        with torch.inference_mode():
            expected = resizing(64, 73)(torch.from_numpy(picture)).numpy().astype(int)
        found = engines[name](picture)
        assert found.dtype == np.uint8 and found.shape == (1, 64, 64, 3)
        off = np.abs(found - expected)
        assert off.max() <= 1 and (off > 0).mean() <= 0.002, (height, width)
