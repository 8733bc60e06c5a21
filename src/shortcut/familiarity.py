"""How far a picture lies from all those of the training, in what the network makes of it: a hot dog
shown to a network that knows cats and dogs is told from both, whatever score it is given.

A distance is the sum of two: of what early stages see (colours, edges, textures) and of what the
last one sees (things). Either is that to a near picture of the training (k nearest neighbours,
Sun et al. 2022, arXiv:2204.06507), early features along whitened axes, which is Mahalanobis'
measure (Lee et al. 2018, arXiv:1807.03888), late ones as unit vectors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortcut.errors import ModelError
from shortcut.metrics import Z95

PREFIX = "familiarity."
"""Of the names of its tensors in a model file."""
MOST_KNOWN = 1000
"""Pictures of the training that are remembered: to look at them takes time, and twice as many tell
hardly better (an AUROC of 0.860 for 0.856)."""
ENOUGH = 100
"""Pictures of val; fewer say too little of where the most unlike hundredth begins."""
FLAGGED = 0.01
"""Share of known pictures that are called unlike."""
AXES = 128
"""Numbers that are kept of a picture, twice."""
SHRINK = 0.05
"""By so much axes are taken to be as wide as the mean of all: the narrowest are mostly noise."""
NEAREST = {"early": 1, "late": 3}
"""Which neighbour is asked. Chosen, as `AXES` is, by how well cats and dogs are told from hot dogs;
it matters little."""
LONGEST_BANK, WIDEST, MOST_AXES = 4096, 16_384, 512
"""In a file that is not to be trusted."""
LEAST = 1e-6
"""Distance that counts in place of 0, whose logarithm is no number."""

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """Pictures of the training as points, and how far from them other pictures of their kind
    lie."""

    centre: Features
    """(D,): what becomes the origin."""
    axes: Features
    """(D, A): the coordinates of points, by one product."""
    bank: NDArray[np.float16]
    """(n, A): the points."""
    nearest: int
    """Which neighbour, counted from 1, a distance is to."""
    middle: float = 0.0
    """Median of the logarithms of such distances on val."""
    spread: float = 1.0
    """Their standard deviation, as their quartiles tell it."""

    def strangeness(self, features: Features) -> NDArray[np.float64]:
        """(N, D) -> (N,): 0 as far as usual, then in standard deviations of the logarithm."""
        axes, bank, lengths = self._ready
        points = (features.astype(np.float64) - self.centre) @ axes
        squares = (points**2).sum(1)[:, None] + lengths - 2 * points @ bank.T
        chosen = np.partition(squares, self.nearest - 1, axis=1)[:, self.nearest - 1]
        return (np.log(np.sqrt(chosen.clip(LEAST**2))) - self.middle) / self.spread

    @cached_property
    def _ready(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Axes, points and their squared lengths: to make them takes as long as to ask."""
        bank = self.bank.astype(np.float64)
        return self.axes.astype(np.float64), bank, (bank**2).sum(1)


@dataclass(frozen=True)
class Familiarity:
    """What features of known pictures are like, see `models.stages.classify_and_describe`."""

    early: Neighbours
    """Of all stages but the last."""
    late: Neighbours
    limit: float
    """Distances above are `unlike anything seen in training`: on val, one in a hundred."""

    def distance(self, features: Features) -> Features:
        """(N, D) -> (N,): 0 for typical pictures, larger for stranger ones."""
        early, late = _divided(features, len(self.early.centre))
        return (self.early.strangeness(early) + self.late.strangeness(late)).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """By name, as they stand in a model file."""
        return {
            f"{PREFIX}{part}.{name}": getattr(getattr(self, part), name)
            for part in NEAREST
            for name in KINDS
        }

    def figures(self) -> dict[str, Any]:
        """The rest of it."""
        parts = {
            part: {name: getattr(getattr(self, part), name) for name in FIGURES} for part in NEAREST
        }
        return parts | {"limit": self.limit}


