"""Decoded pictures on the disk: one file of raw pixels for one list of pictures, mapped into
memory.

A store is written once, beside its place, and renamed when it is whole; it is never changed. Its
name is a digest of all that decides its bytes: path, size and time of change of every picture, how
they are decoded, and by which Pillow. So no store is ever out of date: it is only no longer asked
for. Only what the system withheld is no matter of the name: it is marked, to be tried again.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shortcut.data.decode import decoder_version
from shortcut.data.preprocess import Pixels
from shortcut.disk import SPARE, remove_unused

DECODING = 3
"""Goes up when the decoder or the resizing gives other pixels: older stores are then not found."""
DISK_SHARE = 0.1
"""All stores together take at most this share of the disk; the longest unused goes first."""


class Unread(NamedTuple):
    """Why there is no picture."""

    reason: str
    passing: bool
    """The system withheld it: another time it may be there."""


class Mapped:
    """The pictures of a store; the system reads a page when it is first looked at, and may drop it
    again."""

    def __init__(self, pixels: Path, sizes: Sequence[tuple[int, int]]) -> None:
        self.sizes = sizes
        self.ends = np.cumsum([height * width * 3 for height, width in sizes]).tolist()
        # Writable, if only for copies, Linux would count all of it against memory and refuse to map
        # just those sets that do not fit.
        self.bytes = np.memmap(pixels, np.uint8, "r") if self.ends else np.empty(0, np.uint8)

    def __getitem__(self, index: int) -> Pixels:
        height, width = self.sizes[index]
        end = self.ends[index]
        return np.asarray(self.bytes[end - height * width * 3 : end]).reshape(height, width, 3)

    def __len__(self) -> int:
        return len(self.sizes)


def store_name(paths: Iterable[Path], short_side: int, max_pixels: int | None = None) -> str:
    """The digest under which these pictures are stored with this short side in pixels; those of
    more than `max_pixels` are among its broken ones."""
    how = f"{DECODING} {short_side} {max_pixels} {decoder_version()}"
    digest = hashlib.sha256(f"{how}\n".encode())
    for path in paths:
        digest.update(os.fsencode(path.absolute()))
        with suppress(OSError):
            facts = path.stat()
            digest.update(f"\0{facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def open_store(folder: Path, name: str) -> tuple[Mapped, dict[int, Unread]] | None:
    """The pictures of a store and those that could not be read, by position in the list; None where
    there is no whole one."""
    place = folder / name
    try:
        index: dict[str, Any] = json.loads((place / "index.json").read_text("utf-8"))
        sizes = [(int(height), int(width)) for height, width in index["sizes"]]
        broken = {
            int(position): Unread(str(reason), bool(passing))
            for position, (reason, passing) in index["broken"].items()
        }
        pictures = Mapped(place / "pixels", sizes)
        if len(pictures.bytes) != (pictures.ends[-1] if sizes else 0):
            return None
        os.utime(place)  # used just now
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return pictures, broken


class StoreWriter:
    """Takes pictures one after the other; as a context manager it leaves nothing half-done."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.place = folder / name
        self.partial = Path(tempfile.mkdtemp(prefix=f"{name[:8]}.partial-", dir=folder))
        self.file = (self.partial / "pixels").open("wb")
        self.sizes: list[tuple[int, int]] = []

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        shutil.rmtree(self.partial, ignore_errors=True)

    def add(self, pixels: Pixels) -> None:
        """Append a picture.

        Raises:
            OSError: the disk is full.
        """
        self.file.write(np.ascontiguousarray(pixels).data)
        self.sizes.append((pixels.shape[0], pixels.shape[1]))

    def finish(self, broken: Mapping[int, Unread]) -> None:
        """Make the store whole and visible.

        Raises:
            OSError: it cannot be written.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        index = {"sizes": self.sizes, "broken": broken}
        (self.partial / "index.json").write_text(json.dumps(index), "utf-8")
        # What lies there was found damaged or lacks pictures that can be read now, or another
        # process was faster; who has mapped its bytes keeps them.
        shutil.rmtree(self.place, ignore_errors=True)
        with suppress(OSError):
            self.partial.rename(self.place)


def make_room(folder: Path, wanted: int) -> bool:
    """Remove the longest unused stores until `wanted` bytes fit into the share of the disk; False
    where they cannot."""
    parent = next(place for place in (folder, *folder.parents) if place.exists())
    disk = shutil.disk_usage(parent)
    limit = int(disk.total * DISK_SHARE)
    if wanted > min(limit, disk.free - SPARE):
        return False
    remove_unused(folder, limit - wanted)
    return True
