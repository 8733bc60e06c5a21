"""The noun: what is saved comes back to the last bit, damaged files are refused, doors agree."""

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from torch import nn

from shortcut.classifier import HEADER, Classifier, load
from shortcut.data.preprocess import Preprocess
from shortcut.errors import DecodeError, ModelError, ResourceError
from shortcut.models import create_model
from shortcut.models.weights import read_tensors, write_tensors
from shortcut.recipe import read_recipe

NETWORKS = [
    ("resnet20", "small", 16),
    ("plain20", "small", 24),
    ("resnet18", "small", 16),
    ("resnet18", "standard", 64),
    ("resnet34_tutorial", "unpadded", 112),
]
CLASSES = ("hot dog", "猫", 'Käse "blau"\n', "🐶")
ORIENTATION = 0x0112


def make(
    network: str = "resnet20", stem: str = "small", size: int = 16, classes: tuple = CLASSES
) -> Classifier:
    """A classifier with weights and running statistics that no initialisation would give."""
    torch.manual_seed(0)
    model = create_model(network, num_classes=len(classes), stem=stem)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            module.num_batches_tracked += 7
    return Classifier(model, network, stem, classes, Preprocess(size, size + 4))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine every layer of a small network would wait for the second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "best.safetensors"
    made = make()
    made.recipe = read_recipe("digits")
    made.metrics = {"val_accuracy": 0.935, "epoch": 197, "part": "val"}
    made.created, made.version = "2026-01-31T12:00:00+01:00", "0.1.0"
    made.preprocess = Preprocess(16, 20, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0))
    made.save(path)
    return path


@pytest.fixture(scope="module")
def classifier(saved) -> Classifier:
    return load(saved)


# Saving and loading ----------------------------------------------------------------------


@pytest.mark.parametrize(("network", "stem", "size"), NETWORKS)
def test_what_is_saved_comes_back_to_the_last_bit(network, stem, size, tmp_path):
    made = make(network, stem, size)
    made.save(tmp_path / "m.safetensors")
    found = load(tmp_path / "m.safetensors")
    assert (found.network, found.stem, found.classes) == (network, stem, CLASSES)
    assert found.preprocess == made.preprocess
    expected, got = made.model.state_dict(), found.model.state_dict()
    assert list(got) == list(expected)
    assert all(torch.equal(got[name], value) for name, value in expected.items())
    made.model.to(memory_format=torch.channels_last)  # the layout decides the order of sums
    pixels = [made.pixels(noise(size + 9, size + 5)), made.pixels(noise(200, 300))]
    assert (found.probabilities(pixels) == made.probabilities(pixels)).all()


def test_everything_else_comes_back_too(saved):
    found = load(str(saved))
    assert found.recipe == read_recipe("digits")
    assert found.metrics == {"val_accuracy": 0.935, "epoch": 197, "part": "val"}
    assert (found.created, found.version) == ("2026-01-31T12:00:00+01:00", "0.1.0")
    assert found.preprocess == Preprocess(16, 20, (0.1, 0.2, 0.3), (0.5, 0.25, 1.0))
    assert found.device == torch.device("cpu")
    assert not any(module.training for module in found.model.modules())


def test_what_was_loaded_saves_as_the_same_file(saved, tmp_path):
    load(saved).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_a_file_tells_everything_without_our_code(saved):
    with safe_open(saved, framework="np") as file:
        card = json.loads(file.metadata()[HEADER])
    assert card["classes"] == list(CLASSES)
    assert (card["network"], card["stem"], card["format"]) == ("resnet20", "small", 1)
    assert card["preprocess"]["image_size"] == 16
    assert card["recipe"]["optim"]["name"] == "adamw"


def test_saving_leaves_the_network_in_training(tmp_path):
    made = make()
    made.model.train()
    made.save(tmp_path / "deep" / "m.safetensors")
    assert made.model.training


def test_a_failing_save_leaves_the_older_file(saved, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    path.write_bytes(saved.read_bytes())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="No space left"):
        make().save(path)
    assert path.read_bytes() == saved.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_file_without_counters_has_them_at_nought(saved, tmp_path):
    """Files from before torch 0.4.1 lack them; whatever lay in memory must not stand there."""
    tensors, metadata = read_tensors(saved)
    for name in [name for name in tensors if name.endswith("num_batches_tracked")]:
        del tensors[name]
    write_tensors(tmp_path / "m.safetensors", tensors, metadata)
    torch.use_deterministic_algorithms(True)  # fills new memory with a number nobody would take
    try:
        found = load(tmp_path / "m.safetensors")
    finally:
        torch.use_deterministic_algorithms(False)
    assert int(found.model.bn1.num_batches_tracked) == 0


# Damaged files ---------------------------------------------------------------------------


def rewritten(saved: Path, path: Path, header: str) -> Path:
    tensors, _ = read_tensors(saved)
    write_tensors(path, tensors, {HEADER: header})
    return path


