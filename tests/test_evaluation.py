"""Measuring: the same figures as counting predictions by hand, labels by name, nothing left out."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shortcut.classifier import Classifier
from shortcut.data.loaders import EvaluationLoader
from shortcut.data.preprocess import Preprocess
from shortcut.data.samples import Sample
from shortcut.errors import DataError
from shortcut.evaluation import evaluate, label_positions, measure
from shortcut.metrics import Scores
from shortcut.models import create_model
from shortcut.precision import CANDIDATES, PLAIN

CLASSES = ("ant", "bee", "cow")
SHAPES = [(30, 20), (12, 14), (100, 20), (20, 20), (64, 48)]


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> list[Sample]:
    """23 pictures of several sizes, two of three in a class."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0)
    made = []
    for number in range(23):
        width, height = SHAPES[number % len(SHAPES)]
        pixels = noise.integers(0, noise.integers(20, 256), (height, width, 3), np.uint8)
        path = folder / f"{number:02}.{'jpg' if number % 4 == 0 else 'png'}"
        Image.fromarray(pixels).save(path)
        made.append(Sample(path, CLASSES[number % 3]))
    return made


@pytest.fixture(scope="module")
def classifier(samples) -> Classifier:
    """Untrained, but set so that it gives different answers to these pictures."""
    torch.manual_seed(0)
    model = create_model("resnet20", num_classes=3, stem="small").eval()
    made = Classifier(model, "resnet20", "small", CLASSES, Preprocess(16, 18))
    pixels = torch.from_numpy(np.stack([made.pixels(s.path) for s in samples]))
    with torch.no_grad():
        model.fc.bias -= model(made.normalise(pixels)).mean(0)
    return made


@pytest.fixture(scope="module")
def scores(classifier, samples) -> Scores:
    return evaluate(classifier, samples, batch_size=8)


def broken(folder: Path) -> Sample:
    path = folder / "list.jpg"
    path.write_text("bread, milk", "utf-8")
    return Sample(path, "bee")


def test_scores_equal_a_count_by_hand(classifier, samples, scores):
    confusion = np.zeros((3, 3), int)
    loss = 0.0
    for sample in samples:
        answer = classifier.predict(sample.path)
        confusion[CLASSES.index(sample.label), CLASSES.index(answer.label)] += 1
        loss -= math.log(answer.scores[sample.label])
    assert (scores.confusion == confusion).all()
    assert (confusion.sum(0) > 0).sum() > 1  # it does give different answers
    assert scores.classes == CLASSES
    assert scores.images == 23 and scores.correct == np.trace(confusion)
    assert scores.accuracy == np.trace(confusion) / 23
    assert scores.loss == pytest.approx(loss / 23, rel=1e-4)
    assert scores.left_out == ()


@pytest.mark.parametrize(("batch_size", "threads"), [(1, 1), (5, 3), (22, 1), (23, 3), (64, 1)])
def test_every_picture_counts_once_whatever_the_batches(
    batch_size, threads, classifier, samples, scores
):
    found = evaluate(classifier, samples, batch_size=batch_size, threads=threads)
    assert found.images == 23
    assert (found.confusion == scores.confusion).all()
    assert found.loss == pytest.approx(scores.loss, rel=1e-5)


def test_labels_are_matched_by_name(classifier, samples, scores):
    """The same network with its outputs in another order makes the same mistakes."""
    order = [2, 0, 1]
    model = create_model("resnet20", num_classes=3, stem="small")
    model.load_state_dict(classifier.model.state_dict())
    with torch.no_grad():
        model.fc.weight.copy_(classifier.model.fc.weight[order])
        model.fc.bias.copy_(classifier.model.fc.bias[order])
    classes = tuple(CLASSES[i] for i in order)
    found = evaluate(replace(classifier, model=model, classes=classes), samples)
    assert found.classes == ("cow", "ant", "bee")
    assert (found.confusion == scores.confusion[np.ix_(order, order)]).all()


