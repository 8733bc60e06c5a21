"""The end of a training: asked in the size that suits it, where a budget changed what it saw."""

import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.recipes import write_tiny_recipe
from tests.stories import drain

from shortcut import conclusion, course
from shortcut.budget import Budget
from shortcut.classifier import Classifier, load
from shortcut.data.preprocess import Preprocess
from shortcut.data.samples import Sample
from shortcut.evaluation import evaluating
from shortcut.events import Notice, run_silently
from shortcut.job import Job
from shortcut.recipe import read_recipe
from shortcut.runs import Outcome, resuming, training

PLANNED, SMALL = Preprocess(16, 18), Preprocess(8, 9)


def pace_of(sizes: list[int], *, adaptable: bool) -> type:
    """A pace whose epochs had these sizes in the end."""

    class Pace:
        def __init__(self, job: Job, *_: object) -> None:
            job.plan(sizes)
            job.adaptable = adaptable

        def describe(self) -> Notice:
            return Notice("plan: as asked")

        verdict = describe

        def adjust(self, _: object) -> None:
            return None

        glance = adjust

        def left(self) -> float:
            return 0.0

    return Pace


def trained(photos: Path, folder: Path) -> tuple[list[str], Outcome]:
    """What was told of sizes, and what came of it."""
    recipe, budget = read_recipe(write_tiny_recipe(folder)), Budget(60.0, time.monotonic())
    events, outcome = drain(training(photos, recipe, budget=budget, output=folder / "run"))
    told = [event.text for event in events if isinstance(event, Notice)]
    return [text for text in told if text.startswith("asked at")], outcome


def losses_by_size(monkeypatch: pytest.MonkeyPatch, losses: dict[int, float]) -> list[int]:
    """Makes val say so; gets the sizes that were asked for."""
    asked: list[int] = []

    def measuring(classifier: Classifier, *_: object) -> Generator[Notice, None, SimpleNamespace]:
        asked.append(classifier.preprocess.image_size)
        yield Notice("measuring")
        return SimpleNamespace(loss=losses[asked[-1]])

    monkeypatch.setattr(conclusion, "measuring", measuring)
    return asked


def test_smaller_last_pictures_may_suit_a_smaller_size(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "Pace", pace_of([16, 16, 8], adaptable=True))
    asked = losses_by_size(monkeypatch, {16: 0.3, 8: 0.2})
    told, outcome = trained(tiny_photos, tmp_path)
    assert asked == [16, 8]
    assert told == [
        "asked at 8 px, not at 16: the last pictures were 8 px and not the 16 that were planned "
        "(val loss 0.200, not 0.300)"
    ]
    kept = load(outcome.folder / "best.safetensors")
    assert kept.preprocess == outcome.classifier.preprocess == SMALL
    assert "middle square of 8 px" in (outcome.folder / "record.md").read_text("utf-8")
    assert read_recipe(outcome.folder / "recipe.yaml").data.image_size == 16  # as asked


def test_figures_are_those_of_the_size_it_is_asked_in(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from the files, as `evaluate` will."""
    monkeypatch.setattr(course, "Pace", pace_of([16, 16, 8], adaptable=True))
    losses_by_size(monkeypatch, {16: 0.3, 8: 0.2})
    _, outcome = trained(tiny_photos, tmp_path)
    lines = (outcome.folder / "split.csv").read_text("utf-8").splitlines()
    rows = [line.split(",") for line in lines if ",val" in line]
    samples = [Sample(tiny_photos / row[0], row[1]) for row in rows]
    again = run_silently(evaluating(outcome.classifier, samples))
    assert len(samples) == outcome.val.images
    assert (again.scores.confusion == outcome.val.confusion).all()
    assert again.scores.loss == pytest.approx(outcome.val.loss, rel=1e-6)


@pytest.mark.parametrize(
    ("sizes", "adaptable", "losses", "expected"),
    [
        ([16, 16, 8], True, {16: 0.2, 8: 0.3}, [16, 8]),
        ([16, 16, 8], True, {16: 0.2, 8: 0.2}, [16, 8]),
        ([16, 16, 8], False, {}, []),
        ([8, 8, 16], True, {}, []),
    ],
    ids=["val says no", "no better", "the size was named", "as planned"],
)
def test_the_planned_size_stays(
    sizes: list[int],
    adaptable: bool,
    losses: dict[int, float],
    expected: list[int],
    tiny_photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(course, "Pace", pace_of(sizes, adaptable=adaptable))
    asked = losses_by_size(monkeypatch, losses)
    told, outcome = trained(tiny_photos, tmp_path)
    assert told == [] and asked == expected and outcome.classifier.preprocess == PLANNED


def test_a_run_that_is_gone_on_with_comes_to_the_same_size(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no clock, but its state says that a budget chose the size."""
    monkeypatch.setattr(course, "Pace", pace_of([16, 16, 8], adaptable=True))
    losses_by_size(monkeypatch, {16: 0.3, 8: 0.2})
    _, first = trained(tiny_photos, tmp_path)
    _, again = drain(resuming(first.folder))
    assert again.classifier.preprocess == SMALL
    losses_by_size(monkeypatch, {16: 0.2, 8: 0.3})
    _, other = drain(resuming(first.folder))
    assert other.classifier.preprocess == PLANNED


def test_pictures_that_measure_every_epoch_choose_no_size(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the test pictures."""
    monkeypatch.setattr(course, "Pace", pace_of([16, 16, 8], adaptable=True))
    asked = losses_by_size(monkeypatch, {})
    (tmp_path / "parts").mkdir()
    for part in ("train", "test"):
        (tmp_path / "parts" / part).symlink_to(tiny_photos, target_is_directory=True)
    changes: dict[str, object] = {"data.validation": "test", "data.val_fraction": None}
    recipe = read_recipe(write_tiny_recipe(tmp_path), changes)
    budget = Budget(60.0, time.monotonic())
    _, outcome = drain(training(tmp_path / "parts", recipe, budget=budget, output=tmp_path / "run"))
    assert asked == [] and outcome.classifier.preprocess == PLANNED
