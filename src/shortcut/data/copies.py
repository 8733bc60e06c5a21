"""Pictures that stand in a set more than once: byte for byte, or saved anew, resized, cut at the
edges, brightened or mirrored."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shortcut.data.patterns import Pattern, edge_windows, find_patterns, likeness
from shortcut.events import Notice, Progress

SURELY = 0.97
"""Correlation of coarse patterns that only copies have; among 10,000 photos of cats and dogs the
most alike strangers have 0.83."""
PERHAPS = 0.7
"""Below it there are no copies: a cut of a twentieth leaves 0.84 and more."""
ALIKE = 0.92
"""Of fine patterns laid on each other: copies have 0.94 and more, strangers at most 0.89."""
BLOCK = 40_000_000
"""Products that are held at a time: 160 MB."""
MANY = 30_000
"""Pictures, above which no windows are laid: each costs as much as the whole, and that grows with
the square. A cut of a tenth may then be overlooked."""
NEAREST = 8
"""Candidates of a picture in a window, at most: of a thousand frames of one film every two are
alike, and chains of neighbours join them all."""
MOST_COMPARED = 20_000
"""Pairs laid on each other, the most alike first: about 5 ms each."""
LESS_THAN_EQUAL = 0.9999
"""The likeness of pictures that look the same and are not the same file."""
WORK = "comparing pictures"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that are one, by their positions; the first is the lower."""

    first: int
    second: int
    likeness: float
    """0 to 1; 1 for equal bytes alone."""
    mirrored: bool = False


def chained(equal: Iterable[Sequence[int]]) -> list[Pair]:
    """Pairs of files that are equal byte for byte, each with the next of its group."""
    return [Pair(a, b, 1.0) for group in equal for a, b in pairwise(group)]


def find_copies(
    thumbs: NDArray[np.uint8], equal: Sequence[Sequence[int]] = ()
) -> Generator[Progress | Notice, None, list[Pair]]:
    """Pairs of copies among pictures, the most alike first: chains of them join all copies of one.

    Args:
        thumbs: (N, SIDE, SIDE) of `patterns.make_thumb`.
        equal: positions of files that are equal byte for byte.
    """
    groups = [sorted(group) for group in equal]
    found = chained(groups)
    # One of each group stands for the others: a placeholder may be there a thousand times.
    others = {position for group in groups for position in group[1:]}
    places = [position for position in range(len(thumbs)) if position not in others]
    alike = yield from _candidates(thumbs[places])
    sure = {key: score for key, score in alike.items() if score >= SURELY}
    unsure = sorted(alike.items() - sure.items(), key=lambda entry: (-entry[1], entry[0]))
    if len(unsure) > MOST_COMPARED:
        yield Notice(
            f"only the {MOST_COMPARED:,} most alike of {len(unsure):,} pairs of pictures are "
            "compared closely: copies that were cut may be overlooked"
        )
    for done, ((a, b, mirrored), _) in enumerate(unsure[:MOST_COMPARED]):
        if done % 100 == 0:
            yield Progress("comparing candidates", done, min(len(unsure), MOST_COMPARED))
        one, other = thumbs[places[a]], thumbs[places[b]]
        score = likeness(one, np.ascontiguousarray(other[:, ::-1]) if mirrored else other)
        if score >= ALIKE:
            sure[a, b, mirrored] = score
    yield Progress("comparing candidates", 1, 1)
    found += [
        Pair(places[a], places[b], min(score, LESS_THAN_EQUAL), mirrored)
        for (a, b, mirrored), score in sure.items()
        if not mirrored or (a, b, False) not in sure
    ]
    return sorted(found, key=lambda pair: (-pair.likeness, pair.first, pair.second))


def group_copies(pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    """Positions that belong together by any chain of pairs, each group sorted, the groups too."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for pair in pairs:
        parent[root(pair.second)] = root(pair.first)
    groups: dict[int, list[int]] = {}
    for node in sorted(parent):
        groups.setdefault(root(node), []).append(node)
    return sorted(tuple(group) for group in groups.values())


def _candidates(
    thumbs: NDArray[np.uint8],
) -> Generator[Progress, None, Mapping[tuple[int, int, bool], float]]:
    """Pairs whose coarse patterns are alike in some window, and how much."""
    best: dict[tuple[int, int, bool], float] = {}
    if not len(thumbs):
        return best
    targets = {False: find_patterns(thumbs), True: find_patterns(thumbs[:, :, ::-1])}
    laid = edge_windows() if len(thumbs) <= MANY else edge_windows()[:1]
    windows = [find_patterns(thumbs, window) for window in laid]
    total, done = len(windows) * len(targets) * len(thumbs), 0
    rows = max(1, BLOCK // len(thumbs))
    for mirrored, target in targets.items():
        for window in windows:
            for start in range(0, len(thumbs), rows):
                for a, b, score in _above(window[start : start + rows], target, start):
                    key = (min(a, b), max(a, b), mirrored)
                    if score > best.get(key, 0.0):
                        best[key] = score
                done += len(window[start : start + rows])
                yield Progress(WORK, done, total)
    return best


def _above(rows: Pattern, target: Pattern, start: int) -> Iterator[tuple[int, int, float]]:
    """The nearest of each row that are near enough."""
    scores = rows @ target.T
    own = np.arange(len(rows))
    scores[own, start + own] = 0.0  # a picture is like its own windows, and may be symmetric
    busy = np.flatnonzero(scores.max(1) > PERHAPS)
    for a in busy.tolist():
        near = np.flatnonzero(scores[a] > PERHAPS)
        if len(near) > NEAREST:
            near = near[np.argpartition(-scores[a, near], NEAREST)[:NEAREST]]
        for b in near.tolist():
            yield start + a, b, float(scores[a, b])
