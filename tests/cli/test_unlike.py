"""A real training that knows its pictures: what `predict` and `evaluate` say of others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Run
from tests.pictures import make_pictures
from tests.recipes import write_tiny_recipe

from shortcut import load, read_recipe, train
from shortcut.prediction import as_csv, as_json, as_text, predict_files


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that has enough pictures in val."""
    folder = tmp_path_factory.mktemp("known")
    recipe = read_recipe(write_tiny_recipe(folder), {"data.val_fraction": 0.5})
    photos = make_pictures(folder / "photos", each=150)
    outcome = train(photos, recipe, output=folder / "run")
    assert outcome is not None
    return outcome.folder


@pytest.fixture(scope="module")
def model(run: Path) -> Path:
    return run / "best.safetensors"


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of another kind: stripes of green and black."""
    folder = tmp_path_factory.mktemp("others")
    for number in range(30):
        pixels = np.zeros((24, 32, 3), np.uint8)
        pixels[:: 2 + number % 3, :, 1] = 150 + 3 * number
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def test_a_training_tells_pictures_of_another_kind(model: Path, run: Path, others: Path) -> None:
    classifier = load(model)
    own = make_pictures(others.parent / "own", each=100)
    strange = [a.prediction for a in predict_files(classifier, [others])]
    usual = [a.prediction for a in predict_files(classifier, [own])]
    assert all(p and p.unlike and p.distance for p in strange)
    assert sum(p.unlike for p in usual if p) <= 10
    assert "as 1 in 100 of val are called `unlike anything" in (run / "log.txt").read_text("utf-8")


def test_answers_are_the_same_with_and_without(model: Path, others: Path) -> None:
    known = load(model)
    plain = replace(known, familiarity=None)
    pixels = [known.pixels(path) for path in sorted(others.iterdir())]
    for one, other in zip(known.predict_pixels(pixels), plain.predict_pixels(pixels), strict=True):
        assert (one.scores, one.sure) == (other.scores, other.sure)
        assert (other.unlike, other.distance) == (False, None)


def test_every_form_says_so(model: Path, others: Path) -> None:
    classifier = load(model)
    answers = list(predict_files(classifier, [others / "00.png"]))
    (found,) = (answer.prediction for answer in answers)
    assert found is not None
    said = f"unlike anything seen in training (perhaps {found.label})"
    assert as_text(answers) == f"this picture might be: {said} , score: {found.score:.2f}"
    (record,) = json.loads(as_json(answers))
    assert (record["unlike"], record["distance"]) == (True, found.distance)
    assert as_csv(answers, classifier.classes).splitlines()[1].split(",")[2:4] == ["yes", "yes"]


def test_evaluate_says_how_many_are_unlike(
    shortcut: Run, model: Path, run: Path, others: Path
) -> None:
    photos, words = run.parent / "photos", ("--part", "all", "--format", "json")
    facts = json.loads(shortcut("evaluate", model, photos, *words, "--foreign", others).out)
    assert facts["foreign"]["images"] == facts["foreign"]["unlike"] == 30
    assert facts["foreign"]["auroc"] > 0.99
    low, high = facts["foreign"]["interval"]
    assert 0.8 < low < facts["foreign"]["auroc"] <= high <= 1
    assert facts["unlike"] <= 10
    plain = json.loads(shortcut("evaluate", model, photos, *words).out)
    assert plain["unlike"] == facts["unlike"] and "foreign" not in plain
    said = shortcut("evaluate", model, photos, "--part", "all", "--foreign", others).out
    assert f"{facts['unlike']} of 300" in said and "30 of 30 (100.0%) foreign ones" in said
    assert "told from foreign ones with AUROC 1.000, 95 % interval [0." in said


def test_foreign_pictures_that_cannot_be_asked_are_refused(
    shortcut: Run, model: Path, others: Path, tmp_path: Path
) -> None:
    photos = make_pictures(tmp_path / "photos")
    replace(load(model), familiarity=None).save(tmp_path / "old.safetensors")
    refused = shortcut("evaluate", tmp_path / "old.safetensors", photos, "--foreign", others)
    assert refused.code == 4 and "cannot tell what is unlike" in refused.last_error_line
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"none")
    refused = shortcut("evaluate", model, photos, "--foreign", broken)
    assert "none of the foreign pictures can be read" in refused.last_error_line
    (broken / "b.png").write_bytes((others / "00.png").read_bytes())
    said = shortcut("evaluate", model, photos, "--foreign", broken)
    assert said.code == 0 and "a.png" in said.err and "1 of 1 (100.0%) foreign ones" in said.out


def test_equal_trainings_know_the_same(run: Path, tmp_path: Path) -> None:
    recipe = read_recipe(write_tiny_recipe(tmp_path), {"data.val_fraction": 0.5})
    again = train(run.parent / "photos", recipe, output=tmp_path / "run")
    assert again is not None and again.classifier.familiarity is not None
    first = load(run / "best.safetensors").familiarity
    assert first is not None and again.classifier.familiarity.figures() == first.figures()
    for name, value in first.arrays().items():
        assert (again.classifier.familiarity.arrays()[name] == value).all()
