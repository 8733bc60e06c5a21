"""Zip and tar files made by hand, and what they leave when they are refused."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import pytest

from shortcut.data.archives import unpacking
from shortcut.data.sources import read_source
from shortcut.errors import DataError
from shortcut.events import run_silently

TWO = {"cat/1.jpg": b"one", "dog/2.png": b"two"}
MEGABYTE = 1 << 20
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}


def zipped(
    entries: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A zip file of these entries."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")  # that a name is there twice
        for name, content in entries:
            archive.writestr(name, content, method)
    return file.getvalue()


def tarred(
    entries: Iterable[tuple[str | tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT
) -> bytes:
    """A tar file of these entries, not compressed."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, encoding="utf-8") as archive:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zip_name(name: str) -> zipfile.ZipInfo:
    """An entry with the very name, where zipfile would mend it."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    return info


def tar_name(name: str) -> tarfile.TarInfo:
    """An entry with the very name, where a field of tar would end at a NUL."""
    info = tarfile.TarInfo(name.replace("\0", ""))
    if "\0" in name:
        info.pax_headers = {"path": name}
    return info


def set_bits(file: bytearray, bits: int, value: int) -> None:
    """Change flags of the first entry of a zip, in its header and in the list."""
    for place in (file.index(b"PK\3\4") + 6, file.index(b"PK\1\2") + 8):
        (flags,) = struct.unpack_from("<H", file, place)
        struct.pack_into("<H", file, place, flags & ~bits | value)


def save(file: Path, content: bytes) -> Path:
    """Write a file; returns its path."""
    file.write_bytes(content)
    return file


def everything(folder: Path) -> dict[str, bytes | None]:
    """Each path below the folder, with the first bytes of files."""
    found: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        content = None
        if path.is_file():
            with path.open("rb") as file:
                content = file.read(MEGABYTE)
        found[path.relative_to(folder).as_posix()] = content
    return found


def unpack(archive: Path, cache: Path) -> Path:
    """Where an archive was unpacked."""
    return run_silently(unpacking(archive, cache))


def written(archive: Path, cache: Path) -> dict[str, bytes]:
    """The files that come out of an archive."""
    found = everything(unpack(archive, cache))
    return {name: text for name, text in found.items() if text is not None and name != ".whole"}


@contextmanager
def nothing_left(cache: Path) -> Generator[None]:
    """Nothing is new beside the cache, and in it only an empty folder."""
    before = everything(cache.parent)
    yield
    assert everything(cache.parent) == before | {"cache": None, "cache/unpacked": None}


def refused(archive: Path, cache: Path) -> str:
    """What is said of an archive that is refused and leaves nothing."""
    with nothing_left(cache), pytest.raises(DataError) as caught:
        read_source(archive, cache=cache)
    message = str(caught.value)
    assert message.startswith(f"{archive}: ")
    assert "\n" not in message
    return message
