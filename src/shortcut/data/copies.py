"""Pictures that stand in a set more than once: byte for byte, or saved anew, resized, cut at the
edges, brightened or mirrored."""

import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortcut.data.patterns import Pattern, edge_windows, find_patterns, likeness
from shortcut.events import Progress

SURELY = 0.97
"""Correlation of coarse patterns that only copies have; among 10,000 photos of cats and dogs the
most alike strangers have 0.83."""
PERHAPS = 0.7
"""Below it there are no copies: a cut of a twentieth leaves 0.84 and more."""
ALIKE = 0.92
"""Of fine patterns laid on each other: copies have 0.94 and more, strangers at most 0.89."""
BLOCK = 2000
"""Rows of a product at a time: 160 MB at 20,000 pictures."""
MANY = 30_000
"""Pictures, above which no windows are laid: each costs as much as the whole, and that grows with
the square. A cut of a tenth may then be overlooked."""
MOST_COMPARED = 20_000
"""Pairs laid on each other, the most alike first: about 5 ms each. Frames of a film have more."""
WORK = "comparing pictures"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that are one, by their positions; the first is the lower."""

    first: int
    second: int
    likeness: float
    """0 to 1; 1 for equal bytes."""
    mirrored: bool = False


def find_copies(
    thumbs: NDArray[np.uint8], equal: Sequence[Sequence[int]] = ()
) -> Generator[Progress, None, list[Pair]]:
    """All pairs of copies among pictures, the most alike first.

    Args:
        thumbs: (N, SIDE, SIDE) of `patterns.make_thumb`.
        equal: positions of files that are equal byte for byte.
    """
    same = {(a, b): Pair(a, b, 1.0) for group in equal for a, b in _neighbours(sorted(group))}
    alike = yield from _candidates(thumbs)
    found = dict(same)
    unsure = sorted(alike.items(), key=lambda entry: -entry[1])
    for done, ((a, b, mirrored), score) in enumerate(unsure[:MOST_COMPARED]):
        if done % 100 == 0:
            yield Progress("comparing candidates", done, min(len(unsure), MOST_COMPARED))
        if (a, b) in found:
            continue
        if score < SURELY:
            other = thumbs[b][:, ::-1] if mirrored else thumbs[b]
            score = likeness(thumbs[a], np.ascontiguousarray(other))
        if score >= ALIKE:
            found[a, b] = Pair(a, b, min(score, 1.0), mirrored)
    yield Progress("comparing candidates", 1, 1)
    return sorted(found.values(), key=lambda pair: (-pair.likeness, pair.first, pair.second))


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


def _neighbours(group: Sequence[int]) -> Iterator[tuple[int, int]]:
    yield from itertools.pairwise(group)


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
    for mirrored, target in targets.items():
        for window in windows:
            for start in range(0, len(thumbs), BLOCK):
                for a, b, score in _above(window[start : start + BLOCK], target, start):
                    key = (min(a, b), max(a, b), mirrored)
                    # A picture is like its own mirror image, and like its own windows.
                    if a != b and score > best.get(key, 0.0):
                        best[key] = score
                done += len(window[start : start + BLOCK])
                yield Progress(WORK, done, total)
    return best


def _above(rows: Pattern, target: Pattern, start: int) -> Iterator[tuple[int, int, float]]:
    scores = rows @ target.T
    for a, b in zip(*np.nonzero(scores > PERHAPS), strict=True):
        yield start + int(a), int(b), float(scores[a, b])
