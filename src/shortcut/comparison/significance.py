"""Two classifiers on the same pictures: how far apart they are, and whether that may be chance.

Only pictures that one of them gets right and the other wrong tell them apart. So the test is
McNemar's (1947, Psychometrika 12:153), in its exact form: were both equally good, each such picture
would fall to either like a coin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shortcut.metrics import wilson_interval

LEVEL = 0.05
"""A difference counts where chance alone makes one as large more rarely than this."""
POWER = 0.8
"""The share of attempts in which the number of pictures that is asked for shall tell."""

Verdict = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True)
class ClassGain:
    """How the two fared on the pictures of one class."""

    label: str
    pictures: int
    first: int
    """Right answers of the first."""
    other: int
    """Of the other."""
    gained: int
    """Pictures that only the other gets right."""
    lost: int
    """That only the first gets right."""


@dataclass(frozen=True)
class Comparison:
    """Another classifier held against the first, picture by picture."""

    pictures: int
    both: int
    """Pictures that both get right."""
    only_first: tuple[int, ...]
    """Positions of the pictures that only the first gets right."""
    only_other: tuple[int, ...]
    """That only the other gets right."""
    by_class: tuple[ClassGain, ...]
    adjusted_p: float
    """`p_value` after Holm's correction for `comparisons`; the verdict goes by it."""
    comparisons: int = 1
    """How many others are held against the first."""

    @property
    def difference(self) -> float:
        """Accuracy of the other, less that of the first."""
        return (len(self.only_other) - len(self.only_first)) / self.pictures

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference, of this comparison for itself. The test is exact and a
        little stricter: it may not tell where this just leaves out 0."""
        first, other = len(self.only_first), len(self.only_other)
        neither = self.pictures - self.both - first - other
        return paired_interval(self.both, first, other, neither)

    @cached_property
    def p_value(self) -> float:
        """How often chance alone makes a difference as large, for itself; see `mcnemar`."""
        return mcnemar(len(self.only_first), len(self.only_other))

    @property
    def verdict(self) -> Verdict:
        """Of the other: whether it is really better or worse than the first."""
        if self.adjusted_p > LEVEL:
            return "cannot tell"
        return "better" if self.difference > 0 else "worse"

    @property
    def pictures_needed(self) -> int | None:
        """About how many pictures tell a difference of this size in 8 of 10 attempts, if it is
        real; None where there is none."""
        return pictures_needed(
            len(self.only_first) / self.pictures,
            len(self.only_other) / self.pictures,
            LEVEL / self.comparisons,
        )


def compare_answers(
    first: NDArray[np.float32],
    others: Sequence[NDArray[np.float32]],
    truths: NDArray[np.int64],
    classes: Sequence[str],
) -> tuple[Comparison, ...]:
    """The first classifier held against each of the others, with Holm's correction.

    Args:
        first: (N, C) probabilities.
        others: the same of each other one, of the same pictures in the same order.
        truths: (N,) positions in `classes`.

    Raises:
        ValueError: there are no pictures, or shapes do not match.
    """
    for answers in (first, *others):
        if not len(truths) or answers.shape != (len(truths), len(classes)):
            raise ValueError(
                f"answers of shape {answers.shape} for {len(truths)} pictures and {len(classes)} "
                "classes; one row a picture and at least one picture are needed"
            )
    right = [answers.argmax(1) == truths for answers in (first, *others)]
    ps = [mcnemar(int((right[0] & ~r).sum()), int((r & ~right[0]).sum())) for r in right[1:]]
    return tuple(
        Comparison(
            pictures=len(truths),
            both=int((right[0] & other).sum()),
            only_first=_positions(right[0] & ~other),
            only_other=_positions(other & ~right[0]),
            by_class=_gains(right[0], other, truths, classes),
            adjusted_p=p,
            comparisons=len(others),
        )
        for other, p in zip(right[1:], holm(ps), strict=True)
    )


def mcnemar(only_first: int, only_other: int) -> float:
    """The two-sided p-value of McNemar's exact test (1947): how often `only_first + only_other`
    coins fall as unevenly."""
    coins, fewer = only_first + only_other, min(only_first, only_other)
    log_all = math.lgamma(coins + 1) - coins * math.log(2)
    tail = math.fsum(
        math.exp(log_all - math.lgamma(heads + 1) - math.lgamma(coins - heads + 1))
        for heads in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several comparisons, adjusted: who calls those real that are at most 0.05 calls
    none so by mistake in 95 of 100 such groups (Holm 1979, Scandinavian Journal of Statistics
    6:65)."""
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def paired_interval(
    both: int, only_first: int, only_other: int, neither: int
) -> tuple[float, float]:
    """95 % interval of the other's accuracy less the first's (Newcombe 1998, Statistics in Medicine
    17:2635, method 10): Wilson's intervals of both, put together by how much their answers go
    together."""
    pictures = both + only_first + only_other + neither
    first, other = both + only_first, both + only_other
    low_first, high_first = (
        abs(end - first / pictures) for end in wilson_interval(first, pictures)
    )
    low_other, high_other = (
        abs(end - other / pictures) for end in wilson_interval(other, pictures)
    )
    margins = first * other * (pictures - first) * (pictures - other)
    together = both * neither - only_first * only_other
    if together > 0:  # his correction for continuity
        together = max(together - pictures / 2, 0.0)
    phi = together / math.sqrt(margins) if margins else 0.0
    difference = (only_other - only_first) / pictures
    below = low_other**2 - 2 * phi * low_other * high_first + high_first**2
    above = high_other**2 - 2 * phi * high_other * low_first + low_first**2
    return difference - math.sqrt(max(0.0, below)), difference + math.sqrt(max(0.0, above))


def pictures_needed(only_first: float, only_other: float, level: float = LEVEL) -> int | None:
    """How many pictures McNemar's test needs to tell these shares apart at `level`, in `POWER` of
    attempts (Connor 1987, Biometrics 43:207); None where they are equal.

    Args:
        only_first: share of pictures, 0 to 1, that only the first gets right.
        only_other: that only the other gets right.
    """
    apart, differing = abs(only_other - only_first), only_first + only_other
    if apart == 0:
        return None
    normal = NormalDist()
    spread = normal.inv_cdf(1 - level / 2) * math.sqrt(differing)
    spread += normal.inv_cdf(POWER) * math.sqrt(max(0.0, differing - apart**2))
    # His is an approximation; the exact test can never tell by fewer coins than these.
    coins = math.ceil(1 - math.log2(level))
    return math.ceil(max((spread / apart) ** 2, coins / differing))


def _gains(
    first: NDArray[np.bool_],
    other: NDArray[np.bool_],
    truths: NDArray[np.int64],
    classes: Sequence[str],
) -> tuple[ClassGain, ...]:
    chosen = (np.ones_like(first), first, other, other & ~first, first & ~other)
    counts = [np.bincount(truths[which], minlength=len(classes)) for which in chosen]
    rows = np.stack(counts, 1).tolist()
    return tuple(ClassGain(label, *row) for label, row in zip(classes, rows, strict=True))


def _positions(which: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(which).tolist())
