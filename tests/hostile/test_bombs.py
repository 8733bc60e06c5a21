"""Small files that would fill the memory, or take long, are refused from their headers."""

import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.hostile.apart import decode_apart
from tests.hostile.making import (
    bombs,
    chunk,
    encoded,
    photo,
    png,
    png_bomb,
    segment,
    with_segments,
)

from shortcut.data.decode import MAX_PIXELS, decode_picture
from shortcut.errors import DecodeError

SIDE = 9_400
LIMIT = 50_000_000
MOST_MEGABYTES = 20


@pytest.mark.parametrize("kind", bombs(1))
def test_the_refusal_names_size_limit_and_way_out(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"bomb.{kind.replace('tiff', 'tif')}"
    file.write_bytes(bombs(SIDE)[kind])
    with pytest.raises(DecodeError) as refusal:
        decode_picture(file, max_pixels=LIMIT)
    size = "is 9,400 x 9,400 = 88.36 Mpx, limit 50 Mpx"
    way_out = "shrink it or raise --max-pixels"
    assert str(refusal.value) == f"{file.name}: {size}; {way_out} (in {tmp_path})."


def test_without_a_limit_of_ones_own_there_is_one() -> None:
    assert MAX_PIXELS == 75_000_000
    size = "is 9,400 x 9,400 = 88.36 Mpx"
    with pytest.raises(DecodeError, match=f"{size}, limit 75 Mpx; shrink it or raise --max-pixels"):
        decode_picture(png_bomb(SIDE))
    # Pillow has a limit as well, which no parameter lifts.
    beyond = bombs(15_000)["jpeg"]
    with pytest.raises(DecodeError, match=r"has 225 Mpx, limit 75 Mpx; "):
        decode_picture(beyond)
    with pytest.raises(DecodeError, match=r"has 225 Mpx, limit 178\.96 Mpx; shrink it\.$"):
        decode_picture(beyond, max_pixels=10**9)


def test_the_limit_itself_is_allowed() -> None:
    data = encoded(Image.new("L", (100, 100)), "PNG")
    assert decode_picture(data, max_pixels=10_000).size == (100, 100)
    with pytest.raises(DecodeError, match="is 100 x 100 = "):
        decode_picture(data, max_pixels=9_999)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
def test_a_bomb_costs_little_memory(tmp_path: Path) -> None:
    """Decoded, each would take 265 MB and more; what counts is how far the peak moves."""
    names, files = bombs(SIDE), []
    small = {f"small-{kind}": data for kind, data in bombs(8).items() if kind != "ppm"}
    for name, data in (small | {"small-gif": encoded(photo(), "GIF")} | names).items():
        files.append(tmp_path / name)
        files[-1].write_bytes(data)
    files.append(tmp_path / "larger-png")
    files[-1].write_bytes(png_bomb(13_000))
    assert 10_000 < len(names["png"]) < 12_000 and 19_000 < files[-1].stat().st_size < 22_000
    ended = decode_apart(tmp_path, files)
    assert (ended.code, len(ended.decoded)) == (0, len(files)), ended.said
    warm = next(one for one in reversed(ended.decoded) if one.name.startswith("small"))
    assert warm.peak > 10_000  # kB: it is measured at all
    for one in ended.decoded[len(small) :]:
        assert one.error is not None and " Mpx, limit 75 Mpx; " in one.error
        assert (one.peak - warm.peak) / 1024 <= MOST_MEGABYTES, one


def test_a_file_larger_than_any_picture_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "endless.jpg").open("wb") as file:
        file.write(encoded(photo(), "JPEG"))
        file.truncate(2_000_000_000)  # a hole: it takes no room on the disk
    with pytest.raises(DecodeError, match=r"^endless\.jpg: has 2\.0 GB"):
        decode_picture(tmp_path / "endless.jpg")


# Metadata ---------------------------------------------------------------------------------