KINDS = {
    "centre": (1, np.dtype(np.float32)),
    "axes": (2, np.dtype(np.float32)),
    "bank": (2, np.dtype(np.float16)),
}
"""Dimensions and numbers of each array."""
FIGURES = ("nearest", "middle", "spread")


def fit(train: Features, val: Features, early: int) -> Familiarity | None:
    """What is known of pictures, from features of those trained on and of some that were not.

    Args:
        train: (n, D), some thousand at most: all are remembered.
        val: (m, D), of pictures that took no part in training.
        early: how many of D are of the stages before the last.

    Returns:
        None where there are fewer than ENOUGH in `val`, or all features are alike.
    """
    if len(val) < ENOUGH or len(train) < ENOUGH:
        return None
    known, others = _divided(train, early), _divided(val, early)
    parts: list[Neighbours] = []
    for part, points, new in zip(NEAREST, known, others, strict=True):
        found = _neighbours(points, NEAREST[part], whiten=part == "early")
        if found is None or (scaled := _scaled(found, new)) is None:
            return None
        parts.append(scaled)
    whole = Familiarity(*parts, limit=0.0)
    distances = np.sort(whole.distance(val))
    return Familiarity(*parts, limit=float(distances[-1 - int(FLAGGED * len(val))]))


def check_familiarity(shapes: Mapping[str, Sequence[int]]) -> None:
    """Whether tensors of a model file may be a `Familiarity`, before any has memory.

    Raises:
        ModelError: one is missing or unexpected, has other dimensions, or is too large.
    """
    needed = {f"{PREFIX}{part}.{name}": KINDS[name][0] for part in NEAREST for name in KINDS}
    for name in {**needed, **shapes}:
        given = shapes.get(name)
        if given is None or name not in needed or len(given) != needed[name]:
            shape = "absent" if given is None else tuple(given)
            raise ModelError(f"`{name}` is {shape}, so what it knows of pictures is damaged.")
    for part in NEAREST:
        (wide,), (height, axes), (rows, length) = (shapes[f"{PREFIX}{part}.{n}"] for n in KINDS)
        fits = wide == height <= WIDEST and 0 < axes == length <= MOST_AXES
        if not fits or not NEAREST[part] <= rows <= LONGEST_BANK:
            raise ModelError(
                f"`{PREFIX}{part}` is of {wide} and {height} features, {axes} and {length} axes, "
                f"{rows} pictures, so what it knows of pictures is damaged."
            )


def restored(
    arrays: Mapping[str, NDArray[Any]], figures: Mapping[str, Any], widths: tuple[int, int]
) -> Familiarity:
    """What `arrays` and `figures` gave, of a file whose shapes `check_familiarity` has seen.

    Args:
        widths: how many features the network has in early stages, and in the last.

    Raises:
        ModelError: the parts do not fit each other or the network, or are no finite numbers.
    """
    parts: list[Neighbours] = []
    for part, wide in zip(NEAREST, widths, strict=True):
        given = {name: arrays[f"{PREFIX}{part}.{name}"] for name in KINDS}
        for name, array in given.items():
            _, dtype = KINDS[name]
            if array.dtype != dtype or not bool(np.isfinite(array).all()):
                raise ModelError(f"`{PREFIX}{part}.{name}` holds other than finite {dtype}.")
        if len(given["centre"]) != wide:
            raise ModelError(
                f"`{PREFIX}{part}` is of {len(given['centre']):,} features, and the network has "
                f"{wide:,}."
            )
        if (nearest := figures[part]["nearest"]) > len(given["bank"]):
            raise ModelError(f"`{PREFIX}{part}.bank` has fewer pictures than neighbour {nearest}.")
        parts.append(Neighbours(**given, **figures[part]))
    return Familiarity(*parts, limit=figures["limit"])


