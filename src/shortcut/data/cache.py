"""Decoded pictures in memory: each file is opened once, and every unreadable one is found before
training.

Only decoded pixels are kept, never augmented ones, so a cached run sees the same views as an
uncached one.
"""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from shortcut.data.decode import decode_picture
from shortcut.data.preprocess import Pixels, resize_short
from shortcut.data.samples import Sample
from shortcut.errors import DataError, DecodeError
from shortcut.events import Progress

MEMORY_SHARE = 0.25
"""The decoded pictures of one part (train, val) may take this share of the machine's memory."""


class Pictures(Protocol):
    """Upright RGB pictures by position."""

    def __getitem__(self, index: int) -> Image.Image: ...
    def __len__(self) -> int: ...


class OnDisk:
    """Decodes at every access: for sets that do not fit into memory."""

    def __init__(self, paths: Sequence[Path], short_side: int) -> None:
        self.paths = paths
        self.short_side = short_side

    def __getitem__(self, index: int) -> Image.Image:
        return shrunk(self.paths[index], self.short_side)

    def __len__(self) -> int:
        return len(self.paths)


class InMemory:
    """Keeps decoded pixels: about 80 kB for a photo with a short side of 146 pixels."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self.pictures = pictures

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(self.pictures[index])

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Read:
    """What reading a list of samples gave."""

    pictures: Pictures
    samples: tuple[Sample, ...]
    """The readable ones, in the order of `pictures`."""
    broken: tuple[str, ...]
    """One line for each unreadable file: its name and why."""


def shrunk(path: Path, short_side: int) -> Image.Image:
    """A decoded picture, made smaller (never larger) so that its short side is `short_side` pixels.

    Raises:
        DecodeError: if the file is not a readable picture.
    """
    image = decode_picture(path, min_side=short_side)
    return resize_short(image, short_side) if min(image.size) > short_side else image


def read_pictures(
    samples: Sequence[Sample], short_side: int, *, threads: int
) -> Generator[Progress, None, Read]:
    """Open every file once; yields progress from time to time, returns what was read.

    Args:
        short_side: pictures are kept with this short side in pixels, or smaller where they are.
        threads: how many decode at once (Pillow releases the interpreter lock).
    """
    limit = memory_bytes() * MEMORY_SHARE
    kept: list[Pixels] = []
    good: list[Sample] = []
    broken: list[str] = []
    used = 0
    with ThreadPoolExecutor(threads) as pool:
        # In slices, so that no more than a slice of decoded pictures ever waits.
        for start in range(0, len(samples), 256):
            part = samples[start : start + 256]
            for sample, result in zip(
                part, pool.map(lambda s: _attempt(s, short_side), part), strict=True
            ):
                if isinstance(result, str):
                    broken.append(result)
                    continue
                good.append(sample)
                used += result.nbytes
                if used <= limit:
                    kept.append(result)
                elif kept:
                    kept.clear()
            yield Progress("reading pictures", start + len(part), len(samples))
    fits = len(kept) == len(good)
    pictures = InMemory(kept) if fits else OnDisk([s.path for s in good], short_side)
    return Read(pictures, tuple(good), tuple(broken))


def check_broken(read: Read, limit: float) -> None:
    """Refuse a set in which too many files cannot be read.

    Raises:
        DataError: if their share is `limit` or more; the first three are named.
    """
    broken = read.broken
    total = len(read.samples) + len(broken)
    if not broken or len(broken) / total < limit:
        return
    more = f"; and {len(broken) - 3} more" if len(broken) > 3 else ""
    raise DataError(
        f"{len(broken)} of {total} pictures cannot be read (the limit is {limit:.0%}): "
        f"{'; '.join(line.rstrip('.') for line in broken[:3])}{more}. "
        "Replace or remove them, or raise the limit `max_broken`."
    )


def memory_bytes() -> int:
    """Memory of the machine in bytes; 8 GiB where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30


def _attempt(sample: Sample, short_side: int) -> Pixels | str:
    try:
        return np.asarray(shrunk(sample.path, short_side))
    except DecodeError as error:
        return str(error)
