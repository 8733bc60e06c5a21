"""Which pairs were confused, and which mistakes were the surest."""

from pathlib import Path

import numpy as np

from shortcut.answers import Evaluation
from shortcut.data.samples import Sample
from shortcut.metrics import Answers
from shortcut.report.mistakes import SHOWN_MISTAKES, find_confusions

CLASSES = ("ant", "bee", "cow")


def evaluation(*answers: tuple[int, int, float]) -> Evaluation:
    """Of truth, answer, score."""
    truths, called, scores = (np.array(column) for column in zip(*answers, strict=True))
    samples = tuple(Sample(Path(f"r/{i}.png"), CLASSES[t]) for i, t in enumerate(truths))
    found = Answers(truths, called, scores.astype(np.float32), scores.astype(np.float32), called)
    return Evaluation(samples, found, CLASSES)


def test_the_most_frequent_pair_first_and_of_each_the_surest() -> None:
    found = evaluation((0, 1, 0.6), (0, 1, 0.9), (2, 1, 0.99), (0, 0, 1.0), (1, 1, 1.0))
    asked: list[tuple[str, int]] = []

    def pictured(sample: Sample, called: int) -> tuple[bytes | None, bytes | None]:
        asked.append((sample.path.name, called))
        return b"p", None

    first, second = find_confusions(found, Path("r"), pictured)
    assert (first.truth, first.answer, first.count, first.images) == ("ant", "bee", 2, 3)
    assert [(m.name, round(m.score, 2)) for m in first.mistakes] == [("1.png", 0.9), ("0.png", 0.6)]
    assert (second.truth, second.answer, second.count) == ("cow", "bee", 1)
    assert asked == [("1.png", 1), ("0.png", 1), ("2.png", 1)]


def test_no_mistakes_no_pairs_and_never_too_many() -> None:
    assert find_confusions(evaluation((0, 0, 1.0)), Path("r"), lambda *_: (None, None)) == []
    many = evaluation(*[(0, 1, 0.5 + i / 100) for i in range(30)])
    (one,) = find_confusions(many, Path("r"), lambda *_: (None, None))
    assert one.count == 30 and len(one.mistakes) == SHOWN_MISTAKES
    assert one.mistakes[0].name == "29.png"