@dataclass(frozen=True)
class Separation:
    """How well distances tell foreign pictures from known ones."""

    auroc: float
    """Chance that a foreign picture lies farther than a known one, which is the area under the ROC
    curve: 0.5 says nothing, 1 is perfect."""
    interval: tuple[float, float]
    """95 % interval."""


def tell_apart(known: Features, foreign: Features) -> Separation:
    """The area under the ROC curve, by ranks (Mann and Whitney 1947), of (N,) and (M,) distances.

    The interval holds the areas whose own standard error (Hanley and McNeil 1982) does not rule out
    what was seen, as Wilson's does for shares: near 1 it stays honest (Newcombe 2006,
    doi:10.1002/sim.2324).
    """
    both = np.concatenate([known, foreign])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # equal ones share their mean rank
    more = len(foreign)
    pairs = len(known) * more
    area = float((ranks[len(known) :].sum() - more * (more + 1) / 2) / pairs)
    low = _bound(area, 0.0, len(known), more)
    return Separation(area, (low, _bound(area, 1.0, len(known), more)))


def _bound(area: float, end: float, known: int, foreign: int) -> float:
    """The area between `area` and `end` from which on what was seen is too unlikely."""
    near, far = area, end
    for _ in range(50):
        middle = (near + far) / 2
        if abs(middle - area) <= Z95 * _error(middle, known, foreign):
            near = middle
        else:
            far = middle
    return near


def _error(area: float, known: int, foreign: int) -> float:
    """Standard error of an area, for distances that are exponential (Hanley and McNeil 1982,
    equation 2)."""
    two_foreign, two_known = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (foreign - 1) * (two_foreign - area**2)
    variance += (known - 1) * (two_known - area**2)
    return max(0.0, variance / (known * foreign)) ** 0.5


def _divided(features: Features, early: int) -> tuple[Features, Features]:
    """Those of early stages, and those of the last with means and deviations as unit vectors."""
    halves = np.split(features[:, early:].astype(np.float64), 2, axis=1)
    units = [half / np.linalg.norm(half, axis=1, keepdims=True).clip(1e-12) for half in halves]
    return features[:, :early], np.concatenate(units, 1).astype(np.float32)


def _neighbours(features: Features, nearest: int, *, whiten: bool) -> Neighbours | None:
    """Points along the principal axes of features; None where these are all the same."""
    points = features.astype(np.float64)
    centre = points.mean(0)
    width = points.std(0) if whiten else np.ones_like(centre)
    width[width < LEAST] = 1.0
    scaled = (points - centre) / width
    axes, variances = _principal(scaled)
    if not len(variances):
        return None
    if whiten:
        axes = axes / np.sqrt((1 - SHRINK) * variances + SHRINK)
    bank = (scaled @ axes).clip(-60_000, 60_000).astype(np.float16)
    axes = (axes / width[:, None]).astype(np.float32)
    return Neighbours(centre.astype(np.float32), np.ascontiguousarray(axes), bank, nearest)


def _principal(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, D) around 0 -> (D, A) principal axes and the variances along them, the widest first."""
    count, wide = points.shape
    # Of the two matrices of products that have the same axes the smaller: time grows with its cube.
    products = points.T @ points if wide <= count else points @ points.T
    values, vectors = np.linalg.eigh(products / count)
    kept = np.flatnonzero(values > max(1e-9 * values[-1], LEAST**2))[::-1][:AXES]
    axes = vectors[:, kept] if wide <= count else points.T @ vectors[:, kept]
    return axes / np.linalg.norm(axes, axis=0), values[kept]


def _scaled(found: Neighbours, features: Features) -> Neighbours | None:
    """With the middle and spread of these; None where all are as far."""
    low, middle, high = np.quantile(found.strangeness(features), (0.25, 0.5, 0.75)).tolist()
    spread = (high - low) / 1.349  # quartiles of a normal distribution lie so far apart
    if spread < LEAST:
        return None
    return Neighbours(found.centre, found.axes, found.bank, found.nearest, middle, spread)
