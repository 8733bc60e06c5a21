"""Views made in a batch on the device: those that a CPU makes one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shortcut.data import resident as module
from shortcut.data.augment import epoch_draws, training_views
from shortcut.data.cache import InMemory
from shortcut.data.loaders import TrainingLoader
from shortcut.data.preprocess import Preprocess
from shortcut.data.resident import Resident
from shortcut.settings import AugmentSettings, ResizedCrop, ShiftCrop

CPU = torch.device("cpu")
SIDES = st.tuples(st.integers(1, 90), st.integers(1, 90))


@given(
    sizes=st.lists(SIDES, min_size=1, max_size=5),
    size=st.integers(1, 80),
    smallest=st.floats(0.05, 1),
    ratio=st.floats(1, 3),
    flip=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_views_are_those_of_a_cpu(sizes, size, smallest, ratio, flip, seed):
    noise = np.random.default_rng(seed)
    pictures = [noise.integers(0, 256, (*sides, 3), np.uint8) for sides in sizes]
    crop = ResizedCrop(name="resized", smallest=smallest, ratio=ratio)
    draws = epoch_draws(len(pictures), seed, 0)
    preprocess = Preprocess(size, size)
    expected = training_views(
        pictures, AugmentSettings(crop=crop, flip=flip), preprocess, size, draws
    )
    everything = range(len(pictures))
    found = Resident(InMemory(pictures), CPU).views(everything, crop, flip, size, draws)
    assert found.shape == expected.shape and found.dtype == torch.uint8
    assert (found.int() - expected.int()).abs().max() <= 1


@given(st.lists(SIDES, min_size=1, max_size=5))
def test_pictures_come_back_as_they_went(sizes):
    pictures = [np.full((*sides, 3), n, np.uint8) for n, sides in enumerate(sizes)]
    resident = Resident(InMemory(pictures), CPU)
    assert len(resident) == len(pictures)
    assert all(np.array_equal(resident[n], pixels) for n, pixels in enumerate(pictures))


def test_a_batch_takes_its_own_pictures_and_rows():
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 256, (30 + n, 40, 3), np.uint8) for n in range(6)]
    crop, draws = ResizedCrop(name="resized"), epoch_draws(6, 0, 3)
    resident = Resident(InMemory(pictures), CPU)
    whole = resident.views(range(6), crop, True, 24, draws)
    chosen = [4, 1, 5]
    assert torch.equal(resident.views(chosen, crop, True, 24, draws[chosen]), whole[chosen])


@pytest.mark.parametrize("size", [16, 64])
def test_a_flat_picture_stays_flat(size: int):
    flat = np.full((50, 37, 3), 201, np.uint8)
    crop, draws = ResizedCrop(name="resized"), epoch_draws(1, 0, 0)
    view = Resident(InMemory([flat]), CPU).views([0], crop, True, size, draws)
    assert view.unique().tolist() == [201]


def test_a_loader_gives_the_batches_of_a_cpu():
    noise = np.random.default_rng(0)
    pictures = InMemory([noise.integers(0, 256, (30 + n, 40, 3), np.uint8) for n in range(10)])
    settings = AugmentSettings(crop=ResizedCrop(name="resized"), random_erasing=0.5)
    rest = (list(range(10)), settings, Preprocess(24, 28), 4, [16, 24], 5, 1)
    usual = TrainingLoader(pictures, *rest)
    resident = TrainingLoader(Resident(pictures, CPU), *rest)
    for mine, theirs in zip(resident.epoch(1), usual.epoch(1), strict=True):
        assert mine.indices == theirs.indices and torch.equal(mine.labels, theirs.labels)
        assert (mine.images.int() - theirs.images.int()).abs().max() <= 1


def test_pictures_go_to_a_gpu_that_has_room(monkeypatch: pytest.MonkeyPatch):
    """A stand-in for the GPU: which memory it is does not matter to the choice."""
    gone: list[str] = []
    monkeypatch.setattr(module, "Resident", lambda _, device: gone.append(device.type))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (40_000, 80_000))
    few = InMemory([np.zeros((50, 60, 3), np.uint8)])
    many = InMemory([np.zeros((50, 60, 3), np.uint8)] * 2)
    resized = AugmentSettings(crop=ResizedCrop(name="resized"))
    shift = AugmentSettings(crop=ShiftCrop(name="shift"))
    changed = AugmentSettings(crop=ResizedCrop(name="resized"), trivial_augment=0.1)
    gpu = torch.device("cuda")
    for pictures, settings, device in (
        (few, resized, CPU),
        (few, shift, gpu),
        (few, changed, gpu),
        (many, resized, gpu),
    ):
        assert module.reside(pictures, settings, device) is pictures
    module.reside(few, resized, gpu)
    assert gone == ["cuda"]
