"""Scores that mean something: fitted to how often answers are right, and a limit below which the
answer is `not sure`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortcut.metrics import LEAST, wilson_bounds

HOTTEST = 100.0
"""Above, every score is that of a guess; below its inverse every score is 1."""
HALVINGS = 30
"""Of the range in which the temperature lies: to eight digits."""
ONE_SIDED = 1.6448536269514722
"""95 % of a normal distribution lies below so many standard deviations."""
ENOUGH = 100
"""Pictures; fewer say too little of how sure to be."""


def fit_temperature(answers: NDArray[np.float32], truths: NDArray[np.int64]) -> float:
    """The temperature at which the loss of answers is least (Guo et al. 2017, arXiv:1706.04599).

    It changes no answer, only scores. The loss is convex in its inverse, so halving the range finds
    it.

    Args:
        answers: (N, C) probabilities at temperature 1, of pictures that took no part in training.
        truths: (N,) positions of classes.

    Returns:
        Between 1 / HOTTEST and HOTTEST; 1 where there are fewer than ENOUGH pictures, or all
        answers are right, so that no temperature is the best.
    """
    logs = np.log(np.maximum(answers.astype(np.float64), LEAST))
    if len(logs) < ENOUGH or (logs.argmax(1) == truths).all():
        return 1.0
    of_truth = logs[np.arange(len(logs)), truths]
    low, high = 1 / HOTTEST, HOTTEST  # of the inverse
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        if _slope(logs, of_truth, middle) > 0:
            high = middle
        else:
            low = middle
    return 1 / high


@dataclass(frozen=True)
class Limit:
    """A score below which answers are not given, and what that leads to."""

    score: float
    answered: int
    wrong: int
    """Of those answered."""
    images: int


def find_limit(
    scores: NDArray[np.float32], right: NDArray[np.bool_], max_error: float
) -> Limit | None:
    """The lowest score from which on at most `max_error` of answers are wrong, on new pictures
    too: not what was seen has to lie below, but the upper end of its 95 % interval (Wilson 1927).

    This is selective classification, where risk is bought with coverage (Geifman and El-Yaniv 2017,
    arXiv:1705.08500). Theirs is a guarantee, since they pay for having looked at many scores; this
    does not, and where scores say nothing a limit is granted in one case of eight, not of twenty.

    Args:
        scores: (N,) of pictures that took no part in training.
        right: (N,) whether their answers are.

    Returns:
        None where no score is high enough.
    """
    order = np.argsort(-scores, kind="stable")
    wrong = np.cumsum(~right[order], dtype=np.float64)
    answered = np.arange(1.0, len(order) + 1)
    _, at_most = wilson_bounds(wrong, answered, ONE_SIDED)
    # Pictures of the same score are answered together or not at all.
    ends = np.append(np.diff(scores[order]) < 0, True)
    holds = np.flatnonzero(ends & (at_most <= max_error))
    if not len(holds):
        return None
    last = int(holds[-1])
    score = float(scores[order[last]])
    return Limit(score, int(answered[last]), int(wrong[last]), len(scores))


def _slope(logs: NDArray[np.float64], of_truth: NDArray[np.float64], inverse: float) -> float:
    """Of the mean loss at an inverse temperature."""
    weights = np.exp(inverse * (logs - logs.max(1, keepdims=True)))
    weights /= weights.sum(1, keepdims=True)
    return float(((weights * logs).sum(1) - of_truth).mean())