def test_the_order_of_the_pictures_does_not_matter(classifier, samples, scores):
    found = evaluate(classifier, samples[::-1])
    assert (found.confusion == scores.confusion).all()


def test_classes_without_pictures_have_empty_rows(classifier, samples):
    only = [sample for sample in samples if sample.label == "cow"]
    found = evaluate(classifier, only)
    assert found.images == len(only)
    assert found.confusion[:2].sum() == 0
    assert found.by_class[0].images == 0


def test_a_label_that_the_model_does_not_know(classifier, samples):
    strange = [*samples, Sample(samples[0].path, "dog"), Sample(samples[1].path, "猫")]
    with pytest.raises(DataError) as refusal:
        evaluate(classifier, strange)
    assert str(refusal.value) == (
        "the pictures have classes that the model does not know: dog, 猫. It knows: ant, bee, cow."
    )
    assert refusal.value.exit_code == 3


def test_nothing_to_measure(classifier):
    with pytest.raises(DataError, match="there are no pictures to measure"):
        evaluate(classifier, [])


def test_a_broken_file_is_left_out_and_named(classifier, samples, scores, tmp_path):
    found = evaluate(classifier, [broken(tmp_path), *samples], max_broken=0.05)
    assert (found.confusion == scores.confusion).all()
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("list.jpg: is a text file")


def test_too_many_broken_files(classifier, samples, tmp_path):
    with pytest.raises(DataError, match=re.escape("1 of 24 pictures cannot be read")) as refusal:
        evaluate(classifier, [*samples, broken(tmp_path)])
    assert "list.jpg" in str(refusal.value)


@pytest.mark.parametrize("limit", [0.01, 0.99])
def test_nothing_but_broken_files(limit, classifier, tmp_path):
    with pytest.raises(DataError, match="1 of 1 pictures cannot be read"):
        evaluate(classifier, [broken(tmp_path)], max_broken=limit)


def test_a_network_in_training_is_measured_in_evaluation_and_not_changed(
    classifier, samples, scores
):
    before = {name: value.clone() for name, value in classifier.model.state_dict().items()}
    classifier.model.train()
    found = evaluate(classifier, samples)
    assert (found.confusion == scores.confusion).all()
    after = classifier.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("precision", CANDIDATES[1:], ids=lambda p: p.describe())
def test_other_number_formats_measure_nearly_the_same(precision, classifier, samples, scores):
    pictures = [classifier.pixels(sample.path) for sample in samples]
    labels = label_positions(samples, CLASSES)
    same = Preprocess(16, 16)
    for chosen, tolerance in ((PLAIN, 1e-5), (precision, 0.05)):
        loader = EvaluationLoader(pictures, labels, same, 8, threads=0)
        found = measure(classifier, loader, chosen)
        assert found.images == 23
        assert found.loss == pytest.approx(scores.loss, rel=tolerance)


def test_positions_of_labels():
    asked = [Sample(Path("x"), label) for label in ("cow", "ant", "cow")]
    assert label_positions(asked, CLASSES) == [2, 0, 2]


def test_many_unknown_labels_are_not_all_listed():
    strange = [Sample(Path("x"), f"s{number}") for number in range(9)]
    many = [f"c{number:02}" for number in range(20)]
    with pytest.raises(DataError) as refusal:
        label_positions(strange, many)
    assert "s4. It knows: c00" in str(refusal.value) and "s5" not in str(refusal.value)
    assert str(refusal.value).endswith("c09.")


def test_the_truth_among_the_best_five_is_counted_where_there_are_more(samples):
    torch.manual_seed(0)
    names = tuple("abcdefg")
    made = Classifier(
        create_model("resnet20", num_classes=7, stem="small").eval(),
        *("resnet20", "small", names, Preprocess(16, 18)),
    )
    labelled = [Sample(s.path, names[i % 7]) for i, s in enumerate(samples)]
    by_hand = 0
    for sample in labelled:
        scores = made.predict(sample.path).scores  # the best first
        by_hand += sample.label in list(scores)[:5]
    assert evaluate(made, labelled).near == by_hand < len(labelled)
