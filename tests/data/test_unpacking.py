"""Bombs and damage: found out in little memory, refused in one line, and not a byte is left."""

import functools
import gzip
import struct
import tarfile
import tracemalloc
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.packing import MEGABYTE, PACKERS, TWO, refused, save, tarred, unpack, zipped

from shortcut.data import intake
from shortcut.errors import DataError

WHOLE: Mapping[str, bytes] = {
    "zip": zipped(TWO.items()),
    **{packing: pack(tarred(TWO.items())) for packing, pack in PACKERS.items()},
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def watched(archive: Path, cache: Path) -> str:
    """What is said of a bomb, which may not have taken more than 50 MB of memory."""
    tracemalloc.start()
    try:
        message = refused(archive, cache)
        assert tracemalloc.get_traced_memory()[1] < 50 * MEGABYTE
    finally:
        tracemalloc.stop()
    return message


# Bombs ------------------------------------------------------------------------------------


@functools.cache
def bomb(packing: str, name: str) -> bytes:
    entries = [("cat/0.jpg", b"x"), (name, bytes(intake.FLOOR + 4 * MEGABYTE))]
    return zipped(entries) if packing == "zip" else PACKERS[packing](tarred(entries))


@pytest.mark.parametrize(
    ("packing", "name"),
    [
        *(
            ("zip", "cat/1.bmp"),
            ("tar.gz", "cat/1.bmp"),
            ("tar.bz2", "cat/1.bmp"),
            ("tar.xz", "1.bmp"),
        ),
        *((packing, "idle.bin") for packing in ("tar.gz", "tar.bz2", "tar.xz")),
    ],
)
def test_much_out_of_little(packing: str, name: str, tmp_path: Path, cache: Path) -> None:
    archive = save(tmp_path / f"a.{packing}", bomb(packing, name))
    assert "it unpacks to more than 200 times its size" in watched(archive, cache)


def test_what_is_not_wanted_of_a_zip_is_not_unpacked(tmp_path: Path, cache: Path) -> None:
    place = unpack(save(tmp_path / "a.zip", bomb("zip", "idle.bin")), cache)
    assert [path.name for path in place.rglob("*.*")] == [".whole", "0.jpg"]


def test_sizes_that_are_not_true(tmp_path: Path, cache: Path) -> None:
    file = bytearray(bomb("zip", "cat/1.bmp"))
    for signature, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", file, file.rindex(signature) + place, 1000)
    assert "is damaged" in watched(save(tmp_path / "a.zip", bytes(file)), cache)


class Entry(NamedTuple):
    """What a zip says of an entry."""

    name: bytes
    crc: int
    packed: int
    plain: int

    def header(self) -> bytes:
        fields = 20, 0, 8, 0, 0, self.crc, self.packed, self.plain, len(self.name), 0
        return struct.pack("<4s5H3I2H", b"PK\3\4", *fields) + self.name

    def row(self, offset: int) -> bytes:
        fields = 20, 20, 0, 8, 0, 0, self.crc, self.packed, self.plain, len(self.name)
        rest = 0, 0, 0, 0, 0, offset
        return struct.pack("<4s6H3I5H2I", b"PK\1\2", *fields, *rest) + self.name


def end_of_zip(rows: int, listed: int, offset: int) -> bytes:
    count = min(rows, 0xFFFF)
    return struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, listed, offset, 0)


