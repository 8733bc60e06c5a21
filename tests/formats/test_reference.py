"""The reference of preprocessing gives the bits of the real one, and needs nothing but NumPy."""

import ast
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shortcut.classifier import Classifier
from shortcut.data.preprocess import IMAGENET_MEAN, IMAGENET_STD, Pixels, Preprocess

REFERENCE = Path(__file__).parents[2] / "src/shortcut/formats/reference_preprocess.py"
_names: dict[str, Any] = runpy.run_path(str(REFERENCE))
preprocess, normalise = _names["preprocess"], _names["normalise"]

# Small sides often: there the edges are most of the picture.
sides = st.one_of(
    st.integers(1, 12), st.integers(1, 100), st.integers(1, 400), st.integers(1, 1500)
)
seeds = st.integers(0, 2**32 - 1)


def noise(height: int, width: int, seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def black_and_white(height: int, width: int, seed: int) -> Pixels:
    return noise(height, width, seed) // 128 * 255


def flat(height: int, width: int, seed: int) -> Pixels:
    return np.broadcast_to(noise(1, 1, seed), (height, width, 3))


def gradient(height: int, width: int, seed: int) -> Pixels:
    down, right = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    first, second, third, fourth = noise(2, 2, seed).reshape(4, 3).astype(float)
    y, x = down[:, :, None], right[:, :, None]
    mixed = (first * (1 - x) + second * x) * (1 - y) + (third * (1 - x) + fourth * x) * y
    return mixed.astype(np.uint8)


PICTURES = (noise, black_and_white, flat, gradient)


def check(picture: Pixels, image_size: int, resize: int) -> None:
    real = Preprocess(image_size, resize)(Image.fromarray(picture))
    found = preprocess(picture, image_size, resize)
    assert found.dtype == np.uint8 and found.shape == (image_size, image_size, 3)
    np.testing.assert_array_equal(found, real, f"{picture.shape}, {image_size}, {resize}")


@settings(deadline=None, max_examples=300)
@given(sides, sides, st.integers(1, 288), st.data(), st.sampled_from(PICTURES), seeds)
def test_any_picture(
    height: int, width: int, resize: int, data: st.DataObject, make: Any, seed: int
) -> None:
    image_size = data.draw(st.integers(1, resize), "image_size")
    check(make(height, width, seed), image_size, resize)


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 40), st.integers(5, 25), st.integers(0, 3), st.floats(1, 4), st.booleans())
def test_boxes_of_pixels_before_the_filter(
    resize: int, times: int, more: int, stretch: float, tall: bool
) -> None:
    short = resize * times + more
    shape = (short, round(short * stretch))
    check(noise(*(shape[::-1] if tall else shape), seed=short), resize, resize)


@settings(deadline=None, max_examples=150)
@given(st.integers(2, 120), st.integers(1, 120), st.integers(-3, 3))
def test_tall_pictures_where_the_order_of_the_axes_changes(
    width: int, resize: int, more: int
) -> None:
    check(noise(2 * width + more, width, seed=width), resize, resize)


@pytest.mark.parametrize("make", PICTURES)
@pytest.mark.parametrize(
    ("height", "width", "image_size", "resize"),
    [
        (1, 1, 1, 1),
        (1, 1, 32, 32),
        (1, 2, 3, 5),
        (3, 900, 32, 32),
        (900, 3, 32, 32),
        (1, 1500, 7, 8),
        (1500, 1, 7, 8),
        (32, 32, 32, 32),  # nothing to do
        (47, 32, 29, 32),  # nothing to resize, an odd rest to cut off
        (32, 129, 32, 32),  # longer than 4:1 by one
        (129, 32, 32, 32),
        (128, 32, 32, 32),  # just 4:1
        (20, 30, 224, 256),  # upscaling
        (300, 401, 128, 146),  # a filter alone
        (42, 100, 7, 7),  # boxes along one axis alone
        (100, 42, 7, 7),
        (384, 512, 64, 64),  # boxes of a whole number
        (385, 513, 64, 64),  # boxes that leave a rest
        (1500, 1500, 224, 250),  # six times too large
        (1499, 1500, 224, 250),  # not quite
        (1200, 1500, 96, 96),  # many pixels in a box
        (1500, 1500, 1, 1),
        (5, 4, 2, 2),  # 2.5 is rounded to 2
        (15, 6, 25, 25),  # 62.5, or a hair more: the order of the arithmetic decides
        (6, 15, 25, 25),
    ],
)
def test_each_special_case(
    height: int, width: int, image_size: int, resize: int, make: Any
) -> None:
    check(make(height, width, 5), image_size, resize)


