"""What an archive may bring in: names, kinds and sizes are doubted, and one doubt refuses the
whole."""

import re
import shutil
import unicodedata
from pathlib import Path
from typing import IO, TypeAlias

from shortcut.data.folders import PICTURE_ENDINGS, printable
from shortcut.disk import SPARE
from shortcut.errors import DataError, ResourceError

MAX_ENTRIES = 200_000
"""Twice Food-101. zipfile keeps a kilobyte for each, so a million would take a gigabyte."""
MAX_BYTES = 200 * 10**9
"""All of ImageNet takes 150 GB."""
RATIO, FLOOR = 200, 64 << 20
"""Photos do not shrink at all, blank bitmaps up to a thousandfold: FLOOR bytes may come out of
anything, more only up to RATIO times the size of the archive."""
MAX_DEPTH, MAX_STEP, MAX_NAME = 32, 255, 1024
"""Folders in one another; bytes of a name in its folder, as file systems have it, and of a path."""
MAX_FOLDERS = 50_000
"""ImageNet-21k has 21,841. Each takes half a kilobyte of memory, and one entry may make 31."""
CHUNK = 32 << 10
"""Bytes that are handled at a time."""

_DRIVE = re.compile(r"[A-Za-z]:")
_Tree: TypeAlias = "dict[str, str | tuple[str, _Tree]]"
"""Names in the form in which all systems compare them, to their spelling and, for folders, to what
is inside: whole paths would hold each folder's name again for each file."""


class Intake:
    """One archive on its way into a folder; every doubt is a DataError.

    Args:
        archive: the file, for messages.
        size: its bytes.
        folder: a new one, to be thrown away after an error.
    """

    def __init__(self, archive: Path, size: int, folder: Path) -> None:
        self.archive, self.size, self.folder = archive, size, folder
        self.room = shutil.disk_usage(folder).free - SPARE
        self.entries = self.folders = self.files = self.written = 0
        self.tree: _Tree = {}

    def refusal(self, why: str) -> DataError:
        """The error that says why nothing is taken."""
        text = f"nothing was unpacked, because {why}. If you trust it, unpack it yourself and give"
        return DataError(f"{printable(self.archive)}: {text} the folder.")

    def admit(self, name: str, *, is_folder: bool, fault: str) -> Path | None:
        """Where in the folder an entry belongs; None where it is of no use here.

        Args:
            name: as it stands in the archive.
            fault: what its reader found wrong, to be said with the name; empty if nothing.

        Raises:
            DataError: the fault; too many entries; a name that leads elsewhere, is too long, or is
                also that of another entry on some system.
        """
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise self.refusal(f"it holds more than {MAX_ENTRIES:,} entries")
        steps = [step for step in name.split("/") if step not in ("", ".")]
        fault = fault or _fault(name) or ("" if steps or is_folder else "is no name for a file")
        if fault:
            raise self.refusal(f"{shown(name)} {fault}")
        self._remember(steps, is_folder)
        if is_folder or any(step.startswith(".") or step.lower() == "__macosx" for step in steps):
            return None
        _, dot, ending = steps[-1].rpartition(".")
        wanted = dot and (ending.lower() in PICTURE_ENDINGS or ending.lower() == "csv")
        return Path(*steps) if wanted else None

    def _remember(self, steps: list[str], is_folder: bool) -> None:
        here = self.tree
        for number, step in enumerate(steps, 1):
            is_file = number == len(steps) and not is_folder
            key = unicodedata.normalize("NFC", step).lower()
            known = here.get(key)
            if known is None:
                self.folders += not is_file
                known = here.setdefault(key, step if is_file else (step, {}))
            elif is_file and known == step:
                raise self.refusal(f"{shown('/'.join(steps))} is in it twice")
            spelling = known if isinstance(known, str) else known[0]
            if spelling != step:
                twins = f"{spelling!a} and {step!a} differ only in case or in the form of accents"
                raise self.refusal(f"{twins}, and are one on macOS and Windows")
            if isinstance(known, str) != is_file:
                raise self.refusal(f"{shown('/'.join(steps[:number]))} is a file and a folder")
            if isinstance(known, tuple):
                here = known[1]
        if self.folders > MAX_FOLDERS:
            raise self.refusal(f"it holds more than {MAX_FOLDERS:,} folders")

    def check(self, size: int) -> None:
        """Refuse that so many bytes come out of an archive of this size.

        Raises:
            DataError: more than photos could be.
        """
        if size > MAX_BYTES:
            raise self.refusal(f"it unpacks to more than {MAX_BYTES / 1e9:,.0f} GB")
        if size > max(FLOOR, RATIO * self.size):
            raise self.refusal(f"it unpacks to more than {RATIO} times its size")

    def check_room(self, size: int) -> None:
        """Refuse to write so many bytes.

        Raises:
            DataError: as `check` does.
            ResourceError: the disk has no room for them.
        """
        self.check(size)
        if size > self.room:
            room = f"{max(0, self.room) / 1e9:.1f} GB that may be written in"
            text = f"unpacks to more than the {room} {printable(self.folder.parent)}. Free some"
            text = f"{text} space, or set SHORTCUT_CACHE to a folder on a larger disk."
            raise ResourceError(f"{printable(self.archive)}: {text}")

    def write(self, place: Path, source: IO[bytes]) -> None:
        """Write one file. Bytes count as they arrive, whatever was announced.

        Args:
            place: what `admit` gave.
            source: its bytes, unpacked.

        Raises:
            DataError: too many bytes by now.
            ResourceError: the disk has no room.
            OSError: it cannot be written.
        """
        target = self.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while piece := source.read(CHUNK):
                self.written += len(piece)
                self.check_room(self.written)
                file.write(piece)
        self.files += 1


def _fault(name: str) -> str:
    """Why this cannot be the name of an entry; empty where it can."""
    steps = name.split("/")
    try:
        longest = max(len(step.encode()) for step in steps)
    except UnicodeEncodeError:
        return "is not a name in UTF-8"
    faults = {
        "holds a NUL": "\0" in name,
        "holds a backslash": "\\" in name,
        "is an absolute path": name.startswith("/"),
        "leads out of the folder": ".." in steps,
        "begins with the letter of a drive": any(_DRIVE.match(step) for step in steps),
        f"lies more than {MAX_DEPTH} folders deep": len(steps) > MAX_DEPTH,
        "is too long a name": longest > MAX_STEP or len(name.encode()) > MAX_NAME,
    }
    return next((fault for fault, is_there in faults.items() if is_there), "")


def shown(name: str) -> str:
    """A name from an archive in quotes, short and on one line."""
    return f"'{printable(name[:80])}{'...' if len(name) > 80 else ''}'"