def card_of(saved: Path) -> dict[str, Any]:
    return json.loads(read_tensors(saved)[1][HEADER])


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(card: dict[str, Any]) -> None:
        for key in keys[:-1]:
            card = card[key]
        del card[keys[-1]]

    return change


def having(value: object, *keys: str) -> Callable[[dict[str, Any]], None]:
    def change(card: dict[str, Any]) -> None:
        for key in keys[:-1]:
            card = card[key]
        card[keys[-1]] = value

    return change


NAN, INF = float("nan"), float("inf")
DAMAGES = {
    "no network": without("network"),
    "no stem": without("stem"),
    "no classes": without("classes"),
    "no preprocess": without("preprocess"),
    "no mean": without("preprocess", "mean"),
    "an extra field": having(1, "colour"),
    "an extra field inside": having(1, "preprocess", "colour"),
    "a later format": having(2, "format"),
    "an unknown network": having("resnet21", "network"),
    "another network": having("resnet32", "network"),
    "network is a number": having(20, "network"),
    "an unknown stem": having("tiny", "stem"),
    "a stem it does not have": having("standard", "stem"),
    "one class too many": having([*CLASSES, "cow"], "classes"),
    "one class too few": having(list(CLASSES[:-1]), "classes"),
    "one class only": having(["cat"], "classes"),
    "the same class twice": having(["a", "b", "a", "c"], "classes"),
    "classes are numbers": having([1, 2, 3, 4], "classes"),
    "classes are a word": having("cats", "classes"),
    "classes are null": having(None, "classes"),
    "size 7": having(7, "preprocess", "image_size"),
    "size is a word": having("big", "preprocess", "image_size"),
    "the cut is larger than the picture": having(21, "preprocess", "image_size"),
    "two means": having([0.1, 0.2], "preprocess", "mean"),
    "mean is not a number": having([0.1, NAN, 0.2], "preprocess", "mean"),
    "mean is infinite": having([0.1, INF, 0.2], "preprocess", "mean"),
    "std is nought": having([0.1, 0, 0.2], "preprocess", "std"),
    "std is infinite": having([0.1, INF, 0.2], "preprocess", "std"),
    "std is negative": having([0.1, -1, 0.2], "preprocess", "std"),
    "recipe is a name": having("digits", "recipe"),
    "metrics are a list": having([1], "metrics"),
    "created is a number": having(5, "created"),
}


@pytest.mark.parametrize(
    "change", [having(1, "recipe", "colour"), having(0, "recipe", "train", "epochs")]
)
def test_a_recipe_of_another_version_does_not_keep_a_model_from_answering(change, saved, tmp_path):
    card = card_of(saved)
    change(card)
    assert load(rewritten(saved, tmp_path / "m.safetensors", json.dumps(card))).recipe is None


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_description_that_does_not_fit_is_refused(change, saved, tmp_path):
    card = card_of(saved)
    change(card)
    path = rewritten(saved, tmp_path / "m.safetensors", json.dumps(card))
    with pytest.raises(ModelError) as refusal:
        load(path)
    assert "\n" not in str(refusal.value)
    assert refusal.value.exit_code == 4


@pytest.mark.parametrize(
    "header", ["", "{", "null", "[]", "3", '"resnet20"', "{}", "[" * 100_000, '{"a":' * 50_000]
)
def test_a_description_that_is_none_is_refused(header, saved, tmp_path):
    with pytest.raises(ModelError, match="its description is damaged"):
        load(rewritten(saved, tmp_path / "m.safetensors", header))


