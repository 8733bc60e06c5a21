"""Answers: every door gives the same."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tests.classifier.made import CLASSES, encoded, make, noise
from tests.turns import TO_EXIF
from torch import nn

from shortcut.classifier import load
from shortcut.errors import DecodeError
from shortcut.metrics import at_temperature

ORIENTATION = 0x0112


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
    upright = noise(50, 40)
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    lying = encoded(upright.transpose(TO_EXIF[turned]), "PNG", exif=exif)
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


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_mirror_image_is_asked_where_the_answer_is_unsure(share, classifier):
    pixels = [
        np.asarray(noise(16, 16)),
        *np.random.default_rng(1).integers(0, 256, (6, 16, 16, 3), np.uint8),
    ]
    plain = classifier.probabilities(pixels)
    mirrored = classifier.probabilities([view[:, ::-1] for view in pixels])
    below = {0.0: 0.0, 0.5: float(np.median(plain.max(1))), 1.0: 1.0}[share]
    unsure = plain.max(1) < below
    assert unsure.sum() == {0.0: 0, 0.5: 3, 1.0: 7}[share]
    expected = np.where(unsure[:, None], (plain + mirrored) / 2, plain)
    both = replace(classifier, mirror_below=below)
    np.testing.assert_allclose(both.probabilities(pixels), expected, atol=1e-6)


def test_whether_the_mirror_image_is_asked_stands_in_the_file(classifier, tmp_path):
    replace(classifier, mirror_below=0.75).save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").mirror_below == 0.75


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_a_temperature_changes_scores_and_no_answer(temperature, classifier):
    pixels = list(np.random.default_rng(2).integers(0, 256, (6, 16, 16, 3), np.uint8))
    plain = classifier.probabilities(pixels)
    found = replace(classifier, temperature=temperature).probabilities(pixels)
    np.testing.assert_allclose(found, at_temperature(plain, temperature), atol=1e-6)
    assert (found.argmax(1) == plain.argmax(1)).all()
    assert ((found.max(1) > plain.max(1)) == (temperature < 1)).all()


def test_below_a_limit_the_answer_is_not_sure(classifier):
    pixels = list(np.random.default_rng(2).integers(0, 256, (6, 16, 16, 3), np.uint8))
    limit = float(np.median(classifier.probabilities(pixels).max(1)))
    answers = replace(classifier, sure_from=limit).predict_pixels(pixels)
    assert [answer.sure for answer in answers] == [answer.score >= limit for answer in answers]
    assert {answer.sure for answer in answers} == {True, False}
    assert all(answer.sure for answer in classifier.predict_pixels(pixels))


def test_temperature_and_limit_stand_in_the_file(classifier, tmp_path):
    replace(classifier, temperature=1.5, sure_from=0.8).save(tmp_path / "model.safetensors")
    found = load(tmp_path / "model.safetensors")
    assert (found.temperature, found.sure_from) == (1.5, 0.8)
