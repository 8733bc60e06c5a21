"""Batches: which pictures, in which order, made by threads while the network is busy with the last
one.

Threads, not processes: decoding and resizing release the interpreter lock, and nothing has to be
copied between processes (on two cores, worker processes take time from the training step itself).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shortcut.data.augment import epoch_draws, epoch_order, training_views
from shortcut.data.cache import Pictures
from shortcut.data.preprocess import Preprocess
from shortcut.data.resident import Resident
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

    def __len__(self) -> int:
        """Batches an epoch; a last one of a single picture is left out (batch norm cannot use
        it)."""
        full, rest = divmod(len(self.labels), self.batch_size)
        return full + (rest > 1 or full == 0)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0."""
        size = self.sizes[epoch]
        count = len(self.labels)
        draws = epoch_draws(count, self.seed, epoch)

        def views(indices: Sequence[int]) -> Tensor:
            rows, crop = draws[list(indices)], self.augment.crop
            if isinstance(self.pictures, Resident):
                assert isinstance(crop, ResizedCrop)  # `reside` saw to it
                return self.pictures.views(indices, crop, self.augment.flip, size, rows)
            pictures = [self.pictures[index] for index in indices]
            return training_views(pictures, self.augment, self.preprocess, size, rows)

        order = epoch_order(count, self.seed, epoch)
        lists = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(len(self))]
        threads = 0 if isinstance(self.pictures, Resident) else self.threads
        return _batches(lists, views, self.labels, threads)


@dataclass(frozen=True)
class EvaluationLoader:
    """Every picture once, in order, as prediction would see it."""

    pictures: Pictures
    labels: Sequence[int]
    preprocess: Preprocess
    batch_size: int
    threads: int

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        count = len(self.labels)
        lists = [
            range(start, min(start + self.batch_size, count))
            for start in range(0, count, self.batch_size)
        ]
        view = self.preprocess

        def views(indices: Sequence[int]) -> Tensor:
            squares = [view.middle(view.fitted(self.pictures[index])) for index in indices]
            return torch.from_numpy(np.stack(squares))

        return _batches(lists, views, self.labels, self.threads)


def _batches(
    lists: Sequence[Sequence[int]],
    views: Callable[[Sequence[int]], Tensor],
    labels: Sequence[int],
    threads: int,
) -> Iterator[Batch]:
    """Make batches ahead, one more than there are threads, and hand them out in order."""

    def make(indices: Sequence[int]) -> Batch:
        answers = torch.tensor([labels[i] for i in indices])
        return Batch(views(indices), answers, tuple(indices))

    if threads == 0:
        yield from map(make, lists)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="loader")
    try:
        ahead: list[Future[Batch]] = []
        for indices in lists:
            ahead.append(pool.submit(make, indices))
            if len(ahead) > threads + 1:
                yield ahead.pop(0).result()
        for future in ahead:
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