def test_a_file_cut_off_anywhere_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")  # where the numbers begin
    lengths = {*range(12), *range(0, start + 20, start // 25), start - 1, start, start + 1}
    lengths |= {len(whole) * part // 10 for part in range(10)} | {len(whole) - 1, len(whole) - 4}
    path = tmp_path / "m.safetensors"
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError) as refusal:
            load(path)
        assert str(path) in str(refusal.value) and "\n" not in str(refusal.value), length


@given(data=st.data())
@examples(max_examples=80)
def test_a_changed_byte_in_the_description_is_refused_or_harmless(data, saved, own_cache):
    whole = bytearray(saved.read_bytes())
    start = 8 + int.from_bytes(whole[:8], "little")
    whole[data.draw(st.integers(0, start - 1), "position")] = data.draw(st.integers(0, 255), "byte")
    path = own_cache / "changed.safetensors"
    path.write_bytes(whole)
    try:
        found = load(path)
    except ModelError:
        return
    prediction = found.predict(noise(30, 20))
    assert set(prediction.scores) == set(found.classes)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04", b"\x80\x02}q\x00.", b"hi"])
def test_another_kind_of_file_is_refused(content, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"not a whole safetensors file|cannot read"):
        load(tmp_path / "m.safetensors")


def test_no_file_a_folder_and_a_pickle(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        load(tmp_path / "no.safetensors")
    with pytest.raises(ModelError, match="is a folder"):
        load(tmp_path)
    (tmp_path / "m.pth").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ModelError, match="is a pickle"):
        load(tmp_path / "m.pth")


def test_somebody_elses_safetensors(tmp_path):
    path = tmp_path / "other.safetensors"
    write_tensors(path, {"a": torch.zeros(1)}, {"format": "pt"})
    with pytest.raises(ModelError) as refusal:
        load(path)
    expected = f"{path}: safetensors, but not a shortcut model (no class names in it)."
    assert str(refusal.value) == expected


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_tensors_that_do_not_fit_are_refused(change, saved, tmp_path):
    tensors, metadata = read_tensors(saved)
    if change == "missing":
        del tensors["fc.bias"]
    elif change == "extra":
        tensors["fc.extra"] = torch.zeros(1)
    else:
        tensors["conv1.weight"] = torch.zeros(16, 3, 7, 7)
    path = tmp_path / "m.safetensors"
    write_tensors(path, tensors, metadata)
    with pytest.raises(
        ModelError, match=f"^{re.escape(str(path))}: the weights do not fit the network"
    ):
        load(path)


# Predicting ------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "BMP"])
def test_every_door_gives_the_same_answer(file_format, classifier, tmp_path):
    path = tmp_path / f"photo.{file_format.lower()}"
    path.write_bytes(encoded(noise(50, 40), file_format))
    expected = classifier.predict(path)
    assert classifier.predict(str(path)) == expected
    assert classifier.predict(path.read_bytes()) == expected
    with Image.open(path) as image:
        assert classifier.predict(image) == expected


def test_a_large_jpeg_gives_nearly_the_same_answer_when_pillow_opened_it(classifier, tmp_path):
    """Files are decoded at a fraction of their size; what Pillow has opened is decoded whole."""
    path = tmp_path / "photo.jpg"
    noise(30, 20).resize((1500, 1000)).save(path, quality=95)
    expected = classifier.predict(path)
    assert classifier.predict(path.read_bytes()) == expected
    with Image.open(path) as image:
        got = classifier.predict(image)
    assert got.scores == pytest.approx(expected.scores, abs=0.02)


@pytest.mark.parametrize("turned", [2, 3, 4, 5, 6, 7, 8])
def test_a_picture_with_a_turn_in_its_exif_is_the_upright_one(turned, classifier, tmp_path):
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = noise(50, 40)
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    lying = encoded(upright.transpose(back[turned]), "PNG", exif=exif)
    expected = classifier.predict(encoded(upright, "PNG"))
    assert classifier.predict(lying) == expected
    with Image.open(io.BytesIO(lying)) as image:
        assert classifier.predict(image) == expected


def test_scores_are_probabilities_the_likeliest_first(classifier):
    prediction = classifier.predict(noise(40, 30))
    assert set(prediction.scores) == set(CLASSES)
    assert sum(prediction.scores.values()) == pytest.approx(1, abs=1e-6)
    ordered = list(prediction.scores.values())
    assert ordered == sorted(ordered, reverse=True)
    assert (prediction.label, prediction.score) == next(iter(prediction.scores.items()))


def test_the_tutorials_network_gives_probabilities_too():
    tutorial = make("resnet34_tutorial", "unpadded", 112, ("cat", "dog"))
    prediction = tutorial.predict(noise(120, 130))
    assert sum(prediction.scores.values()) == pytest.approx(1, abs=1e-6)


def test_equal_scores_stand_in_the_order_of_the_classes():
    made = make()
    nn.init.zeros_(made.model.fc.weight)
    nn.init.zeros_(made.model.fc.bias)
    assert list(made.predict(noise(20, 20)).scores) == list(CLASSES)


def test_many_are_answered_in_order(classifier):
    pictures = [noise(20 + 5 * i, 30) for i in range(5)]
    together = classifier.predict_many(pictures)
    for picture, answer in zip(pictures, together, strict=True):
        assert answer.scores == pytest.approx(classifier.predict(picture).scores, abs=1e-6)
    assert classifier.predict_many([]) == []


def test_answering_puts_a_network_in_training_into_evaluation_and_changes_nothing():
    made = make()
    made.model.train()
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    first = made.predict(noise(20, 20))
    assert not made.model.training
    assert made.predict(noise(20, 20)) == first
    after = made.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_normalising_by_hand(classifier):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    got = classifier.normalise(torch.from_numpy(pixels))
    expected = (pixels / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.25, 1.0])
    assert got.shape == (2, 3, 5, 4) and got.dtype == torch.float32
    np.testing.assert_allclose(got, expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_what_cannot_be_read_is_named(classifier, tmp_path):
    (tmp_path / "list.jpg").write_text("bread, milk", "utf-8")
    with pytest.raises(DecodeError, match=r"^list\.jpg: is a text file, not a picture"):
        classifier.predict(tmp_path / "list.jpg")
    with pytest.raises(DecodeError, match="there is no such file"):
        classifier.predict(tmp_path / "no.jpg")
