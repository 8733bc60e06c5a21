"""Odd pictures come out right, or are refused by name: what phones, scanners, downloads and paint
programs leave in folders of pictures."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features
from tests.hostile.making import (
    ORIENTATION,
    chunk,
    encoded,
    exif,
    photo,
    png,
    segment,
    tiff,
    with_segments,
    ycck,
)
from tests.turns import TO_EXIF

from shortcut.data.cache import check_broken, read_pictures
from shortcut.data.decode import decode_picture
from shortcut.data.preprocess import Preprocess
from shortcut.data.samples import Sample
from shortcut.errors import DataError, DecodeError
from shortcut.events import run_silently

RAMP = np.linspace(0, 65535, 1024).astype(np.uint16).reshape(32, 32)


def pixels(data: bytes) -> np.ndarray:
    """As whole numbers that can be subtracted."""
    image = decode_picture(data)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


# Broken files -----------------------------------------------------------------------------


def broken_files() -> dict[str, bytes]:
    """Ten kinds, none of which holds a picture."""
    noise = np.random.default_rng(0).bytes(4096)
    whole = encoded(photo(), "JPEG")
    return {
        "nothing": b"",
        "one byte": b"\xff",
        "zeros": bytes(4096),
        "noise": noise,
        "text": b"notes about cats\n",
        "page": b"<!DOCTYPE html><html><body>404</body></html>",
        "json": b'{"error": "not found"}',
        "start alone": whole[:20],
        "noise behind a start": whole[:3] + noise,
        "end alone": whole[-200:],
    }


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_files_that_hold_no_picture_are_named(tmp_path: Path, ending: str) -> None:
    for name, data in broken_files().items():
        file = tmp_path / f"{name}.{ending}"
        file.write_bytes(data)
        with pytest.raises(DecodeError) as refusal:
            decode_picture(file)
        message = str(refusal.value)
        assert message.startswith(f"{name}.{ending}: ") and message.isprintable(), message


def test_training_goes_on_without_them_up_to_a_limit(tmp_path: Path) -> None:
    samples = []
    for number, data in enumerate([*broken_files().values(), *[encoded(photo(), "PNG")] * 90]):
        (tmp_path / f"{number}.jpg").write_bytes(data)
        samples.append(Sample(tmp_path / f"{number}.jpg", "cat"))
    read = run_silently(read_pictures(samples, 32, threads=2))
    assert [line.split(":")[0] for line in read.broken] == [f"{n}.jpg" for n in range(10)]
    assert len(read.pictures) == 90
    check_broken(read, 0.11)
    with pytest.raises(DataError, match="10 of 100 pictures cannot be read"):
        check_broken(read, 0.1)


WHOLE = {
    "baseline JPEG": ("JPEG", {}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "PNG": ("PNG", {}),
    "GIF": ("GIF", {}),
    "WebP": ("WEBP", {}),
    "lossless WebP": ("WEBP", {"lossless": True}),
    "BMP": ("BMP", {}),
    "TIFF": ("TIFF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "PPM": ("PPM", {}),
    "AVIF": ("AVIF", {"speed": 10}),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_picture_cut_off_anywhere_is_noticed(kind: str) -> None:
    file_format, options = WHOLE[kind]
    if file_format == "AVIF" and not features.check("avif"):
        pytest.skip(f"this Pillow has no {file_format}")
    data = encoded(photo(160, 120), file_format, **options)
    assert decode_picture(data).size == (160, 120)
    read = []
    for percent in range(1, 100):
        for side in (None, 24):
            try:
                decode_picture(data[: len(data) * percent // 100], min_side=side)
            except DecodeError:
                continue
            read.append((percent, side))
    assert read == []


def test_overwritten_bytes_inside_a_jpeg_are_seen_by_no_decoder() -> None:
    """The reason why a run notes the size of each picture: here nothing can be refused."""
    data = bytearray(encoded(photo(320, 240), "JPEG", quality=90))
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    assert decode_picture(bytes(data)).size == (320, 240)


# EXIF -------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", TO_EXIF)
def test_the_network_sees_all_eight_orientations_alike(orientation: int) -> None:
    view = Preprocess(28, 32)
    upright = photo(96, 64)
    move = TO_EXIF[orientation]
    stored = upright if move is None else upright.transpose(move)
    block = exif({ORIENTATION: (orientation,)})
    seen = view(decode_picture(encoded(stored, "PNG", exif=block), min_side=32))
    assert np.array_equal(seen, view(upright))
    finest = {"quality": 100, "subsampling": 0}
    straight = view(decode_picture(encoded(upright, "JPEG", **finest), min_side=32))
    turned = view(decode_picture(encoded(stored, "JPEG", exif=block, **finest), min_side=32))
    assert np.abs(turned.astype(int) - straight).max() <= 2


def exif_blocks() -> dict[str, bytes]:
    """Each as long as one segment of a JPEG can be, or shorter."""
    far = dict.fromkeys(range(0x9000, 0x9000 + 5000), (1, 2, 3))
    return {
        "noise": b"Exif\0\0" + np.random.default_rng(0).bytes(300),
        "a directory beyond the end": b"Exif\0\0II*\0\xff\xff\xff\xff",
        "half a directory": exif({ORIENTATION: (1,), 0x0100: (9, 9, 9)})[:24],
        "a directory that follows itself": exif({0x0100: (9,)}, following=8),
        "a directory inside itself": exif({0x8769: (8,), 0x8825: (8,)}, ">"),
        "five thousand entries": exif(far)[:65_000],
        "an orientation of 0": exif({ORIENTATION: (0,)}),
        "an orientation of 9": exif({ORIENTATION: (9,)}),
        "several orientations": exif({ORIENTATION: (1, 6, 8)}),
        "a huge orientation": exif({ORIENTATION: (2**31,)}),
    }


@pytest.mark.parametrize("kind", exif_blocks())
def test_a_broken_exif_block_costs_nothing(kind: str) -> None:
    image, block = photo(), exif_blocks()[kind]
    jpeg = encoded(image, "JPEG")
    found = pixels(with_segments(jpeg, segment(0xE1, block)))
    assert np.array_equal(found, pixels(jpeg))
    body = chunk(b"eXIf", block.removeprefix(b"Exif\0\0"))
    plain = encoded(image, "PNG")
    found = pixels(plain[:33] + body + plain[33:])  # behind the header
    assert np.array_equal(found, np.asarray(image))
    found = pixels(encoded(image, "WEBP", lossless=True, exif=block))
    assert np.array_equal(found, np.asarray(image))


def test_ten_megabytes_of_exif_cost_nothing() -> None:
    image, filling = photo(), bytes(65_000)
    first = segment(0xE1, exif({0x0100: (9,)}))
    jpeg = encoded(image, "JPEG")
    heavy = with_segments(jpeg, first, *[segment(0xE1, b"Exif\0\0" + filling)] * 154)
    assert len(heavy) > 10_000_000
    assert np.array_equal(pixels(heavy), pixels(jpeg))
    block = exif({ORIENTATION: (1,)}) + filling * 154
    for file_format in ("PNG", "WEBP"):
        found = pixels(encoded(image, file_format, lossless=True, exif=block))
        assert np.array_equal(found, np.asarray(image))


def test_a_tiff_whose_directories_form_a_loop_gives_its_first_picture() -> None:
    data = bytearray(tiff((4, 4), (8,), 1, bytes(range(16))))
    (place,) = struct.unpack_from("<L", data, 4)
    struct.pack_into("<L", data, place + 2 + 12 * 9, place)
    assert pixels(bytes(data))[..., 0].ravel().tolist() == list(range(16))


# Colours ----------------------------------------------------------------------------------


def test_four_inks_give_the_right_colours_however_they_are_stored() -> None:
    inks = np.zeros((32, 160, 4), np.uint8)
    for place, values in enumerate([(255, 0, 0, 0), (0, 255, 255, 0), (0, 0, 0, 128)]):
        inks[:, place * 32 : place * 32 + 32] = values
    inks[:, 96:128] = (40, 80, 160, 60)
    light = 255 - inks.astype(int)
    expected = light[..., :3] * light[..., 3:] / 255
    plain = encoded(Image.frombytes("CMYK", (160, 32), inks.tobytes()), "JPEG", quality=95)
    mark = plain.index(b"\xff\xee")
    unmarked = plain[:mark] + plain[mark + 16 :]
    assert b"Adobe" in plain and b"Adobe" not in unmarked
    for data in (plain, unmarked, ycck(inks)):
        found = pixels(data)
        for place in range(16, 160, 32):  # the middles of the fields, away from their edges
            assert np.abs(found[16, place] - expected[16, place]).max() <= 4


def deep_pictures() -> dict[str, bytes]:
    """One ramp of 16 bits, as grey and in colour, in both orders of bytes."""
    size, filters = (32, 32), np.zeros((32, 1), np.uint8)

    def rows(*channels: np.ndarray) -> bytes:
        deep = np.dstack(channels).astype(">u2").reshape(32, -1).view(np.uint8)
        return np.hstack([filters, deep]).tobytes()

    full = np.full_like(RAMP, 65535)
    colour = np.dstack([RAMP] * 3)
    return {
        "grey PNG": png(size, 16, 0, rows(RAMP)),
        "RGB PNG": png(size, 16, 2, rows(RAMP, RAMP, RAMP)),
        "grey PNG with alpha": png(size, 16, 4, rows(RAMP, full)),
        "RGBA PNG": png(size, 16, 6, rows(RAMP, RAMP, RAMP, full)),
        "grey TIFF": tiff(size, (16,), 1, RAMP.astype("<u2").tobytes()),
        "grey TIFF, big end first": tiff(size, (16,), 1, RAMP.astype(">u2").tobytes(), ">"),
        "grey TIFF, zero is white": tiff(size, (16,), 0, (65535 - RAMP).astype("<u2").tobytes()),
        "RGB TIFF": tiff(size, (16,) * 3, 2, colour.astype("<u2").tobytes()),
        "RGB TIFF, big end first": tiff(size, (16,) * 3, 2, colour.astype(">u2").tobytes(), ">"),
        "PGM": b"P5 32 32 65535\n" + RAMP.astype(">u2").tobytes(),
    }


@pytest.mark.parametrize("kind", deep_pictures())
def test_a_ramp_of_sixteen_bits_keeps_its_levels(kind: str) -> None:
    found = pixels(deep_pictures()[kind])
    for channel in range(3):
        ramp = found[..., channel].ravel()
        assert len(np.unique(ramp)) >= 200
        assert (ramp[0], ramp[-1]) == (0, 255)
        assert np.all(np.diff(ramp) >= 0)


def test_transparency_shows_white() -> None:
    half, grey = [132, 177, 252], [177] * 3  # 10, 100, 250 and 100 at an alpha of 128
    levels = b"tRNS", bytes([0, 128])
    colours = chunk(b"PLTE", bytes([9, 9, 9, 10, 100, 250]))
    for data, expected in {
        png((2, 1), 1, 0, b"\0\x40"): [[0] * 3, [255] * 3],
        png((2, 1), 1, 0, b"\0\x40", chunk(b"tRNS", b"\0\0")): [[255] * 3] * 2,
        png((2, 1), 8, 4, b"\0\x64\x80\x64\0"): [grey, [255] * 3],
        png((2, 1), 8, 6, b"\0\x0a\x64\xfa\x80\x0a\x64\xfa\0"): [half, [255] * 3],
        png((2, 1), 8, 3, b"\0\1\0", colours, chunk(b"tRNS", b"\0")): [[10, 100, 250], [255] * 3],
        png((2, 1), 8, 3, b"\0\1\0", colours, chunk(*levels)): [half, [255] * 3],
    }.items():
        assert pixels(data)[0].tolist() == expected


@pytest.mark.parametrize(
    ("mode", "data"),
    [
        ("F", encoded(Image.new("F", (4, 4), 0.5), "TIFF")),
        ("I", encoded(Image.new("I", (4, 4), 70_000), "TIFF")),
        ("F", b"Pf 4 4 -1.0\n" + bytes(64)),
    ],
)
def test_pixels_without_a_white_are_refused_by_name(mode: str, data: bytes) -> None:
    with pytest.raises(DecodeError, match=rf"has pixels of mode {mode} \(.*convert it to 8 or 16"):
        decode_picture(data)
    with pytest.raises(DecodeError, match=rf"^the picture: has pixels of mode {mode} "):
        decode_picture(Image.new(mode, (4, 4)))


# Shapes and frames ------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF", "MPO", "AVIF"])
def test_the_first_frame_is_the_picture(file_format: str) -> None:
    if file_format == "AVIF" and not features.check("avif"):
        pytest.skip(f"this Pillow has no {file_format}")
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
    found = decode_picture(data)
    assert found.size == (32, 24)
    assert np.abs(np.asarray(found).astype(int) - [255, 0, 0]).max() <= 8


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (65_500, 1), (3, 65_500)])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_the_thinnest_pictures_fill_the_square(size: tuple[int, int], file_format: str) -> None:
    data = encoded(Image.new("RGB", size, "teal"), file_format)
    seen = Preprocess(28, 32)(decode_picture(data, min_side=32))
    assert seen.shape == (28, 28, 3)
    assert np.abs(seen.astype(int) - [0, 128, 128]).max() <= 4