def deflated(content: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(content) + engine.flush()


@pytest.mark.parametrize("sharing", ["one kernel", "quoted headers"])
def test_entries_that_share_bytes(sharing: str, tmp_path: Path, cache: Path) -> None:
    plain = bytes(MEGABYTE)
    packed = deflated(plain)
    entry = Entry(b"cat/000.bmp", zlib.crc32(plain), len(packed), len(plain))
    body = entry.header() + packed
    found = [(entry, len(body))]
    for number in range(1, 250):
        name = f"cat/{number:03}.bmp".encode()
        if sharing == "one kernel":
            found.append((entry._replace(name=name), len(body)))
            continue
        # A block that is stored as it is holds the header of the entry before.
        header = entry.header()
        packed = b"\0" + struct.pack("<2H", len(header), len(header) ^ 0xFFFF) + body
        plain = header + plain
        entry = Entry(name, zlib.crc32(plain), len(packed), len(plain))
        body = entry.header() + packed
        found.append((entry, len(body)))
    listed = b"".join(entry.row(len(body) - length) for entry, length in found)
    archive = save(tmp_path / "a.zip", body + listed + end_of_zip(250, len(listed), len(body)))
    assert "overlaps with another entry" in watched(archive, cache)


@pytest.mark.parametrize(("count", "length"), [(1_000_000, 1), (260_000, 100)])
def test_a_million_entries(count: int, length: int, tmp_path: Path, cache: Path) -> None:
    rows = Entry(b"x" * length, 0, 0, 0).row(0) * count
    archive = save(tmp_path / "a.zip", rows + end_of_zip(count, len(rows), 0))
    assert "it holds more than 200,000 entries" in watched(archive, cache)


def test_many_entries_of_a_tar(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [(f"cat/{number}.jpg", b"") for number in range(1001)]
    archive = save(tmp_path / "a.tar.gz", gzip.compress(tarred(entries)))
    monkeypatch.setattr(intake, "MAX_ENTRIES", 1000)
    assert "it holds more than 1,000 entries" in watched(archive, cache)


def test_many_folders(tmp_path: Path, cache: Path) -> None:
    entries = [(f"{number}/" * 31 + "x.jpg", b"") for number in range(1700)]
    archive = save(tmp_path / "a.zip", zipped(entries))
    assert "it holds more than 50,000 folders" in watched(archive, cache)


def test_archives_in_archives(tmp_path: Path, cache: Path) -> None:
    content = zipped(TWO.items())
    for _ in range(5):
        content = zipped([(f"{number}.zip", content) for number in range(4)])
    message = watched(save(tmp_path / "a.zip", content), cache)
    assert "holds no pictures. Archives inside of it are not looked into" in message


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME], ids=ascii
)
def test_endless_headers(kind: bytes, tmp_path: Path, cache: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 60 * MEGABYTE
    content = info.tobuf(tarfile.GNU_FORMAT) + bytes(info.size) + tarred(TWO.items())
    archive = save(tmp_path / "a.tar.gz", gzip.compress(content))
    assert "is damaged, or not a zip or tar file (a header of 62,914,560 bytes)" in watched(
        archive, cache
    )


def test_headers_on_headers(tmp_path: Path, cache: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    content = info.tobuf(tarfile.GNU_FORMAT) * 100_000 + tarred(TWO.items())
    archive = save(tmp_path / "a.tar.gz", gzip.compress(content))
    assert "it has a header of more than 16,384 bytes" in watched(archive, cache)


def test_headers_for_all_that_follow_are_forgotten(tmp_path: Path, cache: Path) -> None:
    blocks: list[bytes] = []
    for number in range(3900):
        info = tarfile.TarInfo(f"cat/{number}.jpg")
        of_all = {f"key{number}": "x" * 15_000}
        blocks += [info.create_pax_global_header(of_all), info.tobuf()]
    archive = save(tmp_path / "a.tar.gz", gzip.compress(b"".join(blocks)))
    assert "it is cut off" in watched(archive, cache)


def test_the_memory_that_xz_asks_for(tmp_path: Path, cache: Path) -> None:
    file = bytearray(WHOLE["tar.xz"])
    end = 12 + (file[12] + 1) * 4 - 4  # of the block's header, which a checksum follows
    file[file.index(b"\x21\x01") + 2] = 40  # a dictionary of 4 GB
    struct.pack_into("<I", file, end, zlib.crc32(file[12:end]))
    assert "Memory usage limit" in watched(save(tmp_path / "a.tar.xz", bytes(file)), cache)


# Damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE], ids=ascii)
def test_sizes_below_nothing(kind: bytes, tmp_path: Path, cache: Path) -> None:
    info = tarfile.TarInfo("cat/1.jpg")
    info.type, info.size = kind, -512
    archive = save(tmp_path / "a.tar", info.tobuf(tarfile.GNU_FORMAT) * 2 + tarred(TWO.items()))
    assert "(a header of -512 bytes)" in refused(archive, cache)


@pytest.mark.parametrize("packing", WHOLE)
def test_what_is_cut_off(packing: str, tmp_path: Path, cache: Path) -> None:
    content = WHOLE[packing]
    ends = {0, 1, 10, len(content) // 2, len(content) - 1}
    if packing == "tar":  # ends in a block of zeros, and in more that do not matter
        ends = {0, 1, 10, 512, 600, 1024, 2047, 2048, 2100}
    for end in ends:
        archive = save(tmp_path / f"a.{packing}", content[:end])
        assert "is damaged, or not a zip or tar file (" in refused(archive, cache)


def test_a_zip_that_is_cut_short_is_told_as_such(tmp_path: Path, cache: Path) -> None:
    archive = save(tmp_path / "a.zip", WHOLE["zip"][:-30])
    assert "(cut short: a zip file ends with a list of its entries" in refused(archive, cache)


@pytest.mark.parametrize("packing", ["tar.gz", "tar.bz2", "tar.xz"])
def test_the_checksum_at_the_end(packing: str, tmp_path: Path, cache: Path) -> None:
    content = bytearray(WHOLE[packing])
    content[-8] ^= 1
    assert "is damaged" in refused(save(tmp_path / f"a.{packing}", bytes(content)), cache)


@pytest.mark.parametrize("packing", WHOLE)
@settings(max_examples=150)
@given(draw=st.data())
def test_any_damage(
    packing: str, draw: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("damage")
    content = bytearray(WHOLE[packing])
    places = st.integers(0, min(len(content), 3000) - 1)
    for place in draw.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = draw.draw(st.integers(0, 255))
    archive, unpacked = save(home / f"a.{packing}", bytes(content)), home / "cache" / "unpacked"
    try:
        place = unpack(archive, home / "cache")
        assert list(unpacked.iterdir()) == [place]
    except DataError as error:
        assert "\n" not in str(error)
        assert list(unpacked.iterdir()) == []
    assert {path.name for path in home.iterdir()} == {"cache", archive.name}
