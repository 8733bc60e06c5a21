"""What is asked of each picture, and that the mean of the answers counts."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.classifier.made import make

from shortcut.classifier import Classifier, load
from shortcut.data.loaders import EvaluationLoader
from shortcut.data.preprocess import Preprocess
from shortcut.errors import RecipeError
from shortcut.evaluation import answering
from shortcut.events import run_silently
from shortcut.metrics import at_temperature
from shortcut.recipe import read_recipe
from shortcut.tta import with_tta

SIZE, WIDE = 16, 20


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    made = make()
    made.preprocess = Preprocess(SIZE, WIDE)
    return made


def pictures() -> list[np.ndarray]:
    """Of several forms, with a short side that is used as it is."""
    draw = np.random.default_rng(3)
    forms = ((WIDE, WIDE), (WIDE, 33), (41, WIDE))
    return [draw.integers(0, 256, (*form, 3), np.uint8) for form in forms]


def squares(pixels: np.ndarray) -> list[np.ndarray]:
    """Written out once more: middle and corners."""
    height, width = pixels.shape[:2]
    y, x = (height - SIZE) // 2, (width - SIZE) // 2
    middle = pixels[y : y + SIZE, x : x + SIZE]
    upper, lower = pixels[:SIZE], pixels[height - SIZE :]
    return [
        middle,
        *(part[:, s] for part in (upper, lower) for s in (slice(SIZE), slice(width - SIZE, None))),
    ]


def mean_answer(classifier: Classifier, views: list[np.ndarray]) -> np.ndarray:
    return classifier.probabilities(views).mean(0)


@pytest.mark.parametrize("pixels", pictures(), ids=lambda p: f"{p.shape[1]}x{p.shape[0]}")
def test_ten_crops_are_the_middle_and_the_corners_and_their_mirror_images(classifier, pixels):
    views = squares(pixels)
    expected = mean_answer(classifier, views + [view[:, ::-1] for view in views])
    asked = with_tta(classifier, "crops")
    given = asked.predict(Image.fromarray(pixels))
    assert list(given.scores.values()) == pytest.approx(sorted(expected, reverse=True), abs=1e-6)
    assert mean_answer(classifier, views[:1]) != pytest.approx(expected, abs=1e-3)


def test_flip_asks_the_mirror_image_of_every_picture(classifier):
    pixels = [squares(one)[0] for one in pictures()]
    plain, mirrored = (
        classifier.probabilities(views) for views in (pixels, [v[:, ::-1] for v in pixels])
    )
    found = with_tta(classifier, "flip").probabilities(pixels)
    np.testing.assert_allclose(found, (plain + mirrored) / 2, atol=1e-6)


def test_unsure_is_what_the_recipes_for_photos_do(classifier):
    assert with_tta(classifier, "unsure").mirror_below == read_recipe("fast").data.mirror_below


def test_evaluation_and_prediction_ask_the_same(classifier):
    asked = with_tta(classifier, "crops")
    loader = EvaluationLoader(pictures(), [0, 1, 0], asked.preprocess, 1, threads=0)
    answers, _, _ = run_silently(answering(asked, loader))
    for row, pixels in zip(answers, pictures(), strict=True):
        (given,) = asked.predict_pixels([asked.pixels(Image.fromarray(pixels))])
        assert sorted(given.scores.values()) == pytest.approx(sorted(row), abs=1e-6)


def test_the_middle_says_what_is_unlike(classifier):
    crops = with_tta(classifier, "crops")
    stack = np.stack([crops.pixels(Image.fromarray(pictures()[1]))])
    import torch

    views = torch.from_numpy(stack)
    np.testing.assert_array_equal(crops.look(views)[1], classifier.look(views[:, 0])[1])
    np.testing.assert_allclose(crops.look(views)[0], crops.answer(views), atol=1e-6)


@pytest.mark.parametrize("way", ["flip", "unsure"])
def test_a_model_that_never_saw_a_mirror_image_is_not_asked_any(classifier, way):
    digits = replace(classifier, recipe=read_recipe("digits"))
    with pytest.raises(RecipeError, match=f"^`--tta {way}`: this model was trained without mirror"):
        with_tta(digits, way)
    pixels = pictures()[2]
    given = with_tta(digits, "crops").predict(Image.fromarray(pixels)).scores
    expected = mean_answer(digits, squares(pixels))
    assert list(given.values()) == pytest.approx(sorted(expected, reverse=True), abs=1e-6)


def test_what_is_saved_knows_nothing_of_it(classifier, tmp_path):
    with_tta(classifier, "crops").save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").preprocess == classifier.preprocess


def test_answers_are_averaged_before_the_temperature_and_none_is_not_sure(classifier):
    warm = replace(classifier, temperature=3.0, sure_from=0.99, mirror_below=0.95)
    crops = with_tta(warm, "crops")
    (pixels,) = [crops.pixels(Image.fromarray(pictures()[0]))]
    plain = replace(crops, temperature=1.0)
    expected = at_temperature(plain.probabilities([pixels]), 3.0)
    np.testing.assert_allclose(crops.probabilities([pixels]), expected, atol=1e-6)
    assert crops.predict_pixels([pixels])[0].sure
    assert with_tta(warm, "unsure").mirror_below == 0.95  # not less than it asks anyway


def test_none_is_the_picture_alone(classifier):
    pixels = [squares(one)[0] for one in pictures()]
    alone = with_tta(replace(classifier, mirror_below=0.9), "none")
    np.testing.assert_array_equal(alone.probabilities(pixels), classifier.probabilities(pixels))
