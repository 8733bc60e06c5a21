"""Batches: which pictures, in which order, made by threads while the network is busy with the last
one.

Threads, not processes: decoding and resizing release the interpreter lock, and nothing has to be
copied between processes (on two cores, worker processes take time from the training step itself).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from shortcut.data.augment import (
    CHANGING,
    CUTTING,
    ERASING,
    Draws,
    epoch_draws,
    epoch_order,
    training_views,
)
from shortcut.data.cache import Pictures
from shortcut.data.erasing import erase
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.data.resident import Resident
from shortcut.data.samples import Sample
from shortcut.data.trivial import change_views
from shortcut.settings import AugmentSettings, ResizedCrop


@dataclass(frozen=True)
class Batch:
    """Pictures as they lie in memory: normalisation and the change of layout are the device's
    work."""

    images: Tensor
    """(N, side, side, 3) uint8."""
    labels: Tensor
    """(N,) int64: positions in the classifier's classes."""
    indices: tuple[int, ...]
    """Which samples these are, in the order of the list that was read."""
    counted: int
    """So many of them count, from the first on; the others only keep the first company."""
    total: int
    """Pictures of the whole batch, of which other processes may have the rest."""


@dataclass(frozen=True)
class Chosen:
    """Some of the pictures, in the order of `places`."""

    pictures: Pictures
    places: Sequence[int]

    def __getitem__(self, index: int) -> Pixels:
        return self.pictures[self.places[index]]

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True)
class TrainingLoader:
    """Augmented batches of one epoch after another; a pure function of (seed, epoch)."""

    pictures: Pictures
    labels: Sequence[int]
    augment: AugmentSettings
    preprocess: Preprocess
    batch_size: int
    sizes: Sequence[int]
    """Image size in pixels of each epoch."""
    seed: int
    threads: int
    files: Sequence[Path] = ()
    """Where each picture comes from, to be named; empty where nobody knows."""
    rank: int = 0
    size: int = 1
    """Of all batches, which part is made here: every `size`-th picture from number `rank` on."""

    def __len__(self) -> int:
        """Batches an epoch; a last one of a single picture is left out (batch norm cannot use
        it)."""
        full, rest = divmod(len(self.labels), self.batch_size)
        return full + (rest > 1 or full == 0)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0, from the `first` on."""
        count, size = len(self.labels), self.batch_size
        order = epoch_order(count, self.seed, epoch)
        lists = [order[i * size : (i + 1) * size] for i in range(first, len(self))]
        shares = [_share(indices, self.rank, self.size) for indices in lists]
        threads = 0 if isinstance(self.pictures, Resident) else self.threads
        return _batches(shares, self._maker(epoch), self.labels, threads)

    def views(self, epoch: int, indices: Sequence[int]) -> Tensor:
        """The pictures at `indices` as an epoch sees them, (N, side, side, 3) uint8."""
        return self._maker(epoch)(indices)

    def _maker(self, epoch: int) -> Callable[[Sequence[int]], Tensor]:
        """What makes an epoch's views."""
        side, augment, mean = self.sizes[epoch], self.augment, self.preprocess.mean
        draws = partial(epoch_draws, len(self.labels), self.seed, epoch)
        cuts = draws(CUTTING)
        # Of a million pictures these are a hundred megabytes: only where they are asked for.
        changes = draws(CHANGING) if augment.trivial_augment else None
        holes = draws(ERASING) if augment.random_erasing else None

        def make(indices: Sequence[int]) -> Tensor:
            rows = list(indices)
            views = self._cut(indices, side, cuts[rows])
            if changes is not None:
                change_views(views, augment.trivial_augment or 0.0, changes[rows])
            return (
                views if holes is None else erase(views, augment.random_erasing, mean, holes[rows])
            )

        return make

    def _cut(self, indices: Sequence[int], side: int, rows: Draws) -> Tensor:
        if isinstance(self.pictures, Resident):
            crop = self.augment.crop
            assert isinstance(crop, ResizedCrop)  # `reside` saw to it
            return self.pictures.views(indices, crop, self.augment.flip, side, rows)
        pictures = [self.pictures[index] for index in indices]
        return training_views(pictures, self.augment, self.preprocess, side, rows)


@dataclass(frozen=True)
class EvaluationLoader:
    """Every picture once, in order, as prediction would see it."""

    pictures: Pictures
    labels: Sequence[int]
    preprocess: Preprocess
    batch_size: int
    threads: int
    samples: Sequence[Sample] = ()
    """What each picture was read from; empty where nobody knows."""

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.part(0, 1):
            assert batch is not None
            yield batch

    def part(self, rank: int, size: int) -> Iterator[Batch | None]:
        """Every `size`-th batch from number `rank` on; then None until all have had equally
        many."""
        count = len(self.labels)
        lists = [
            range(start, min(start + self.batch_size, count))
            for start in range(0, count, self.batch_size)
        ]
        mine = [(indices, len(indices), len(indices)) for indices in lists[rank::size]]
        view = self.preprocess

        def views(indices: Sequence[int]) -> Tensor:
            squares = [view.cut(view.fitted(self.pictures[index])) for index in indices]
            return torch.from_numpy(np.stack(squares))

        yield from _batches(mine, views, self.labels, self.threads)
        yield from [None] * (-(-len(lists) // size) - len(mine))


Share = tuple[Sequence[int], int, int]
"""Which pictures, how many of them count, and how many there are in the whole batch."""


def _share(indices: Sequence[int], rank: int, size: int) -> Share:
    mine = indices[rank::size]
    # Batch norm needs two: a process that has fewer borrows some, whose answers do not count.
    borrowed = indices[: max(0, 2 - len(mine))] if size > 1 else []
    return [*mine, *borrowed], len(mine), len(indices)


def _batches(
    shares: Sequence[Share],
    views: Callable[[Sequence[int]], Tensor],
    labels: Sequence[int],
    threads: int,
) -> Iterator[Batch]:
    """Make batches ahead, one more than there are threads, and hand them out in order."""

    def make(share: Share) -> Batch:
        indices, counted, total = share
        answers = torch.tensor([labels[i] for i in indices])
        return Batch(views(indices), answers, tuple(indices), counted, total)

    if threads == 0:
        yield from map(make, shares)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="loader")
    try:
        ahead: list[Future[Batch]] = []
        for share in shares:
            ahead.append(pool.submit(make, share))
            if len(ahead) > threads + 1:
                yield ahead.pop(0).result()
        for future in ahead:
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