def test_the_input_stays_as_it_is() -> None:
    picture = noise(70, 50, seed=1)
    before = picture.copy()
    picture.flags.writeable = False
    preprocess(picture, 16, 20)
    np.testing.assert_array_equal(picture, before)


triples = st.tuples(*[st.floats(0.01, 1, width=64)] * 3)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), triples, triples, seeds)
def test_normalisation(
    side: int, mean: tuple[float, ...], std: tuple[float, ...], seed: int
) -> None:
    check_normalised(noise(side, side, seed), mean, std)


def test_normalisation_of_every_level() -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    check_normalised(levels, IMAGENET_MEAN, IMAGENET_STD)


def check_normalised(pixels: Pixels, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    owner = SimpleNamespace(preprocess=SimpleNamespace(mean=mean, std=std))
    real = Classifier.normalise(cast(Classifier, owner), torch.from_numpy(pixels[None]))[0].numpy()
    for found in (normalise(pixels, mean, std), normalise(pixels, np.array(mean), np.array(std))):
        assert found.dtype == np.float32 and found.flags.c_contiguous
        np.testing.assert_array_equal(found.view(np.uint32), real.copy("C").view(np.uint32))


def test_needs_nothing_but_numpy() -> None:
    modules = set[str]()
    for node in ast.walk(ast.parse(REFERENCE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module
            modules.add(node.module)
    packages = {module.split(".")[0] for module in modules}
    assert packages - sys.stdlib_module_names == {"numpy"}


def write_example(folder: Path, number: int, **changed: Any) -> None:
    """What the real preprocessing gives, beside a copy of the script."""
    picture = noise(90, 61 + number, seed=number)
    pixels = Preprocess(16, 20)(Image.fromarray(picture)).copy()
    owner = SimpleNamespace(preprocess=Preprocess(16, 20))
    tensor = Classifier.normalise(cast(Classifier, owner), torch.from_numpy(pixels[None]))[0]
    example = {"picture": picture, "pixels": pixels, "tensor": tensor.numpy()}
    facts = {"image_size": 16, "resize": 20, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    np.savez(folder / f"example-{number}.npz", allow_pickle=False, **(example | facts | changed))


def run_beside(folder: Path) -> None:
    script = folder / REFERENCE.name
    script.write_bytes(REFERENCE.read_bytes())
    runpy.run_path(str(script), run_name="__main__")


def test_as_a_script_it_checks_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_example(tmp_path, 1)
    write_example(tmp_path, 2)
    run_beside(tmp_path)
    assert capsys.readouterr().out.splitlines() == ["example-1.npz: equal", "example-2.npz: equal"]


@pytest.mark.parametrize("name", ["pixels", "tensor"])
def test_as_a_script_it_names_what_differs(name: str, tmp_path: Path) -> None:
    shape, kind = ((16, 16, 3), np.uint8) if name == "pixels" else ((3, 16, 16), np.float32)
    write_example(tmp_path, 1, **{name: np.zeros(shape, kind)})
    with pytest.raises(SystemExit, match=rf"example-1.npz: not equal: {name}"):
        run_beside(tmp_path)
