"""Zip and tar files, unpacked into the cache once and then read as folders.

The folder has a digest of path, size and time of change as its name, so it cannot be out of date;
it is filled beside its place and renamed when it is whole. Another change means another folder.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, is_zipfile

from shortcut.data.folders import PART_NAMES, printable, read_folder
from shortcut.data.intake import Intake
from shortcut.data.samples import Source
from shortcut.data.tables import read_table
from shortcut.data.unpacking import DAMAGE, take_tar, take_zip
from shortcut.disk import reason_of, remove_unused
from shortcut.errors import DataError, ResourceError
from shortcut.events import Progress

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_WHOLE = ".whole"
_LEFT_OVER = 24 * 60 * 60
"""Seconds after which nobody is still filling a folder: its process was killed."""
_UNUSED = 7 * _LEFT_OVER
"""Seconds after which no training reads from a folder any more."""
_DISK_SHARE = 0.1
"""What is unused may stay while all unpacked archives take at most this share of the disk."""


def is_archive(path: Path) -> bool:
    """Whether the name ends as those of archives do that can be read."""
    return path.name.lower().endswith(ENDINGS)


def unpacking(archive: Path, cache: Path) -> Generator[Progress, None, Path]:
    """Unpack the pictures and CSV files of a zip or tar file, if it is not there; returns where.

    Other files, hidden ones and archives inside are never written. Permissions, owners and times
    are not taken over.

    Args:
        archive: a file whose name `is_archive`; its first bytes tell how it is packed.
        cache: its folder `unpacked` gets a folder for each archive.

    Raises:
        DataError: it cannot be read, is damaged, or holds no pictures; or it holds what pictures
            never need: names that lead elsewhere or mean two things, links, devices, encrypted or
            overlapping entries, too many of them, or too many bytes.
        ResourceError: the cache cannot be written, or the disk has no room.
    """
    try:
        facts, file = archive.stat(), archive.open("rb")
    except OSError as error:
        raise _fault(archive, f"cannot be read ({reason_of(error)}).") from error
    identity = f"\0{facts.st_size} {facts.st_mtime_ns}".encode()
    digest = hashlib.sha256(os.fsencode(archive.resolve()) + identity)
    place = cache / "unpacked" / digest.hexdigest()[:32]
    try:
        with file:
            if not _is_whole(place):
                with _beside(place) as folder:
                    yield from _fill(Intake(archive, facts.st_size, folder), file)
            with suppress(OSError):  # a cache that can only be read
                os.utime(place)  # used just now
    except (*DAMAGE, OSError) as error:
        reason = printable(reason_of(error))
        if isinstance(error, OSError) and error.errno is not None:
            text = f"cannot be unpacked into {printable(place.parent)} ({reason}). Free some space,"
            text = f"{text} or set SHORTCUT_CACHE to a folder that can be written."
            raise ResourceError(f"{printable(archive)}: {text}") from error
        text = f"is damaged, or not a zip or tar file ({reason}). Unpack it by other means and give"
        raise _fault(archive, f"{text} the folder, or get it again.") from error
    return place


def read_unpacked(archive: Path, place: Path) -> Source:
    """The labelled pictures that `unpacking` put into `place`, as a folder gives them.

    A folder that holds nothing but one other is passed through. Where the folders give no labels
    and one CSV file lies beside them, that one is read.

    Raises:
        DataError: as `read_folder` and `read_table` raise it.
    """
    try:
        source = _read(place)
    except DataError as error:
        # What the person knows is the archive, not where it was unpacked.
        told = str(error).replace(printable(place), printable(archive))
        raise DataError(told) from error
    ending = next(ending for ending in ENDINGS if archive.name.lower().endswith(ending))
    return replace(source, name=archive.name[: -len(ending)] or "data")


def _read(place: Path) -> Source:
    inside = [path for path in place.iterdir() if path.name != _WHOLE]
    # One folder alone is a wrapping: as one class alone it would be an error.
    if len(inside) == 1 and inside[0].is_dir() and inside[0].name.lower() not in PART_NAMES:
        return _read(inside[0])
    try:
        return read_folder(place)
    except DataError as by_folders:
        tables = [path for path in inside if path.suffix.lower() == ".csv"]
        if len(tables) != 1:
            raise
        try:
            return read_table(tables[0])
        except DataError as by_table:
            raise DataError(f"{by_folders} Nor by its table: {by_table}") from by_table


def _is_whole(place: Path) -> bool:
    """Whether all is there that was written. Tidying of the cache and power cuts may take some."""
    try:
        told = (place / _WHOLE).read_text("ascii")
        sizes = [
            (Path(folder) / file).stat().st_size
            for folder, _, files in os.walk(place)
            for file in files
            if file != _WHOLE
        ]
    except (OSError, UnicodeDecodeError):
        return False
    return told == _summary(len(sizes), sum(sizes))


def _summary(files: int, size: int) -> str:
    return f"{files} files, {size} bytes"


@contextmanager
def _beside(place: Path) -> Generator[Path]:
    """A new folder, which becomes `place` if all goes well and else leaves nothing."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for old in place.parent.glob("*.partial-*"):
        with suppress(FileNotFoundError):
            if time.time() - old.stat().st_mtime > _LEFT_OVER:
                shutil.rmtree(old, ignore_errors=True)
    limit = shutil.disk_usage(place.parent).total * _DISK_SHARE
    remove_unused(place.parent, limit, before=time.time() - _UNUSED)
    folder = Path(tempfile.mkdtemp(prefix=f"{place.name[:8]}.partial-", dir=place.parent))
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp lets nobody else in
        if not _is_whole(place):
            shutil.rmtree(place, ignore_errors=True)
            folder.rename(place)
    except OSError:
        # Another process may have been faster; its pictures are the same, and in use.
        if not _is_whole(place):
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(intake: Intake, file: IO[bytes]) -> Generator[Progress]:
    begins_as_zip = file.read(4) == b"PK\3\4"
    file.seek(0)
    if begins_as_zip and not is_zipfile(file):
        raise BadZipFile("cut short: a zip file ends with a list of its entries, and it is missing")
    is_zip = begins_as_zip or intake.archive.suffix.lower() == ".zip"
    file.seek(0)
    yield from take_zip(intake) if is_zip else take_tar(intake, file)
    if not intake.files:
        text = "holds no pictures. Archives inside of it are not looked into: unpack it yourself"
        raise _fault(intake.archive, f"{text} and give the folder.")
    (intake.folder / _WHOLE).write_text(_summary(intake.files, intake.written), "ascii")


def _fault(archive: Path, text: str) -> DataError:
    return DataError(f"{printable(archive)}: {text}")
