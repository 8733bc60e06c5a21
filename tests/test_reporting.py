"""What a report says first, and that it says no more than is known."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from shortcut.answers import Evaluation
from shortcut.data.samples import Sample
from shortcut.language import speak
from shortcut.metrics import read_answers
from shortcut.report.mistakes import Confusion, Mistake
from shortcut.report.page import Found, Report, render_report
from shortcut.reporting import _weakest

LEAK = Found("leak", "error", "error", 7, "leaks", "")


def even(classes: int, images: int, share: float, weak: float | None = None) -> Evaluation:
    """Made answers: each class is right on `share` of its pictures, the first on `weak`."""
    draw = np.random.default_rng(1)
    truths = np.repeat(np.arange(classes), images // classes)
    shares = np.where(truths == 0, share if weak is None else weak, share)
    called = np.where(draw.random(len(truths)) < shares, truths, (truths + 1) % classes)
    answers = np.full((len(truths), classes), 0.1 / classes, np.float32)
    answers[np.arange(len(truths)), called] = 0.9
    samples = tuple(Sample(Path(f"{i}.png"), str(t)) for i, t in enumerate(truths))
    names = tuple(map(str, range(classes)))
    return Evaluation(samples, read_answers(answers, truths), names)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_equal_classes_have_no_weakest_and_a_weak_one_is_named(classes: int) -> None:
    assert _weakest(even(classes, 50 * classes, 0.9).scores, speak("en")) == ""
    weak = even(classes, 50 * classes, 0.97, weak=0.4).scores
    assert "The weakest class is 0: " in _weakest(weak, speak("en"))


def report(**facts: object) -> Report:
    empty = {field.name: () for field in fields(Report)} | {"curves": b"", "matrix": b""}
    known = {"run": "run", "recipe": "", "part": "val", "mirrored": False, "findings": []}
    return Report(**empty | known | {"measured": {"test": even(2, 2000, 0.95)}} | facts)


def test_leaks_take_the_verdict_its_colour() -> None:
    page = render_report(report(findings=[LEAK]))
    assert 'class="verdict warning"' in page
    assert "But 7 pictures of the data stand in two parts, so it may flatter." in page
    assert 'class="verdict good"' in render_report(report())
    other = replace(LEAK, kind="copies")
    assert 'class="verdict good"' in render_report(report(findings=[other]))


def test_mistakes_say_what_maps_do_not_show_and_how_many_labels_are_doubtful() -> None:
    pair = Confusion("a", "b", count=1, images=9, mistakes=(Mistake("x.png", 0.9, b"1", b"2"),))
    page = render_report(report(mirrored=True, contradicted=1234, confusions=[pair]))
    assert "contradicted with confidence: 1,234." in page
    assert "mirror image has a say" in page and 'alt="What speaks for b in it"' in page
    page = render_report(report(contradicted=0, confusions=[pair]))
    assert "mirror image" not in page and "with confidence" not in page
