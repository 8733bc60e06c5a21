"""Every kind of picture comes out upright, RGB and with the right values; bad files are named."""

import csv
import io
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.turns import TO_EXIF

from shortcut.data.decode import decode_picture
from shortcut.errors import DecodeError

# Nothing but noise would catch a wrong turn as surely as a gradient with one marked corner.
GRADIENT = np.dstack(
    [
        np.repeat(np.arange(0, 240, 5, dtype=np.uint8)[None], 32, axis=0),
        np.repeat(np.arange(0, 224, 7, dtype=np.uint8)[:, None], 48, axis=1),
        np.full((32, 48), 60, np.uint8),
    ]
)
REFUSED = {"16bit.cropped.jp2", "10ct_32bit_128.tiff"}
"""Files that Pillow can load and this decoder refuses on purpose: JPEG 2000, floating point."""


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    image = decode_picture(data)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def png(size: tuple[int, int], depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG file from its parts, for headers that Pillow would not write."""

    def chunk(body: bytes) -> bytes:
        return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))

    header = b"IHDR" + struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    chunks = [header, *more, b"IDAT" + zlib.compress(rows), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(body) for body in chunks)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_all_eight_orientations_give_the_same_upright_picture(
    orientation: int, file_format: str
) -> None:
    move = TO_EXIF[orientation]
    stored = Image.fromarray(GRADIENT)
    stored = stored if move is None else stored.transpose(move)
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = pixels(encoded(stored, file_format, exif=exif))
    assert found.shape == GRADIENT.shape
    assert np.abs(found - GRADIENT).mean() < (6 if file_format in ("JPEG", "WEBP") else 0.001)


@pytest.mark.parametrize(
    ("file_format", "mode"),
    [
        *((file_format, "RGB") for file_format in ("BMP", "PPM", "WEBP")),
        *(("PNG", mode) for mode in ("P", "1", "L", "LA", "RGBA")),
        *(("TIFF", mode) for mode in ("CMYK", "YCbCr", "RGBA", "LAB")),
        *(("JPEG", mode) for mode in ("L", "CMYK")),
        ("GIF", "P"),
    ],
)
def test_every_mode_becomes_rgb_and_looks_the_same(file_format: str, mode: str) -> None:
    expected = Image.fromarray(GRADIENT)
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        stored = ImageCms.profileToProfile(expected, *profiles, outputMode="LAB")
        assert stored is not None
    else:
        stored = expected.convert(mode)
        expected = stored.convert("RGB")
    found = pixels(encoded(stored, file_format))
    assert np.abs(found - np.asarray(expected).astype(int)).mean() < 8


def test_avif_is_read_where_pillow_has_it() -> None:
    from PIL import features

    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    found = pixels(encoded(Image.fromarray(GRADIENT), "AVIF", quality=90))
    assert np.abs(found - GRADIENT).mean() < 8


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_and_not_clipped(file_format: str) -> None:
    ramp = np.linspace(0, 65535, 1024).astype(np.uint16).reshape(32, 32)
    found = pixels(encoded(Image.fromarray(ramp), file_format))
    assert len(np.unique(found)) >= 200
    assert (found.min(), found.max()) == (0, 255)
    assert np.all(np.diff(found[..., 0].ravel()) >= 0)


@pytest.mark.parametrize(("top", "brightest"), [(255, 255), (4095, 255), (5000, 19)])
def test_eight_and_twelve_bits_stored_in_sixteen_are_not_black(top: int, brightest: int) -> None:
    ramp = np.linspace(0, top, 1024).astype(np.uint16).reshape(32, 32)
    assert pixels(encoded(Image.fromarray(ramp), "TIFF")).max() == brightest


def test_values_without_a_white_are_refused() -> None:
    for values in (np.full((2, 2), 1_000_000, np.int32), np.full((2, 2), 0.5, np.float32)):
        with pytest.raises(DecodeError, match=r"has pixels of mode [IF] .* convert it to 8 or 16"):
            decode_picture(encoded(Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize("alpha", [0, 1, 64, 128, 200, 254, 255])
def test_alpha_is_laid_over_white_exactly(alpha: int) -> None:
    expected = [round((value * alpha + 255 * (255 - alpha)) / 255) for value in (10, 100, 250)]
    found = pixels(encoded(Image.new("RGBA", (2, 2), (10, 100, 250, alpha)), "PNG"))
    assert found[0, 0].tolist() == expected
    grey = pixels(encoded(Image.new("LA", (2, 2), (100, alpha)), "PNG"))
    assert grey[0, 0].tolist() == [expected[1]] * 3


def test_a_transparent_index_level_or_colour_is_white() -> None:
    palette = Image.new("P", (2, 1), 1)
    palette.putpalette([0, 0, 0, 90, 80, 70])
    palette.putpixel((0, 0), 0)
    levels = b"\0" + struct.pack(">2H", 300, 40_000)
    for data, opaque in [
        (encoded(palette, "PNG", transparency=0), [90, 80, 70]),
        (encoded(palette, "GIF", transparency=0), [90, 80, 70]),
        (png((2, 1), 8, 0, b"\0\x05\x64", b"tRNS\0\x05"), [100] * 3),
        (png((2, 1), 16, 0, levels, b"tRNS" + struct.pack(">H", 300)), [156] * 3),
        (png((2, 1), 8, 2, b"\0\1\2\3\7\x08\x09", b"tRNS\0\1\0\2\0\3"), [7, 8, 9]),
    ]:
        assert pixels(data)[0].tolist() == [[255] * 3, opaque]


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for file_format in ("GIF", "PNG", "TIFF", "MPO"):
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
        assert np.abs(pixels(data)[0, 0] - [255, 0, 0]).max() <= 2


def test_large_jpegs_are_drafted_but_never_below_twice_the_side() -> None:
    data = encoded(Image.new("RGB", (1600, 1000), "teal"), "JPEG")
    assert decode_picture(data, min_side=250).size == (800, 500)
    assert decode_picture(data, min_side=251).size == (1600, 1000)
    assert decode_picture(data, min_side=32).size == (200, 125)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(Image.new("RGB", (1600, 1000), "teal"), "JPEG", exif=exif)
    assert decode_picture(turned, min_side=250).size == (500, 800)


def test_the_ending_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "picture.jpg"
    file.write_bytes(encoded(Image.fromarray(GRADIENT), "PNG"))
    assert np.array_equal(np.asarray(decode_picture(file)), GRADIENT)
    assert decode_picture(file).info == {}


def test_a_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    for side, size in ((60_000, "has 3,600 Mpx"), (12_000, "is 12,000 x 12,000 = 144 Mpx")):
        file = tmp_path / f"bomb-{side}.png"
        file.write_bytes(png((side, side), 8, 0, b""))
        with pytest.raises(DecodeError, match=rf"^bomb-{side}\.png: {size}, limit 75 Mpx; "):
            decode_picture(file)
    small = encoded(Image.new("L", (100, 100)), "PNG")
    assert decode_picture(small, max_pixels=10_000).size == (100, 100)
    with pytest.raises(DecodeError, match="is 100 x 100 = "):
        decode_picture(small, max_pixels=9_999)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"notes about cats\n", "is a text file"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC picture; convert"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is a document"),
        (bytes(range(256)), "is no picture"),
        (encoded(Image.fromarray(GRADIENT), "JPEG")[:700], "cut off before its end"),
        (encoded(Image.fromarray(GRADIENT), "PNG")[:-40], "cut off before its end"),
        (encoded(Image.fromarray(GRADIENT), "BMP")[:-40], "cut off before its end"),
    ],
)
def test_bad_files_are_named_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    file = tmp_path / "cat.1.jpg"
    file.write_bytes(data)
    with pytest.raises(DecodeError, match=rf"^cat\.1\.jpg: .*{reason}") as caught:
        decode_picture(file)
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(DecodeError, match=f"^the picture: .*{reason}"):
        decode_picture(data)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"^gone\.jpg: there is no such file"):
        decode_picture(tmp_path / "gone.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(DecodeError, match=r"^folder\.jpg: is a folder"):
        decode_picture(tmp_path / "folder.jpg")


def test_any_exception_of_a_plug_in_becomes_a_decode_error(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(GRADIENT), "PNG")
    for error in (struct.error("bad"), ZeroDivisionError(), OverflowError("big"), MemoryError()):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(Image, "open", fail)
        with pytest.raises(DecodeError, match=r"^the picture: ") as caught:
            decode_picture(data)
        assert caught.value.passing == isinstance(error, MemoryError)


def test_broken_exif_does_not_cost_the_picture() -> None:
    data = encoded(Image.fromarray(GRADIENT), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode_picture(data).size == (48, 32)


def test_threads_leave_the_warning_filters_as_they_were() -> None:
    data = encoded(Image.new("RGB", (64, 64)), "PNG")
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=lambda: [decode_picture(data) for _ in range(20)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_the_dirty_folder(shared_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The 100-megapixel picture, which takes a second and half a gigabyte, is refused."""
    folder = shared_data / "dirty"
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wrong: list[str] = []
    for row in rows:
        name = row["file"]
        if name == "grey-100-megapixel.png":
            with pytest.raises(DecodeError, match="is 10,000 x 10,000 = 100 Mpx"):
                decode_picture(folder / name)
            continue
        loads = row["pillow_13.0.0"] == "opens and loads" and name not in REFUSED
        try:
            image = decode_picture(folder / name)
        except DecodeError as error:
            # AVIF depends on how Pillow was built.
            if (loads and row["format"] != "AVIF") or not str(error).startswith(f"{name}: "):
                wrong.append(str(error))
        else:
            if not loads or image.mode != "RGB":
                wrong.append(f"{name} was read")
    capfd.readouterr()  # libtiff itself writes to standard error about the fuzzed file
    assert len(rows) == 82
    assert wrong == []


def test_dirty_deep_and_transparent_pictures_keep_their_content(shared_data: Path) -> None:
    folder = shared_data / "dirty"
    for name in ("16bit.cropped.tif", "i_trns.png"):
        assert len(np.unique(np.asarray(decode_picture(folder / name)))) > 10, name
    assert np.asarray(decode_picture(folder / "full-transparent.png")).min() == 255
    assert decode_picture(folder / "portrait-6.jpg").size == (450, 600)
