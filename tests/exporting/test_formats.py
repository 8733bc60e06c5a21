"""Every format answers as the classifier that it was made of, on pictures of all kinds."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.classifier.made import noise

from shortcut import load
from shortcut.classifier import Classifier
from shortcut.errors import ResourceError
from shortcut.exporting import Export
from shortcut.heatmaps import grad_cam
from shortcut.runtime.engine import EngineName
from shortcut.runtime.loading import READERS, load_exported
from shortcut.runtime.shipped import Shipped

APART = {"fp32": 1e-5, "bf16": 0.05, "int8": 0.1}
"""As far as probabilities of such a small network lie from those of torch, at most."""


@pytest.fixture
def original(known_run: Path) -> Classifier:
    return load(known_run / "best.safetensors")


@pytest.fixture
def engines(export: Export) -> Iterator[Shipped]:
    """The export, with every engine that reads it."""
    names: tuple[EngineName, ...] = READERS[export.file.suffix]
    if export.to == "onnx" and export.precision == "int8":
        names = ("onnxruntime",)
    return (load_exported(export.file, engine=name, cache=None) for name in names)


def test_answers_are_those_of_the_original(
    export: Export, original: Classifier, engines: Iterator[Shipped]
) -> None:
    pixels = [original.pixels(noise(30 + 7 * k, 60 - 3 * k)) for k in range(9)]
    before, distances = original.judge_pixels(np.stack(pixels))
    assert distances is not None
    for exported in engines:
        after, other = exported.judge_pixels(np.stack(pixels))
        assert (other is None) == (export.precision == "int8")
        assert np.abs(before - after).max() <= APART[export.precision], exported.engine.name
        if other is not None and export.precision == "fp32":
            np.testing.assert_allclose(other, distances, rtol=1e-3, atol=1e-3)
            for one, two in zip(
                original.predict_pixels(pixels), exported.predict_pixels(pixels), strict=True
            ):
                assert (one.label, one.sure, one.unlike) == (two.label, two.sure, two.unlike)


def test_heat_is_that_of_the_original(
    export: Export, original: Classifier, engines: Iterator[Shipped]
) -> None:
    pixels = [original.pixels(noise(30 + 7 * k, 60 - 3 * k)) for k in range(6)]
    expected = grad_cam(original, pixels)
    for exported in engines:
        assert exported.explains == (export.to != "triton")
        if exported.explains:
            targets = original.judge_pixels(np.stack(pixels))[0].argmax(1)
            found = exported.heat(pixels, targets)
            apart = 1e-4 if export.precision == "fp32" else 0.25
            np.testing.assert_allclose(found, expected, atol=apart)


def test_any_number_of_pictures(original: Classifier, engines: Iterator[Shipped]) -> None:
    pixels = np.stack([original.pixels(noise(40, 30 + k)) for k in range(5)])
    for exported in engines:
        together, _ = exported.judge_pixels(pixels)
        for place in range(5):
            alone, _ = exported.judge_pixels(pixels[place : place + 1])
            np.testing.assert_allclose(alone[0], together[place], atol=0.02)


def test_an_answer_is_not_overwritten_by_the_next(
    original: Classifier, engines: Iterator[Shipped]
) -> None:
    first, second = (original.pixels(noise(40, 30 + k))[np.newaxis] for k in (0, 9))
    for exported in engines:
        kept, _ = exported.engine(first)
        copy = kept.copy()
        exported.engine(second)
        np.testing.assert_array_equal(kept, copy)


def test_what_the_file_says_of_itself(
    export: Export, original: Classifier, engines: Iterator[Shipped]
) -> None:
    for exported in engines:
        card = exported.card
        assert exported.classes == original.classes
        assert exported.preprocess == original.preprocess
        assert card.temperature == original.temperature != 1.0
        assert card.mirror_below == original.mirror_below == 0.9
        known = None if export.precision == "int8" else original.unlike_from
        assert exported.unlike_from == known and original.unlike_from is not None
        assert card.precision == export.precision
        assert card.metrics == (original.metrics if export.precision == "fp32" else {})
        assert len(card.source) == 64


def test_the_figures_are_of_the_pictures_held_back(export: Export, known_run: Path) -> None:
    told = json.loads((export.folder / "parity.json").read_text("utf-8"))
    assert told["part"] == "val" and told["images"] == 150
    assert told["agreement"] == export.parity.agreement >= 0.9
    assert told["bytes"][0] == (known_run / "best.safetensors").stat().st_size
    assert [one["batch"] for one in told["latency"]] == [1, 32]
    assert len(told["most_different"]) == 10
    differences = [one["difference"] for one in told["most_different"]]
    assert differences == sorted(differences, reverse=True)
    assert differences[0] == pytest.approx(told["largest_difference"])


@pytest.mark.parametrize("export", [("onnx", "int8")], indirect=True, ids=["onnx int8"])
def test_eight_bits_in_onnx_are_for_onnx_runtime(export: Export) -> None:
    assert load_exported(export.file, cache=None).engine.name == "onnxruntime"
    with pytest.raises(ResourceError, match="take the package onnxruntime"):
        load_exported(export.file, engine="openvino", cache=None)


@pytest.mark.nightly
@pytest.mark.parametrize("export", [("triton", "fp32")], indirect=True, ids=["triton"])
def test_triton_finds_what_it_wants(export: Export) -> None:
    assert export.file == export.folder / "1" / "model.onnx"
    assert load_exported(export.folder, cache=None).classes == ("blue", "red")
    assert (export.folder / "config.pbtxt").read_text("utf-8").splitlines() == [
        'backend: "onnxruntime"',
        "max_batch_size: 32",
        'input [ { name: "images" data_type: TYPE_UINT8 dims: [ 16, 16, 3 ] } ]',
        'output [ { name: "probabilities" data_type: TYPE_FP32 dims: [ 2 ] }, '
        '{ name: "distance" data_type: TYPE_FP32 dims: [ 1 ] reshape: { shape: [ ] } } ]',
        "dynamic_batching { max_queue_delay_microseconds: 2000 }",
    ]


def test_threads_get_their_own_answers(original: Classifier, engines: Iterator[Shipped]) -> None:
    pixels = [original.pixels(noise(40, 30 + 5 * k))[np.newaxis] for k in range(24)]
    for exported in engines:
        alone = [exported.judge_pixels(one)[0] for one in pixels]
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(exported.judge_pixels, pixels[k % 24]) for k in range(480)]
            together = [one.result()[0] for one in asked]
        for place, answer in enumerate(together):
            np.testing.assert_allclose(answer, alone[place % 24], atol=1e-6)


def test_the_graph_alone_is_told_of(export: Export) -> None:
    parity = export.parity
    told = json.loads((export.folder / "parity.json").read_text("utf-8"))
    assert told["graph_alone_agreement"] == parity.alone_agreeing / 150
    assert 0 < told["sure_agreement"] <= 1
    page = (export.folder / "parity.html").read_text("utf-8")
    assert "the same of the graph alone" in page and "both sure or both not" in page
