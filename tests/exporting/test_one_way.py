"""One picture takes one way, wherever it goes: what evaluation, `predict`, exports, the reference
and the server see of it is the same to the last bit, and they answer the same."""

import io
import runpy
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.server.conftest import started

from shortcut import load
from shortcut.classifier import Classifier
from shortcut.data.cache import read_pictures
from shortcut.data.decode import decode_picture
from shortcut.data.loaders import EvaluationLoader
from shortcut.data.samples import Sample
from shortcut.events import run_silently
from shortcut.exporting import exporting
from shortcut.runtime.loading import load_exported

COUNT = 200
REFERENCE = Path(__file__).parents[2] / "src/shortcut/formats/reference_preprocess.py"


def make_picture(number: int) -> tuple[str, bytes]:
    """Of all kinds, in turn: turned by EXIF, CMYK, 16 bits, palettes, see-through, tiny, narrow."""
    noise = np.random.default_rng(number)
    width, height = (int(side) for side in noise.integers(8, 320, 2))
    if number % 9 == 8:
        width = 9 * height if height < 60 else width
    pixels = noise.integers(0, 256, (height, width, 3), np.uint8)
    image, content = Image.fromarray(pixels), io.BytesIO()
    kind = number % 8
    if kind == 0:
        exif = Image.Exif()
        exif[0x0112] = number // 8 % 8 + 1
        image.save(content, "JPEG", exif=exif)
        return "jpg", content.getvalue()
    if kind == 1:
        image.convert("CMYK").save(content, "JPEG")
        return "jpg", content.getvalue()
    if kind == 2:
        deep = noise.integers(0, 65_536, (height, width)).astype(np.uint16)
        Image.fromarray(deep).save(content, "PNG")
        return "png", content.getvalue()
    if kind == 3:
        image.convert("P").save(content, "GIF")
        return "gif", content.getvalue()
    if kind == 4:
        image.convert("RGBA").save(content, "PNG")
        return "png", content.getvalue()
    if kind == 5:
        image.convert("L").save(content, "BMP")
        return "bmp", content.getvalue()
    image.save(content, "WEBP" if kind == 6 else "JPEG", quality=90)
    return ("webp" if kind == 6 else "jpg"), content.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("kinds")
    paths = []
    for number in range(COUNT):
        ending, content = make_picture(number)
        paths.append(folder / f"{number:03}.{ending}")
        paths[-1].write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def classifier(known_run: Path) -> Classifier:
    return load(known_run / "best.safetensors")


def test_the_tensors_are_the_same(classifier: Classifier, files: list[Path]) -> None:
    samples = [Sample(path, "red") for path in files]
    read = run_silently(read_pictures(samples, classifier.preprocess.resize, threads=1))
    assert len(read.samples) == COUNT
    loader = EvaluationLoader(read.pictures, [0] * COUNT, classifier.preprocess, 32, 0)
    evaluated = np.concatenate([batch.images.numpy() for batch in loader])
    predicted = np.stack([classifier.pixels(path) for path in files])
    np.testing.assert_array_equal(evaluated, predicted)
    names = runpy.run_path(str(REFERENCE))
    view = classifier.preprocess
    for path, pixels in zip(files, predicted, strict=True):
        decoded = np.asarray(decode_picture(path, min_side=view.resize))
        found = names["preprocess"](decoded, view.image_size, view.resize)
        np.testing.assert_array_equal(found, pixels, path.name)
    tensors = classifier.normalise(load_as_tensor(predicted)).numpy()
    for pixels, tensor in zip(predicted, tensors, strict=True):
        mine = names["normalise"](pixels, view.mean, view.std)
        assert mine.tobytes() == np.ascontiguousarray(tensor).tobytes()


def load_as_tensor(pixels: np.ndarray):
    import torch

    return torch.from_numpy(pixels)


@pytest.mark.parametrize("to", ["openvino", "onnx"])
def test_exports_see_and_say_the_same(
    known_run: Path, classifier: Classifier, files: list[Path], tmp_path: Path, to: str
) -> None:
    run_silently(exporting(known_run, to, output=tmp_path / to))  # type: ignore[arg-type]
    exported = load_exported(tmp_path / to)
    for path in files:
        np.testing.assert_array_equal(exported.pixels(path), classifier.pixels(path))
    for one, other in zip(
        classifier.predict_many(files), exported.predict_many(files), strict=True
    ):
        assert (one.label, one.sure, one.unlike) == (other.label, other.sure, other.unlike)
        assert one.score == pytest.approx(other.score, abs=1e-5)


def test_the_server_says_the_same(
    known_run: Path, classifier: Classifier, files: list[Path]
) -> None:
    expected = classifier.predict_many(files)
    with started(known_run) as server, httpx.Client(timeout=30) as client:
        for path, one in zip(files, expected, strict=True):
            answer = client.post(f"{server.address}/predict", content=path.read_bytes()).json()
            assert (answer["label"], answer["sure"], answer["unlike"]) == (
                *(one.label, one.sure),
                one.unlike,
            )
            assert answer["score"] == pytest.approx(one.score, abs=1e-6)
