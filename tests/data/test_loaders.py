"""Batches: every picture once, the same ones for any number of threads, errors that surface."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcut.data.cache import InMemory
from shortcut.data.loaders import Batch, EvaluationLoader, TrainingLoader
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.errors import DecodeError
from shortcut.settings import AugmentSettings, NoCrop

PREPROCESS = Preprocess(8, 8)


def numbered(count: int) -> InMemory:
    """Pictures whose every pixel is their own number."""
    return InMemory([np.full((8, 8, 3), number, np.uint8) for number in range(count)])


class Failing(InMemory):
    """The picture at `bad` cannot be read."""

    def __init__(self, count: int, bad: int) -> None:
        super().__init__(numbered(count).pictures)
        self.bad = bad

    def __getitem__(self, index: int) -> Pixels:
        if index == self.bad:
            raise DecodeError(f"{index}.jpg: the picture is damaged")
        return super().__getitem__(index)


class Slow(InMemory):
    """Takes its time, and counts."""

    opened = 0

    def __getitem__(self, index: int) -> Pixels:
        time.sleep(0.005)
        self.opened += 1
        return super().__getitem__(index)


def training(pictures: InMemory, batch_size: int, **more: object) -> TrainingLoader:
    values = {
        "augment": AugmentSettings(),
        "preprocess": PREPROCESS,
        "sizes": [8] * 12,
        "seed": 3,
        "threads": 0,
    } | more
    labels = [index * 7 for index in range(len(pictures))]
    return TrainingLoader(pictures=pictures, labels=labels, batch_size=batch_size, **values)


def evaluation(pictures: InMemory, batch_size: int, threads: int = 0) -> EvaluationLoader:
    return EvaluationLoader(pictures, list(range(len(pictures))), PREPROCESS, batch_size, threads)


def assert_fits(batch: Batch, side: int = 8) -> None:
    """Pixels, labels and indices belong together."""
    assert batch.images.shape == (len(batch.indices), side, side, 3)
    assert batch.images.dtype == torch.uint8 and batch.labels.dtype == torch.int64
    assert batch.images[:, 0, 0, 0].tolist() == list(batch.indices)


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def wait_for_threads() -> None:
    deadline = time.monotonic() + 5
    while loader_threads() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not loader_threads()


@given(count=st.integers(2, 40), batch_size=st.integers(1, 20), epoch=st.integers(0, 3))
@settings(max_examples=40)
def test_every_picture_once_an_epoch(count, batch_size, epoch):
    loader = training(numbered(count), batch_size)
    batches = list(loader.epoch(epoch))
    assert len(batches) == len(loader)
    for batch in batches:
        assert_fits(batch)
        assert batch.labels.tolist() == [index * 7 for index in batch.indices]
    seen = [index for batch in batches for index in batch.indices]
    lonely = count % batch_size == 1 and batch_size > 1
    assert len(set(seen)) == len(seen) == count - lonely
    assert all(len(batch.indices) == batch_size for batch in batches[:-1])


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [(9, 4, [4, 4]), (10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (2, 1, [1, 1]), (1, 4, [1])],
)
def test_a_single_last_picture_is_left_out(count, batch_size, sizes):
    loader = training(numbered(count), batch_size)
    assert [len(batch.indices) for batch in loader.epoch(0)] == sizes
    assert len(loader) == len(sizes)


def test_the_one_left_out_is_another_in_another_epoch():
    loader = training(numbered(9), 4)
    missing = set()
    for epoch in range(12):
        seen = {index for batch in loader.epoch(epoch) for index in batch.indices}
        missing |= set(range(9)) - seen
    assert len(missing) > 3


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_are_the_same_for_any_number_of_threads(threads):
    noise = np.random.default_rng(0)
    pictures = InMemory([noise.integers(0, 256, (12, 10, 3), np.uint8) for _ in range(23)])
    for epoch in (0, 1):
        alone = list(training(pictures, 4).epoch(epoch))
        helped = list(training(pictures, 4, threads=threads).epoch(epoch))
        for one, other in zip(alone, helped, strict=True):
            assert one.indices == other.indices
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.labels, other.labels)
    wait_for_threads()


def test_an_epoch_can_be_repeated_and_differs_from_the_next():
    loader = training(numbered(16), 4)
    orders = [[b.indices for b in loader.epoch(epoch)] for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_the_seed_decides():
    first, second = (training(numbered(16), 4, seed=seed).epoch(0) for seed in (1, 2))
    assert [b.indices for b in first] != [b.indices for b in second]


def test_pictures_grow_over_the_epochs():
    still = AugmentSettings(crop=NoCrop())
    sizes = [8, 16, 40]
    loader = training(numbered(4), 4, augment=still, preprocess=Preprocess(40, 40), sizes=sizes)
    for epoch, side in enumerate(sizes):
        (batch,) = loader.epoch(epoch)
        assert_fits(batch, side)


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 5, 64])
def test_evaluation_sees_every_picture_in_order(batch_size, threads):
    loader = evaluation(numbered(10), batch_size, threads)
    for _ in range(2):  # it can be run through again
        batches = list(loader)
        assert len(batches) == len(loader)
        assert [i for batch in batches for i in batch.indices] == list(range(10))
        for batch in batches:
            assert_fits(batch)
            assert batch.labels.tolist() == list(batch.indices)
    wait_for_threads()


def test_evaluation_of_nothing():
    loader = evaluation(numbered(0), 4, threads=1)
    assert len(loader) == 0
    assert list(loader) == []


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("bad", [0, 9, 19])
def test_an_error_in_a_thread_surfaces(threads, bad):
    pictures = Failing(20, bad)
    with pytest.raises(DecodeError, match=rf"^{bad}\.jpg"):
        list(evaluation(pictures, 3, threads))
    with pytest.raises(DecodeError, match=rf"^{bad}\.jpg"):
        list(training(pictures, 3, threads=threads).epoch(0))
    wait_for_threads()


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_before_an_error_still_come(threads):
    batches: Iterator[Batch] = iter(evaluation(Failing(20, 12), 4, threads))
    assert [next(batches).indices[0] for _ in range(3)] == [0, 4, 8]
    with pytest.raises(DecodeError):
        next(batches)


@pytest.mark.parametrize("threads", [1, 3])
def test_leaving_early_does_not_hang_and_stops_the_work(threads):
    pictures = Slow(numbered(200).pictures)
    started = time.monotonic()
    batches = training(pictures, 4, threads=threads).epoch(0)
    next(batches)
    batches.close()  # what `break` does, and a Ctrl-C
    wait_for_threads()
    assert time.monotonic() - started < 5
    assert pictures.opened <= 4 * (2 * threads + 4)


def test_no_more_is_made_ahead_than_can_be_used_soon():
    pictures = Slow(numbered(200).pictures)
    batches = iter(evaluation(pictures, 2, threads=2))
    next(batches)
    time.sleep(0.1)
    assert pictures.opened <= 2 * 5
    batches.close()
    wait_for_threads()