def test_a_million_text_chunks_are_refused() -> None:
    picture, text = encoded(photo(), "PNG"), chunk(b"tEXt", b"a\0b")
    for place in (33, len(picture) - 12):  # behind the header, before the end
        with pytest.raises(DecodeError, match="more than 10,000 tiny chunks"):
            decode_picture(picture[:place] + text * 1_000_000 + picture[place:])
    some = picture[:33] + text * 500 + picture[33:]
    assert np.array_equal(np.asarray(decode_picture(some)), np.asarray(photo()))


@pytest.mark.parametrize(
    "waste",
    [
        segment(0xFE, b"") * 1_000_000,
        segment(0xFE, b"a") * 10_001,
        b"\xff\xd0" * 1_000_000,
        b"\xff" * 1_000_001,
        bytes(1_000_001),
        segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 301,
    ],
    ids=["comments", "few", "restarts", "filling", "zeros", "exif"],
)
def test_a_jpeg_of_a_million_steps_is_refused(waste: bytes) -> None:
    picture = encoded(photo(), "JPEG")
    began = time.perf_counter()
    with pytest.raises(DecodeError, match="is a JPEG of too much beside its picture"):
        decode_picture(picture[:20] + waste + picture[20:])  # behind the first segment
    assert time.perf_counter() - began < 0.5  # Pillow: 1 to 30 seconds


def test_a_jpeg_with_much_that_is_usual_is_read() -> None:
    picture = encoded(photo(), "JPEG")
    usual = (
        segment(0xE2, b"MPF\0" + bytes(80)),
        *[segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000))] * 200,
        *[segment(0xED, b"Photoshop 3.0\0" + bytes(65_000))] * 50,
        *[segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0" + bytes(65_000))] * 3,
        *[segment(0xFE, b"a note")] * 5_000,
        bytes(4096),
        b"\xff" * 4096,
    )
    found = decode_picture(with_segments(picture, *usual))
    assert np.array_equal(np.asarray(found), np.asarray(decode_picture(picture)))
    behind = picture + segment(0xFE, b"") * 20_000 + bytes(2_000_000)  # a film, another picture
    assert decode_picture(behind).size == photo().size


@pytest.mark.parametrize("waste", [b"!\xfe" + b"\1a" * 100_001 + b"\0", b"!\xfe\0" * 60_000])
def test_a_gif_of_a_million_blocks_is_refused(waste: bytes) -> None:
    picture = encoded(Image.new("L", (8, 8)), "GIF")
    start = 13 + (3 << (picture[10] & 7) + 1)
    with pytest.raises(DecodeError, match="is a GIF of too much beside its picture"):
        decode_picture(picture[:start] + waste + picture[start:])
    some = b"!\xfe" + (b"\xff" + bytes(255)) * 20_000 + b"\0"  # 5 MB
    assert decode_picture(picture[:start] + some + picture[start:]).size == (8, 8)


def test_metadata_that_unpacks_a_thousandfold_is_refused() -> None:
    huge = zlib.compress(bytes(50_000_000), 9)
    assert len(huge) < 60_000
    row = b"\0\1\2\3"
    for name, body in {
        b"zTXt": b"a\0\0" + huge,
        b"iTXt": b"a\0\1\0\0\0" + huge,
        b"iCCP": b"a\0\0" + huge,
    }.items():
        with pytest.raises(DecodeError, match=r"is damaged .*too large"):
            decode_picture(png((1, 1), 8, 2, row, chunk(name, body)))


def test_a_huge_colour_profile_costs_nothing() -> None:
    image, count = photo(), 250
    jpeg = encoded(image, "JPEG")
    pieces = [
        segment(0xE2, b"ICC_PROFILE\0" + struct.pack("BB", number, count) + bytes(65_000))
        for number in range(1, count + 1)
    ]
    found = decode_picture(with_segments(jpeg, *pieces))
    assert np.array_equal(np.asarray(found), np.asarray(decode_picture(jpeg)))
    webp = encoded(image, "WEBP", lossless=True, icc_profile=bytes(5_000_000))
    assert np.array_equal(np.asarray(decode_picture(webp)), np.asarray(image))
