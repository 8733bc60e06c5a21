"""Decoded pictures, kept: each file is opened once, and every unreadable one is found before
training.

Only decoded pixels are kept, never augmented ones, so a cached run sees the same views as an
uncached one.
"""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from shortcut.data.decode import decode_picture
from shortcut.data.preprocess import Pixels, resize_short
from shortcut.data.samples import Sample
from shortcut.data.store import Mapped, StoreWriter, Unread, make_room, open_store, store_name
from shortcut.errors import DataError, DecodeError
from shortcut.events import Notice, Progress

CONTAINER = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""What a container may have, on Linux; both versions."""
MEMORY_SHARE = 0.25
"""The decoded pictures of one part (train, val) may take this share of the machine's memory."""
WORTH_STORING = 256
"""Fewer pictures are decoded faster than a person notices."""
SLICE = 256
"""Pictures that are decoded together, so that no more than these ever wait."""
HANDED = 16
"""Of these, one thread gets so many at once: to hand over one at a time costs a third more."""
AT_ONCE = SLICE // HANDED
"""Threads that find work."""

CacheMode = Literal["auto", "off", "ram", "disk"]


class Pictures(Protocol):
    """Upright RGB pictures by position: (height, width, 3) uint8."""

    def __getitem__(self, index: int) -> Pixels: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Undecoded:
    """Decodes at every access: for sets that fit nowhere."""

    paths: Sequence[Path]
    short_side: int
    max_pixels: int | None = None

    def __getitem__(self, index: int) -> Pixels:
        # A copy: Pillow's own pixels cannot be written, and torch warns of such memory.
        return np.array(shrunk(self.paths[index], self.short_side, self.max_pixels))

    def __len__(self) -> int:
        return len(self.paths)


