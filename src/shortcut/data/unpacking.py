"""Zip and tar files read with little memory and no trust: zipfile and tarfile say what is inside,
and an Intake decides what of it is written."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, cast

from shortcut.data.intake import CHUNK, MAX_ENTRIES, Intake, shown
from shortcut.events import Progress

MAX_LIST = 200 * MAX_ENTRIES
"""Bytes of a zip's list of entries, which zipfile reads in one piece; 100 an entry are usual."""
MAX_HEADER = 16 << 10
"""Bytes before an entry of a tar. tarfile holds all of them in memory, and older versions look for
digits there in quadratic time. The longest path needs a quarter."""
XZ_MEMORY = 128 << 20
"""Bytes. `xz -9` asks for half of it, a file made with care for 4 GB."""

WORK = "unpacking"
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(ValueError, LookupError, ArithmeticError, RuntimeError),
)
"""What the libraries raise at bytes that make no sense; gzip and bz2 add an OSError without a
number."""

_ZIP_KINDS = {
    **{stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"},
    **{stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"},
}
_TAR_KINDS = {
    **{tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link"},
    **{tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "a pipe"},
}
_TAR_EXTRAS = {
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
}
_ENCRYPTED, _UTF8 = 0x1 | 0x40 | 0x2000, 0x800


def take_zip(intake: Intake) -> Generator[Progress]:
    """Write what is wanted of a zip file; yields how many files are done.

    Args:
        intake: for the file; it is asked about every entry before the first is written.

    Raises:
        DataError: the intake refuses it.
        ResourceError: the disk has no room.
        OSError: of reading, of writing, or without a number and then of DAMAGE.
        Exception: one of DAMAGE.
    """
    with _ListedFile(intake) as file, zipfile.ZipFile(file) as archive:
        wanted: list[tuple[zipfile.ZipInfo, Path]] = []
        for info in archive.infolist():
            name = _zip_name(info)
            place = intake.admit(name, is_folder=name.endswith("/"), fault=_zip_fault(info))
            wanted += [(info, place)] if place else []
        _check_overlaps(file, archive.infolist(), intake)
        intake.check_room(sum(info.file_size for info, _ in wanted))
        for info, place in wanted:
            with archive.open(info) as source:
                intake.write(place, source)
            yield Progress(WORK, intake.files, len(wanted))


def take_tar(intake: Intake, file: IO[bytes]) -> Generator[Progress]:
    """Write what is wanted of a tar file, plain or packed by gzip, bzip2 or xz, in one pass; yields
    how many of its bytes are done, as nobody knows its files.

    Args:
        intake: for the file; after a refusal its folder holds a part.
        file: the same one, at its beginning.

    Raises:
        DataError: the intake refuses it.
        ResourceError: the disk has no room.
        OSError: of reading, of writing, or without a number and then of DAMAGE.
        Exception: one of DAMAGE.
    """
    stream = _Stream(_unpacked(file), intake)
    source = cast(IO[bytes], stream)  # of which tarfile uses nothing but `read`
    with tarfile.open(
        fileobj=source, mode="r|", bufsize=CHUNK, tarinfo=_Header, encoding="utf-8"
    ) as archive:
        while (member := archive.next()) is not None:
            # tarfile would keep every header, and what some of them say about all that follow.
            vars(archive)["members"].clear()
            archive.pax_headers = {}
            stream.end = archive.offset + MAX_HEADER
            place = intake.admit(member.name, is_folder=member.isdir(), fault=_tar_fault(member))
            if place and (content := archive.extractfile(member)):
                intake.write(place, content)
            yield Progress(WORK, file.tell(), intake.size)
    stream.end = sys.maxsize
    while stream.read():  # on to the checksum at the end
        pass


class _ListedFile(io.BufferedReader):
    """A zip file whose list of entries is measured before zipfile makes an object of each."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(io.FileIO(intake.archive))
        self.intake = intake

    def read(self, size: int | None = -1, /) -> bytes:
        is_large = size is not None and size > MAX_LIST
        data = b"" if is_large else super().read(size)
        if is_large or data.count(b"PK\1\2") > MAX_ENTRIES:
            raise self.intake.refusal(f"it holds more than {MAX_ENTRIES:,} entries")
        return data


def _zip_name(info: zipfile.ZipInfo) -> str:
    # Names without the mark for UTF-8 are taken for those of DOS, but macOS never sets the mark.
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):
            return info.orig_filename.encode("cp437").decode()
    return info.orig_filename


def _zip_fault(info: zipfile.ZipInfo) -> str:
    kind, is_folder = stat.S_IFMT(info.external_attr >> 16), info.orig_filename.endswith("/")
    if kind in _ZIP_KINDS:
        return f"is {_ZIP_KINDS[kind]}"
    if (is_folder and info.file_size) or (kind and is_folder != (kind == stat.S_IFDIR)):
        return "is a file and a folder"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    # zipfile unpacks bzip2 and LZMA without a limit: 4 KB may become 80 MB in memory.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is packed by method {info.compress_type}, and only 0 and 8 (deflate) are read"
    return ""


def _check_overlaps(file: IO[bytes], entries: list[zipfile.ZipInfo], intake: Intake) -> None:
    """Where entries share bytes, 10 MB can become 281 TB (Fifield 2019, "A better zip bomb")."""
    end = 0
    for info in sorted(entries, key=lambda info: info.header_offset):
        if info.header_offset + 30 > intake.size:
            raise zipfile.BadZipFile("it is cut off")
        if info.header_offset < end:
            raise intake.refusal(f"{shown(_zip_name(info))} overlaps with another entry")
        file.seek(info.header_offset)
        name, extra = struct.unpack("<26x2H", file.read(30))
        end = info.header_offset + 30 + name + extra + info.compress_size


class _Header(tarfile.TarInfo):
    """A header that is not taken for the end of the archive when it is damaged or cut off, and that
    announces what can be held in memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            is_block = len(buf) == tarfile.BLOCKSIZE
            if is_block and not any(buf):
                raise
            raise tarfile.ReadError(str(error) if is_block else "it is cut off") from error
        if header.size < 0 or (header.type in _TAR_EXTRAS and header.size > MAX_HEADER):
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


class _Stream:
    """What tarfile reads from: unpacked bytes, counted, and no more than `end` allows."""

    def __init__(self, pieces: Iterator[bytes], intake: Intake) -> None:
        self.pieces, self.intake = pieces, intake
        self.done, self.end = 0, MAX_HEADER

    def read(self, size: int = CHUNK, /) -> bytes:
        # tarfile asks for CHUNK bytes, ahead of what it needs, and takes any number but none.
        piece = next(self.pieces, b"")
        self.done += len(piece)
        self.intake.check(self.done)
        if self.done > self.end + size:
            raise self.intake.refusal(f"it has a header of more than {MAX_HEADER:,} bytes")
        return piece


def _tar_fault(member: tarfile.TarInfo) -> str:
    if member.type in _TAR_KINDS:
        return f"is {_TAR_KINDS[member.type]}"
    is_plain = member.isdir() or (member.isreg() and not member.issparse())
    return "" if is_plain and member.size >= 0 else "is neither a plain file nor a folder"


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a tar, at most CHUNK at a time; how they are packed is told by the first."""
    start = file.read(10)
    file.seek(0)
    if start.startswith(b"BZh") and start.endswith(b"1AY&SY"):  # else it may be a name
        return filter(None, _pieces(file, bz2.BZ2Decompressor))
    if start.startswith(b"\xfd7zXZ\0"):
        fresh = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, XZ_MEMORY)
        return filter(None, _pieces(file, fresh))
    source = gzip.GzipFile(fileobj=file) if start.startswith(b"\x1f\x8b") else file
    return iter(partial(source.read, CHUNK), b"")


def _pieces(
    file: IO[bytes], fresh: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
) -> Iterator[bytes]:
    """As bz2.open and lzma.open do it, which know no limit for the memory of xz."""
    engine, packed = None, b""
    while packed := packed or file.read(CHUNK):
        engine = engine or fresh()
        yield engine.decompress(packed, CHUNK)
        while not (engine.eof or engine.needs_input):
            yield engine.decompress(b"", CHUNK)
        packed, engine = (engine.unused_data, None) if engine.eof else (b"", engine)
    if engine:
        raise EOFError("it is cut off")
