"""Files that are whole or not there: written beside their place, flushed, renamed."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

from shortcut.errors import ResourceError

HALF = ".tmp"
"""Ends the name of a file that is not whole yet."""
SPARE = 10**9
"""Bytes that stay free on the disk, for a run; and for decoded pictures, where they come later."""


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file (text as UTF-8), whole or not at all; its folder is made if need be.

    Raises:
        ResourceError: disk full, no permission, or another fault; an older file stays intact.
    """
    if isinstance(content, str):
        content = content.encode()
    # Beside the target, because a rename cannot cross file systems.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{HALF}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_through(temporary, content)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ResourceError(
            f"cannot write `{path}`: {reason_of(error)}. Free space or choose another place."
        ) from error
    flush_folder(path.parent)


def remove_halves(folder: Path) -> None:
    """Remove what `write_whole` had begun when its process was killed; nobody else may be writing
    there."""
    for half in folder.glob(f".*{HALF}"):
        with contextlib.suppress(OSError):
            half.unlink()


def write_through(path: Path, content: bytes) -> None:
    """Write a new file, all the way to the disk.

    Raises:
        OSError: there is such a file already, or it cannot be written.
    """
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # else a power cut can leave the name on an empty file


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    # The files are in place by now; Windows and some network disks cannot flush a folder.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_unused(folder: Path, limit: float, before: float = float("inf")) -> None:
    """Remove the longest unused folders in `folder` until those left take at most `limit` bytes.

    Args:
        before: a folder that was used (its time of change) at this time or later stays: seconds
            since 1970.
    """
    used = 0
    for at, size, place in sorted(_weighed(folder), reverse=True):
        used += size
        if used > limit and at < before:
            shutil.rmtree(place, ignore_errors=True)


def _weighed(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Time of change, bytes and path of each folder inside."""
    for place in folder.glob("*/"):
        # Another process may be tidying too; and what may not be looked into stays.
        with contextlib.suppress(OSError):
            size = sum(file.lstat().st_size for file in place.rglob("*"))
            yield place.stat().st_mtime, size, place


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reason_of(error: Exception) -> str:
    """An error's own words on one line, without its number and file name."""
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        error = error.reason
    if isinstance(error, FileExistsError):  # from mkdir, where "File exists" would be a riddle
        return f"`{error.filename}` is a file, not a folder"
    said = error.strerror if isinstance(error, OSError) else None
    return " ".join((said or str(error) or type(error).__name__).split()).rstrip(".")