class InMemory:
    """Keeps decoded pixels: about 80 kB for a photo with a short side of 146 pixels."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self.pictures = pictures

    def __getitem__(self, index: int) -> Pixels:
        return self.pictures[index]

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Keeping:
    """Where decoded pictures stay."""

    mode: CacheMode = "ram"
    """`auto`: on the disk for the next run, and until then in memory as far as they fit."""
    folder: Path | None = None
    """For stores; None stores nothing."""

    def place(self, count: int) -> Path | None:
        """Where a store of so many pictures belongs; None where there shall be none."""
        few = self.mode == "auto" and count < WORTH_STORING
        return self.folder if self.mode in ("auto", "disk") and not few else None


@dataclass(frozen=True)
class Read:
    """What reading a list of samples gave."""

    pictures: Pictures
    samples: tuple[Sample, ...]
    """The readable ones, in the order of `pictures`."""
    broken: tuple[str, ...]
    """One line for each unreadable file: its name and why."""


@dataclass
class _Shelf:
    """What has been decoded so far."""

    kept: list[Pixels] | None
    """In memory; None where they are not kept there, or no longer."""
    writer: StoreWriter | None
    broken: dict[int, Unread] = field(default_factory=dict)
    used: int = 0
    """Bytes."""

    def put(self, pixels: Pixels, limit: float) -> None:
        self.used += pixels.nbytes
        if self.kept is not None:
            self.kept.append(pixels)
            if self.used > limit:
                self.kept = None
        if self.writer is not None:
            self.writer.add(pixels)


def shrunk(path: Path, short_side: int, max_pixels: int | None = None) -> Image.Image:
    """A decoded picture, made smaller (never larger) so that its short side is `short_side` pixels.

    Raises:
        DecodeError: if the file is not a readable picture.
    """
    image = decode_picture(path, min_side=short_side, max_pixels=max_pixels)
    return resize_short(image, short_side) if min(image.size) > short_side else image


def read_pictures(
    samples: Sequence[Sample],
    short_side: int,
    *,
    threads: int,
    keeping: Keeping | None = None,
    max_pixels: int | None = None,
) -> Generator[Progress | Notice, None, Read]:
    """Open every file once, or the store of an earlier run; yields progress from time to time.

    Args:
        short_side: pictures are kept with this short side in pixels, or smaller where they are.
        threads: how many decode at once (Pillow releases the interpreter lock).
        keeping: in memory where None.
        max_pixels: larger pictures count as unreadable; None: the decoder's own limit.
    """
    keeping = keeping or Keeping()
    undecoded = Undecoded([sample.path for sample in samples], short_side, max_pixels)
    if (folder := keeping.place(len(samples))) is None:
        return (yield from _decode_all(samples, undecoded, threads, keeping.mode, None, ""))
    name = store_name(undecoded.paths, short_side, max_pixels)
    if found := _find(folder, name, undecoded):
        return _read(found[0], samples, found[1])
    return (yield from _decode_all(samples, undecoded, threads, keeping.mode, folder, name))


def _find(folder: Path, name: str, undecoded: Undecoded) -> tuple[Mapped, dict[int, Unread]] | None:
    """The store of an earlier run, unless it lacks a picture that can be read by now."""
    found = open_store(folder, name)
    if found is None:
        return None
    pictures, broken = found
    for position, unread in broken.items():
        if unread.passing:
            result = _attempt(undecoded, position)
            if not isinstance(result, Unread):
                return None
            broken[position] = result
    return pictures, broken


def _decode_all(
    samples: Sequence[Sample],
    undecoded: Undecoded,
    threads: int,
    mode: CacheMode,
    folder: Path | None,
    name: str,
) -> Generator[Progress | Notice, None, Read]:
    limit = memory_bytes() * MEMORY_SHARE
    shelf = _Shelf(kept=None if mode in ("off", "disk") else [], writer=None)
    with ThreadPoolExecutor(threads) as pool, ExitStack() as stack:
        for start in range(0, len(samples), SLICE):
            end = min(start + SLICE, len(samples))
            handed = [range(i, min(i + HANDED, end)) for i in range(start, end, HANDED)]
            done = pool.map(lambda some: [_attempt(undecoded, one) for one in some], handed)
            results = list(chain.from_iterable(done))
            if start == 0 and folder is not None:
                yield from _begin_store(shelf, folder, name, results, len(samples), stack)
            yield from _shelve(shelf, results, start, limit)
            yield Progress("reading pictures", end, len(samples))
        if shelf.writer is not None and folder is not None:
            yield from _finish_store(shelf)
    if shelf.kept is not None:
        return _read(InMemory(shelf.kept), samples, shelf.broken)
    stored = open_store(folder, name) if folder is not None else None
    good = [path for i, path in enumerate(undecoded.paths) if i not in shelf.broken]
    # What stands there may be of another process, from which the system withheld other files.
    same = stored is not None and stored[1].keys() == shelf.broken.keys()
    pictures = stored[0] if stored and same else replace(undecoded, paths=good)
    return _read(pictures, samples, shelf.broken)


def _begin_store(
    shelf: _Shelf,
    folder: Path,
    name: str,
    first: Sequence[Pixels | Unread],
    total: int,
    stack: ExitStack,
) -> Generator[Notice, None, None]:
    """Open a store if the forecast of its size fits the disk."""
    sizes = [result.nbytes for result in first if not isinstance(result, Unread)]
    forecast = int(sum(sizes) / max(1, len(sizes)) * total)
    try:
        if not make_room(folder, forecast):
            yield Notice(
                f"not stored: {forecast / 1e6:,.0f} MB of pixels are too much for {folder}"
            )
            return
        shelf.writer = stack.enter_context(StoreWriter(folder, name))
        yield Notice(f"decoded pictures are kept in {folder}: about {forecast / 1e6:,.0f} MB")
    except OSError as error:
        yield Notice(f"{folder}: nothing can be kept there ({error.strerror})")


def _shelve(
    shelf: _Shelf, results: Sequence[Pixels | Unread], start: int, limit: float
) -> Generator[Notice, None, None]:
    for position, result in enumerate(results, start):
        if isinstance(result, Unread):
            shelf.broken[position] = result
            continue
        try:
            shelf.put(result, limit)
        except OSError as error:
            yield Notice(f"decoded pictures are not stored ({error.strerror})")
            shelf.writer = None


def _finish_store(shelf: _Shelf) -> Generator[Notice, None, None]:
    try:
        if shelf.writer is not None:
            shelf.writer.finish(shelf.broken)
    except OSError as error:
        yield Notice(f"decoded pictures are not stored ({error.strerror})")


def _read(pictures: Pictures, samples: Sequence[Sample], broken: dict[int, Unread]) -> Read:
    good = tuple(sample for position, sample in enumerate(samples) if position not in broken)
    return Read(pictures, good, tuple(broken[position].reason for position in sorted(broken)))


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
        "Replace or remove them, or raise the limit: `--set data.max_broken=0.05` to train, "
        "`--max-broken 0.05` to evaluate."
    )


def memory_bytes() -> int:
    """Bytes of memory that this machine or container has; 8 GiB where the system does not tell."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        whole = 8 * 2**30
    for file in CONTAINER:
        with suppress(OSError, ValueError):  # no such version of cgroups, or no limit: "max"
            whole = min(whole, int(file.read_text()))
    return whole


def _attempt(undecoded: Undecoded, position: int) -> Pixels | Unread:
    try:
        return undecoded[position]
    except DecodeError as error:
        return Unread(str(error), error.passing)
