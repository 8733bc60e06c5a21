"""Counting right answers: the confusion matrix and what follows from it, with intervals."""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""95 % of a normal distribution lies within so many standard deviations."""

NEAR = 5
"""Answers among which the truth may be, as in ImageNet's top-5 error."""
BINS = 15
"""Of scores, as in Guo et al."""
LEAST = 1e-12
"""Probability that counts in place of 0, whose logarithm is no number."""


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
    reliability: NDArray[np.float64] | None = None
    """(BINS, 3): of the answers with a score in each fifteenth of 0 to 1, how many, the sum of
    their scores, and how many are right."""

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

    @property
    def most_frequent(self) -> tuple[str, float]:
        """The class with the most pictures, and its share: the accuracy of always saying that."""
        counts = self.confusion.sum(1)
        return self.classes[int(counts.argmax())], float(counts.max() / self.images)

    @property
    def guessed(self) -> bool:
        """Whether the accuracy is not surely above that of always saying `most_frequent`."""
        return self.interval[0] <= self.most_frequent[1]

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error (ECE; Guo et al. 2017, arXiv:1706.04599): how far scores are
        from the share of right answers, on average over pictures; None where it was not counted."""
        if self.reliability is None:
            return None
        return float(np.abs(self.reliability[:, 1] - self.reliability[:, 2]).sum() / self.images)

    @property
    def calibration_by_chance(self) -> float | None:
        """The calibration error that scores which are all true would show on so many pictures: the
        error is never negative, so chance alone lifts it (Roelofs et al. 2022, arXiv:2012.08668).

        In each bin the mean distance of a count from what is expected, as a normal distribution has
        it.
        """
        if self.reliability is None:
            return None
        images, sums, _ = self.reliability.T
        share = sums / np.maximum(images, 1)
        apart = np.sqrt(2 / np.pi * images * share * (1 - share).clip(0))
        return float(apart.sum() / self.images)

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
            "calibration_error": self.calibration_error,
            "calibration_error_by_chance": self.calibration_by_chance,
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


@dataclass(frozen=True)
class Answers:
    """What was answered to N pictures, as far as `Scores` depend on it."""

    truths: NDArray[np.int64]
    """(N,) positions of classes, as the next."""
    called: NDArray[np.int64]
    """The best answers."""
    scores: NDArray[np.float32]
    """Their probabilities."""
    of_truth: NDArray[np.float32]
    """Probabilities of the truths."""
    ranks: NDArray[np.int64]
    """How many classes are likelier than the truth."""

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether the best answer is the truth."""
        return self.called == self.truths

    def count(self, classes: int) -> NDArray[np.float64]:
        """Everything that `Scores` says of these pictures, as numbers that may be added up."""
        loss = -np.log(np.maximum(self.of_truth.astype(np.float64), LEAST)).sum()
        near = (self.ranks < NEAR).sum()
        # Where numbers went wrong the loss tells; here they must only not be in the way.
        bins = np.minimum((np.nan_to_num(self.scores) * BINS).astype(np.int64), BINS - 1)
        reliability = [
            np.bincount(bins, weights, BINS)
            for weights in (None, self.scores.astype(np.float64), self.right.astype(np.float64))
        ]
        confusion = confusion_matrix(self.truths, self.called, classes)
        parts = [[loss, near], np.stack(reliability, 1).ravel(), confusion.ravel()]
        return np.concatenate(parts).astype(np.float64)


def read_answers(answers: NDArray[np.float32], truths: NDArray[np.int64]) -> Answers:
    """Of (N, C) probabilities and (N,) positions of classes."""
    of_truth = answers[np.arange(len(answers)), truths]
    ranks = (answers > of_truth[:, None]).sum(1)
    return Answers(truths, answers.argmax(1), answers.max(1), of_truth, ranks)


def count_answers(answers: NDArray[np.float32], truths: NDArray[np.int64]) -> NDArray[np.float64]:
    """`Answers.count` of (N, C) probabilities and (N,) positions of classes."""
    return read_answers(answers, truths).count(answers.shape[1])


def scores_of(counts: NDArray[np.float64], classes: tuple[str, ...]) -> Scores:
    """The scores of all pictures whose `count_answers` were added up to `counts`."""
    loss, near = counts[:2]
    confusion = counts[2 + 3 * BINS :].astype(np.int64).reshape(len(classes), len(classes))
    return Scores(
        classes,
        confusion,
        loss=float(loss) / max(1, int(confusion.sum())),
        near=int(near) if len(classes) > NEAR else None,
        reliability=counts[2 : 2 + 3 * BINS].reshape(BINS, 3),
    )


def counts_length(classes: int) -> int:
    """How many numbers `count_answers` gives."""
    return 2 + 3 * BINS + classes**2


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927); honest also near 0 and 1 and for few pictures.

    Raises:
        ValueError: unless 0 <= correct <= images and images > 0.
    """
    if not 0 <= correct <= images or images == 0:
        raise ValueError(
            f"correct (={correct}) must lie in 0 to images (={images}), images above 0"
        )
    low, high = wilson_bounds(np.array(float(correct)), np.array(float(images)), Z95)
    return max(0.0, float(low)), min(1.0, float(high))


def wilson_bounds(
    correct: NDArray[np.float64], images: NDArray[np.float64], z: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both ends of Wilson's score interval, `z` standard deviations to each side, of every pair."""
    share, square = correct / images, z**2 / images
    spread = np.sqrt(square * (share * (1 - share) + square / 4))
    middle, shrink = share + square / 2, 1 + square
    return (middle - spread) / shrink, (middle + spread) / shrink


def at_temperature(answers: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """(N, C) probabilities with their logarithms divided by `temperature`, and normalised anew."""
    logs = np.log(np.maximum(answers, LEAST)) / temperature
    weights = np.exp(logs - logs.max(1, keepdims=True))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _ratio(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else 0.0
