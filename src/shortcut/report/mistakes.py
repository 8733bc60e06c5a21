"""The most confused pairs of classes, and of each the surest mistakes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shortcut.answers import Evaluation
from shortcut.data.samples import Sample
from shortcut.data.splits import portable_path

SHOWN_PAIRS, SHOWN_MISTAKES = 6, 8
"""48 pictures with heat maps of some 8 kB each are under a megabyte of page."""


@dataclass(frozen=True)
class Mistake:
    """One picture that was taken for another class."""

    name: str
    """As tables name it."""
    score: float
    """Of the wrong answer."""
    picture: bytes | None
    """A JPEG; None where the file cannot be read any more."""
    heat: bytes | None
    """The same picture with what in it speaks for the answer."""


@dataclass(frozen=True)
class Confusion:
    """A class that was taken for another."""

    truth: str
    answer: str
    count: int
    images: int
    """Of `truth`."""
    mistakes: tuple[Mistake, ...]
    """The surest ones, the surest first."""


Pictured = Callable[[Sample, int], tuple[bytes | None, bytes | None]]
"""A picture, and the class of the answer -> a small copy, and one with a heat map."""


def find_confusions(found: Evaluation, root: Path, pictured: Pictured) -> list[Confusion]:
    """The most frequent pairs first."""
    answers, errors = found.answers, found.scores.confusion.copy()
    np.fill_diagonal(errors, 0)
    confusions: list[Confusion] = []
    for place in np.argsort(-errors, axis=None, kind="stable")[:SHOWN_PAIRS]:
        truth, called = divmod(int(place), len(found.classes))
        if not errors[truth, called]:
            break
        chosen = np.flatnonzero((answers.truths == truth) & (answers.called == called))
        surest = chosen[np.argsort(-answers.scores[chosen], kind="stable")][:SHOWN_MISTAKES]
        mistakes = [
            Mistake(
                portable_path(found.samples[i].path, root),
                float(answers.scores[i]),
                *pictured(found.samples[i], called),
            )
            for i in surest
        ]
        images = int(found.scores.confusion[truth].sum())
        names = found.classes[truth], found.classes[called]
        confusions.append(Confusion(*names, len(chosen), images, tuple(mistakes)))
    return confusions
