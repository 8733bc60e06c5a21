"""The end of a training: asked in the size that suits it, where a budget changed what it saw."""

import math
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.recipes import write_tiny_recipe
from tests.stories import CalmPace, drain

from shortcut import conclusion, course
from shortcut.budget import Budget
from shortcut.classifier import Classifier, load
from shortcut.data.preprocess import Preprocess
from shortcut.data.samples import Sample
from shortcut.evaluation import evaluating
from shortcut.events import Event, Notice, run_silently
from shortcut.job import Job
from shortcut.metrics import Scores
from shortcut.recipe import read_recipe
from shortcut.runs import Outcome, resuming, training

PLANNED, SMALL = Preprocess(16, 18), Preprocess(8, 9)


def pace_of(size: int, *, adaptable: bool) -> type[CalmPace]:
    """A pace whose pictures had this size in all three epochs."""

    class Sized(CalmPace):
        def __init__(self, job: Job, *given: object) -> None:
            super().__init__(job, *given)
            job.plan([size] * 3)
            job.adaptable = adaptable

    return Sized


@pytest.fixture
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget chose the size, and its pictures became smaller than those that go with it."""
    monkeypatch.setattr(course, "Pace", pace_of(8, adaptable=True))


def trained(photos: Path, folder: Path) -> tuple[list[str], Outcome]:
    """What was told of sizes, and what came of it."""
    recipe, budget = read_recipe(write_tiny_recipe(folder)), Budget(60.0, time.monotonic())
    events, outcome = drain(training(photos, recipe, budget=budget, output=folder / "run"))
    told = [event.text for event in events if isinstance(event, Notice)]
    return [text for text in told if text.startswith("asked at")], outcome


def val_says(loss: float, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of the other size, so much; gets the sizes that were asked about."""
    asked: list[int] = []

    def measuring(classifier: Classifier, *_: object) -> Generator[Notice, None, SimpleNamespace]:
        asked.append(classifier.preprocess.image_size)
        yield Notice("measuring")
        return SimpleNamespace(loss=loss)

    monkeypatch.setattr(conclusion, "measuring", measuring)
    return asked


@pytest.mark.usefixtures("smaller")
def test_smaller_last_pictures_may_suit_a_smaller_size(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = val_says(-1.0, monkeypatch)
    told, outcome = trained(tiny_photos, tmp_path)
    assert asked == [8] and len(told) == 1
    expected = "asked at 8 px, not at 16: it learned from 8 px in the end, and 16 go with 16 "
    assert told[0].startswith(expected + "(val loss -1.000, not ")
    kept = load(outcome.folder / "best.safetensors")
    assert kept.preprocess == outcome.classifier.preprocess == SMALL
    assert "middle square of 8 px" in (outcome.folder / "record.md").read_text("utf-8")
    assert read_recipe(outcome.folder / "recipe.yaml").data.image_size == 16  # as asked


@pytest.mark.usefixtures("smaller")
def test_figures_are_those_of_the_size_it_is_asked_in(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from the files, as `evaluate` will."""
    val_says(-1.0, monkeypatch)
    _, outcome = trained(tiny_photos, tmp_path)
    lines = (outcome.folder / "split.csv").read_text("utf-8").splitlines()
    rows = [line.split(",") for line in lines if ",val" in line]
    samples = [Sample(tiny_photos / row[0], row[1]) for row in rows]
    again = run_silently(evaluating(outcome.classifier, samples))
    assert len(samples) == outcome.val.images
    assert (again.scores.confusion == outcome.val.confusion).all()
    assert again.scores.loss == pytest.approx(outcome.val.loss, rel=1e-6)


@pytest.mark.parametrize(
    ("size", "adaptable", "loss", "expected"),
    [(8, True, math.inf, [8]), (8, False, -1.0, []), (16, True, -1.0, [])],
    ids=["val says no", "the size was named", "pictures go with it"],
)
def test_the_planned_size_stays(
    size: int,
    adaptable: bool,
    loss: float,
    expected: list[int],
    tiny_photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(course, "Pace", pace_of(size, adaptable=adaptable))
    asked = val_says(loss, monkeypatch)
    told, outcome = trained(tiny_photos, tmp_path)
    assert told == [] and asked == expected and outcome.classifier.preprocess == PLANNED


@pytest.mark.usefixtures("smaller")
def test_where_val_pictures_are_gone_by_then_nothing_is_compared(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, read = val_says(-1.0, monkeypatch), conclusion.read_pictures

    def gone(samples: Sequence[Sample], *given: Any, **named: Any) -> Any:
        for sample in samples:
            sample.path.unlink()
        return read(samples, *given, **named)

    monkeypatch.setattr(conclusion, "read_pictures", gone)
    told, outcome = trained(tiny_photos, tmp_path)
    assert told == [] and asked == [] and outcome.classifier.preprocess == PLANNED


@pytest.mark.usefixtures("smaller")
def test_the_size_does_not_depend_on_whether_scores_were_calibrated(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured again, a run has a temperature already; val must say what it said before."""
    found: list[float] = []
    measuring = conclusion.measuring

    def noted(*given: Any) -> Generator[Event, None, Scores]:
        scores = yield from measuring(*given)
        found.append(scores.loss)
        return scores

    monkeypatch.setattr(conclusion, "measuring", noted)
    _, first = trained(tiny_photos, tmp_path)
    _, again = drain(resuming(first.folder))
    assert len(found) == 2 and found[0] == found[1]
    assert again.classifier.preprocess == first.classifier.preprocess


@pytest.mark.usefixtures("smaller")
def test_a_run_that_is_gone_on_with_comes_to_the_same_size(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no clock, but its state says that a budget chose the size."""
    val_says(-1.0, monkeypatch)
    _, first = trained(tiny_photos, tmp_path)
    _, again = drain(resuming(first.folder))
    assert again.classifier.preprocess == SMALL
    val_says(math.inf, monkeypatch)
    _, other = drain(resuming(first.folder))
    assert other.classifier.preprocess == PLANNED


@pytest.mark.usefixtures("smaller")
def test_pictures_that_measure_every_epoch_choose_no_size(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the test pictures."""
    asked = val_says(-1.0, monkeypatch)
    (tmp_path / "parts").mkdir()
    for part in ("train", "test"):
        (tmp_path / "parts" / part).symlink_to(tiny_photos, target_is_directory=True)
    changes: dict[str, object] = {"data.validation": "test", "data.val_fraction": None}
    recipe = read_recipe(write_tiny_recipe(tmp_path), changes)
    budget = Budget(60.0, time.monotonic())
    _, outcome = drain(training(tmp_path / "parts", recipe, budget=budget, output=tmp_path / "run"))
    assert asked == [] and outcome.classifier.preprocess == PLANNED
