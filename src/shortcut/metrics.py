"""Counting right answers: the confusion matrix and what follows from it, with intervals."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""95 % of a normal distribution lies within so many standard deviations."""

NEAR = 5
"""Answers among which the truth may be, as in ImageNet's top-5 error."""


@dataclass(frozen=True)
class ClassScore:
    """How one class fared. Ratios without a denominator are 0, as in scikit-learn's default."""

    label: str
    precision: float
    """Of the pictures called so, the share that are so."""
    recall: float
    """Of the pictures that are so, the share called so."""
    interval: tuple[float, float]
    """95 % interval of the recall; 0 to 1 where there are no pictures."""
    f1: float
    images: int


@dataclass(frozen=True)
class Scores:
    """What a classifier did on labelled pictures."""

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    """(classes, classes): row is the truth, column the answer."""
    loss: float
    """Mean cross entropy, in nats."""
    left_out: tuple[str, ...] = ()
    """One line for each file that could not be read and does not count."""
    near: int | None = None
    """Pictures whose truth is among the `NEAR` best answers; None where there are no more classes
    than that."""

    @property
    def images(self) -> int:
        """How many pictures were measured."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """How many answers were right."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return self.correct / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson_interval(self.correct, self.images)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes that have pictures: what accuracy would be if these were
        equally frequent."""
        recalls = [score.recall for score in self.by_class if score.images]
        return sum(recalls) / len(recalls)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON, keys in full words."""
        return {
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "images": self.images,
            "correct": self.correct,
            "balanced_accuracy": self.balanced_accuracy,
            **({} if self.near is None else {f"top_{NEAR}_accuracy": self.near / self.images}),
            "loss": self.loss,
            "classes": [asdict(c) | {"interval": list(c.interval)} for c in self.by_class],
            "confusion_matrix": self.confusion.tolist(),
            "left_out": list(self.left_out),
        }

    @cached_property
    def by_class(self) -> tuple[ClassScore, ...]:
        """Precision, recall and F1 of each class, in the order of `classes`."""
        hits = np.diag(self.confusion)
        called, real = self.confusion.sum(0), self.confusion.sum(1)
        return tuple(
            ClassScore(
                label,
                precision=_ratio(hits[i], called[i]),
                recall=_ratio(hits[i], real[i]),
                interval=wilson_interval(int(hits[i]), int(real[i])) if real[i] else (0.0, 1.0),
                f1=_ratio(2 * hits[i], called[i] + real[i]),
                images=int(real[i]),
            )
            for i, label in enumerate(self.classes)
        )


def confusion_matrix(
    truths: NDArray[np.int64], answers: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """(count, count) with truth along rows; both arrays are (N,) positions below `count`."""
    return np.bincount(truths * count + answers, minlength=count * count).reshape(count, count)


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927); honest also near 0 and 1 and for few pictures.

    Raises:
        ValueError: unless 0 <= correct <= images and images > 0.
    """
    if not 0 <= correct <= images or images == 0:
        raise ValueError(
            f"correct (={correct}) must lie in 0 to images (={images}), images above 0"
        )
    share = correct / images
    shrink = 1 + Z95**2 / images
    centre = (share + Z95**2 / (2 * images)) / shrink
    half = Z95 / shrink * math.sqrt(share * (1 - share) / images + Z95**2 / (4 * images**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _ratio(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else 0.0
