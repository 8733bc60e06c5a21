"""How long reading pictures will take on this machine, found by opening some of them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from shortcut.data.cache import AT_ONCE, Keeping, shrunk
from shortcut.data.samples import Sample
from shortcut.data.store import open_store, store_name
from shortcut.errors import DecodeError

SOME = 32
"""Pictures that are opened to know of all: a folder of photos from one camera differs by less."""
PATIENCE = 0.5
"""Seconds after which no other is opened."""


def seconds_to_read(
    samples: Sequence[Sample],
    short_side: int,
    *,
    threads: int,
    keeping: Keeping | None = None,
    max_pixels: int | None = None,
) -> float:
    """Seconds that `read_pictures` will take for the same arguments, roughly; without writing a
    store.

    Args:
        keeping: pictures in a store there take no time worth counting; None: none are stored.
    """
    folder = keeping.place(len(samples)) if keeping else None
    if not samples:
        return 0.0
    if folder is not None:
        name = store_name([sample.path for sample in samples], short_side, max_pixels)
        if open_store(folder, name):
            return 0.0
    # Others each time: what was just opened is still in the system's memory.
    drawn = np.random.default_rng().permutation(len(samples))[: SOME + 1].tolist()
    first, *paths = (samples[place].path for place in drawn)
    _open(first, short_side, max_pixels)  # the first of a process takes longer, for Pillow
    paths = paths or [first]
    started = time.perf_counter()

    def attempt(path: Path) -> bool:
        if time.perf_counter() - started > PATIENCE:
            return False
        _open(path, short_side, max_pixels)
        return True

    with ThreadPoolExecutor(min(threads, AT_ONCE)) as pool:
        opened = sum(pool.map(attempt, paths))
    return (time.perf_counter() - started) / max(1, opened) * len(samples)


def _open(path: Path, short_side: int, max_pixels: int | None) -> None:
    with suppress(DecodeError):  # which takes its time too
        shrunk(path, short_side, max_pixels)
