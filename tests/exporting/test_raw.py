"""An export that takes pictures as they were decoded answers as the classifier that it was made
of, and what asks about squares does not take it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.classifier.made import encoded, noise

from shortcut import load
from shortcut.card import ExportCard
from shortcut.classifier import Classifier
from shortcut.data.samples import Sample
from shortcut.errors import DecodeError, RecipeError
from shortcut.evaluation import evaluate
from shortcut.events import run_silently
from shortcut.exporting import Export, exporting
from shortcut.runtime.loading import READERS, load_exported
from shortcut.runtime.shipped import RawShipped, Shipped

WAYS = [
    pytest.param(("onnx", "fp32"), id="onnx fp32"),
    # By day `tests/cli/test_export.py` makes one of these.
    pytest.param(("openvino", "fp32"), id="openvino fp32", marks=pytest.mark.nightly),
    pytest.param(("openvino", "int8"), id="openvino int8", marks=pytest.mark.nightly),
    pytest.param(("onnx", "int8"), id="onnx int8", marks=pytest.mark.nightly),
]
APART = {"fp32": 2e-3, "int8": 0.3}
"""As far as probabilities lie from those of torch, at most: a level here and there is another, and
noise is nothing that eight bits were made for."""
SIZES = [(40, 30), (1, 1), (300, 40), (16, 16), (20, 20), (9, 200), (411, 320)]


@pytest.fixture(scope="module", params=WAYS)
def raw(
    known_run: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Export:
    to, precision = request.param
    place = tmp_path_factory.mktemp("raw") / f"{to}-{precision}"
    story = exporting(known_run, to, precision=precision, raw=True, output=place, min_agreement=0.9)
    return run_silently(story)


@pytest.fixture
def original(known_run: Path) -> Classifier:
    return load(known_run / "best.safetensors")


def engines_of(export: Export) -> list[Shipped]:
    eight_bits_in_onnx = (export.to, export.precision) == ("onnx", "int8")
    names = ("onnxruntime",) if eight_bits_in_onnx else READERS[export.file.suffix]
    return [load_exported(export.file, engine=name, cache=None) for name in names]


def test_answers_are_those_of_the_original(raw: Export, original: Classifier) -> None:
    pictures = [noise(*size) for size in SIZES]
    before = original.predict_many(pictures)
    for exported in engines_of(raw):
        assert isinstance(exported, RawShipped) and exported.card.raw
        after = exported.predict_many(pictures)
        for one, other in zip(before, after, strict=True):
            assert other.score == pytest.approx(one.score, abs=APART[raw.precision])
            assert (other.distance is None) == (raw.precision == "int8")
            if raw.precision == "fp32":
                assert (one.label, one.sure, one.unlike) == (other.label, other.sure, other.unlike)


@pytest.mark.parametrize("size", [(640, 480), (301, 200), (200, 301), (16, 16), (9, 200)])
def test_mirror_images_are_those_of_the_square(
    raw: Export, original: Classifier, size: tuple[int, int]
) -> None:
    """Of the whole picture another column is the middle one where an odd number is cut off."""
    original.mirror_below = 1.1
    before = original.predict(noise(*size))
    exported = load_exported(raw.file, cache=None)
    exported.card = exported.card.model_copy(update={"mirror_below": 1.1})
    assert exported.predict(noise(*size)).score == pytest.approx(
        before.score, abs=APART[raw.precision]
    )
    square = original.preprocess(noise(*size))
    asked = exported._mirrored(exported.pixels(noise(*size))[np.newaxis])[0]
    assert (original.preprocess(Image.fromarray(asked)) == square[:, ::-1]).all()


def test_resized_before_or_in_the_graph(raw: Export, original: Classifier) -> None:
    """The network behind it is the same, whatever its numbers are."""
    for exported in engines_of(raw):
        for size in SIZES:
            whole = exported.pixels(noise(*size))
            resized = original.preprocess.fitted(whole)
            answers = [exported.engine(pixels[np.newaxis])[0] for pixels in (whole, resized)]
            atol = 2e-3 if raw.precision == "fp32" else 0.05
            np.testing.assert_allclose(answers[0], answers[1], atol=atol, err_msg=str(size))


def test_its_own_pictures_prove_it(raw: Export) -> None:
    told = json.loads((raw.folder / "parity.json").read_text("utf-8"))
    assert told["raw"] is True and told["images"] == 150
    assert told["agreement"] == raw.parity.agreement >= 0.9
    if raw.precision == "fp32":
        assert told["agreement"] == 1 and told["largest_difference"] <= 0.01
    assert [one["batch"] for one in told["latency"]] == [1]
    assert "given whole pictures" in (raw.folder / "parity.html").read_text("utf-8")


def test_examples_tell_what_must_come(raw: Export) -> None:
    names = sorted(path.name for path in raw.folder.iterdir() if not path.name.startswith("model"))
    examples = [f"example-{number}.npz" for number in (1, 2, 3)]
    assert names == [*examples, "parity.html", "parity.json"]
    exported = load_exported(raw.file, cache=None)
    for name in examples:
        with np.load(raw.folder / name) as example:
            assert example["picture"].shape == (24, 32, 3)
            found, _ = exported.engine(example["picture"][None])
            np.testing.assert_allclose(found[0], example["probabilities"], atol=1e-5)
            assert ("distance" in example) == (raw.precision == "fp32")


def test_pictures_stay_as_they_were_decoded(raw: Export, tmp_path: Path) -> None:
    exported = load_exported(raw.file, cache=None)
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = exported.pixels(encoded(noise(600, 400), "JPEG", exif=exif))
    assert pixels.shape == (75, 50, 3) and pixels.dtype == np.uint8  # the decoder shrinks by eight
    assert exported.pixels(encoded(noise(600, 400), "PNG")).shape == (400, 600, 3)
    assert exported.pixels(noise(1000, 100)).shape == (100, 400, 3)
    exported.max_pixels = 1000
    with pytest.raises(DecodeError, match="pixels"):
        exported.pixels(encoded(noise(600, 400), "PNG"))


def test_what_asks_about_squares_refuses_it(raw: Export, tmp_path: Path) -> None:
    exported = load_exported(raw.file, cache=None)
    with pytest.raises(RecipeError, match="export it without `--raw`"):
        evaluate(exported, [Sample(tmp_path / "a.png", "red")])


def test_auto_takes_an_engine(raw: Export, tmp_path: Path) -> None:
    exported = load_exported(raw.file, cache=tmp_path)
    assert exported.predict(noise(70, 50)).label in ("blue", "red")


def test_what_cannot_be_raw(known_run: Path, tmp_path: Path) -> None:
    for to, precision, said in (
        ("triton", "fp32", "`--raw` is for `--to openvino` and `--to onnx`, not for triton"),
        ("torch-program", "fp32", "not for torch-program"),
        ("openvino", "bf16", "`--raw` has no bf16"),
    ):
        story = exporting(known_run, to, precision=precision, raw=True, output=tmp_path / "out")  # type: ignore[arg-type]
        with pytest.raises(RecipeError, match=said):
            run_silently(story)
    assert not (tmp_path / "out").exists()


def test_files_from_before_are_read(raw: Export) -> None:
    card = load_exported(raw.file, cache=None).card
    older = card.model_dump(exclude={"raw"})
    assert card.raw and not ExportCard.model_validate(older).raw
