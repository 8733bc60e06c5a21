"""One decoder for training, evaluation, prediction and serving: any picture file to upright RGB."""

import functools
import io
import re
import stat
import struct
import threading
import warnings
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from shortcut.data.folders import printable
from shortcut.errors import DecodeError

MAX_PIXELS = 100_000_000
"""Larger pictures are refused from their header; most of them are made to exhaust the memory."""

# A closed list: other plug-ins of Pillow run programs (EPS) or are rarely tested against bad files.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")
# Raw photos (DNG, NEF, ARW) are TIFF files that begin with a thumbnail, which would be read in its
# stead. So a TIFF is read where its name says so, or where there is no name to deny it.
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")
_TIFF_ENDINGS = ("", ".tif", ".tiff")
_SMALL_CHUNK, _MOST_SMALL_CHUNKS = 1024, 10_000

_ORIENTATION_TAG, _PHOTOMETRIC_TAG = 0x0112, 0x0106
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to the move that undoes it."""

# How files that are no pictures, or none that can be read, begin; searched in the first 512 bytes.
_KNOWN_STRANGERS = (
    (rb"....ftyp(heic|heix|hevc|mif1|msf1|heim|heis)", "is a HEIC picture; convert it to JPEG"),
    (rb"....ftypavi[fs]", "is an AVIF picture, damaged or not supported here; convert it to JPEG"),
    (rb"\x00\x00\x00\x0cjP|\xff\x4f\xff\x51", "is a JPEG 2000 picture; convert it to JPEG"),
    (rb"\x00\x00\x00\x0cJXL|\xff\x0a", "is a JPEG XL picture; convert it to JPEG"),
    (rb"%PDF|%!PS|\xc5\xd0\xd3\xc6", "is a document, not a picture; export it as JPEG or PNG"),
    (rb"8BPS|SIMPLE  =|icns", "is a Photoshop, FITS or icon file; export it as JPEG or PNG"),
    (rb"version https://git-lfs", "is a Git LFS pointer, not the picture; run 'git lfs pull'"),
    (rb"\s*(<\?xml.*)?<svg", "is an SVG drawing; export it as PNG"),
    (rb"\s*(<!doctype html|<html|<\?xml)", "is a web page, not a picture; download it again"),
    (rb"[\t\n\r\x20-\x7e\x80-\xff]+\Z", "is a text file, not a picture"),
)

_Picture = Image.Image
Picture = str | Path | bytes | Image.Image
"""A path, the bytes of a picture file, or a picture that Pillow has opened already."""


class _Refused(Exception):
    """This picture is not read, on purpose; the message is the reason and the way out."""


class _PillowWarningsOff:
    """Silences Pillow's warnings, and leaves the filters of the process as they were.

    `warnings.catch_warnings` alone is not safe in threads: two that overlap can restore the filters
    in the wrong order. So the first thread in sets them and the last one out restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.close()


_pillow_warnings_off = _PillowWarningsOff()


def decode_picture(
    picture: Picture, *, min_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """The picture in a file (a path, or its bytes), or an opened one: upright, mode RGB, first
    frame.

    The contents decide the format, not the ending: JPEG, PNG, WebP, BMP, GIF, PPM, AVIF where
    Pillow has it, and TIFF where no other ending stands in its name. EXIF orientation is applied,
    a broken EXIF block ignored; transparency is laid over white; deep grey (12 or 16 bits) is
    scaled to 8 bits. No decoder can see that bytes inside a JPEG were overwritten. Safe in threads.

    Args:
        min_side: in pixels, what the picture will be shrunk to later. Large JPEGs are then decoded,
            several times faster, at 1/2, 1/4 or 1/8 size with no side under twice `min_side`.
        max_pixels: larger pictures are refused from the header, before memory is taken for them.
            Pillow's own limit (`2 * Image.MAX_IMAGE_PIXELS`, about 179 million) holds as well.

    Raises:
        DecodeError: the file is not a whole picture of these formats, is too large, or its pixels
            have no fixed white (floating point, 32-bit integers); file and reason are named.
    """
    file = Path(picture) if isinstance(picture, str) else picture
    data: bytes | None = None
    try:
        with _pillow_warnings_off:
            if isinstance(file, Image.Image):
                return _turned(file)
            data = file if isinstance(file, bytes) else _read(file, max_pixels)
            ending = "" if isinstance(file, bytes) else file.suffix.lower()
            return _decode(data, ending, min_side, max_pixels)
    # Pillow's plug-ins meet damaged files with nearly every built-in exception.
    except Exception as error:
        raise _decode_error(file, _reason(error, data)) from error


def _decode(data: bytes, ending: str, min_side: int | None, max_pixels: int) -> _Picture:
    _check_before_opening(data, ending, max_pixels)
    try:
        opened = Image.open(io.BytesIO(data), formats=_formats())
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise _too_large(f"has {_mpx(int(pixels[0]) if pixels else 0)}", max_pixels) from error
    with opened as image:
        _check_size(*image.size, max_pixels)
        if min_side is not None:
            # Draft keeps both sides at or above the request, so a later turn changes nothing.
            image.draft(None, (2 * min_side, 2 * min_side))
        image.load()
        return _turned(image)


def _check_before_opening(data: bytes, ending: str, max_pixels: int) -> None:
    """Refuse what the name denies, and what costs Pillow much even to open."""
    if data.startswith(_TIFF_STARTS) and ending not in _TIFF_ENDINGS:
        raise _Refused("is a TIFF under another ending; rename it to .tif, or export it as JPEG")
    if data.startswith(b"\x89PNG"):
        _check_chunks(data)
    if data.startswith(b"GIF8"):
        with suppress(IndexError, struct.error):  # cut off in the header: Pillow says so
            _check_size(*_gif_size(data), max_pixels)


def _check_chunks(data: bytes) -> None:
    """A million text chunks keep Pillow busy for seconds; a picture has some tens of small ones."""
    position, small = 8, 0
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        position += length + 12
        small += length < _SMALL_CHUNK
        if small > _MOST_SMALL_CHUNKS:
            raise _Refused(f"is a PNG of more than {small - 1:,} tiny chunks; save it anew")


def _gif_size(data: bytes) -> tuple[int, int]:
    """With the first frame, which may exceed its screen: Pillow may fill one when it opens."""
    width, height, flags = struct.unpack_from("<2HB", data, 6)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[position] == ord("!"):
        position += 2
        while data[position]:
            position += data[position] + 1
        position += 1
    if data[position] != ord(","):
        return width, height
    left, top, wide, high = struct.unpack_from("<4H", data, position + 1)
    return max(width, left + wide), max(height, top + high)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_large(f"is {width:,} x {height:,} = {_mpx(width * height)}", max_pixels)


def _too_large(what: str, max_pixels: int) -> _Refused:
    limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
    return _Refused(f"{what}, limit {_mpx(limit)}; shrink it")


def _mpx(pixels: int) -> str:
    return f"{pixels / 1e6:,.2f}".rstrip("0").rstrip(".") + " Mpx"


def _turned(image: _Picture) -> _Picture:
    # After loading: Pillow turns TIFF files by itself then, and drops their tag.
    turn = _UPRIGHT.get(_orientation(image))
    upright = _to_rgb(image)
    return upright if turn is None else upright.transpose(turn)


def _to_rgb(image: _Picture) -> _Picture:
    # The 16 bits of a PPM file come in mode I, already scaled to 65,535.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _deep_to_rgb(image)
    if image.mode in ("I", "F"):
        kind = "floating point" if image.mode == "F" else "signed or of 32 bits"
        reason = f"has pixels of mode {image.mode} ({kind}), whose white is not known"
        raise _Refused(f"{reason}; convert it to 8 or 16 bits")
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(lab, srgb, "LAB", "RGB")
        return ImageCms.applyTransform(image, transform) or image
    if image.mode == "La":
        return _over_white(image.convert("LA"))
    if image.has_transparency_data:
        return _over_white(image)
    rgb = image.convert("RGB")
    rgb.info = {}  # it is a new picture in any case, and has its file's metadata
    return rgb


def _over_white(image: _Picture) -> _Picture:
    rgba = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(rgba, mask=rgba)
    return white


def _deep_to_rgb(image: _Picture) -> _Picture:
    """12 and 16 bits of grey. Converted by Pillow they would be clipped to all white or black."""
    values = np.asarray(image)
    top = values.max()
    # Scanners and cameras also put 8 and 12 bits into 16; over 256 those would be black.
    grey = values // (1 if top < 256 else 16 if top < 4096 else 256)
    # Pillow inverts a TIFF whose zero is white, as X-rays are stored, at 8 bits but not at 16.
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC_TAG) == 0:
        grey = 255 - grey
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey = np.where(values == transparent, 255, grey)
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def _orientation(image: _Picture) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    # A broken EXIF block costs the picture its turn, not its place in the data set.
    except Exception:
        return 1


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _read(file: Path, max_pixels: int) -> bytes:
    try:
        facts = file.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise _Refused("is a folder, not a picture")
        if not stat.S_ISREG(facts.st_mode):  # pipes may wait for ever, devices never end
            raise _Refused("is a pipe, a socket or a device, not a file")
        if facts.st_size > 8 * max_pixels + 2**26:  # four channels of 16 bits, and metadata
            raise _Refused(f"has {facts.st_size / 1e9:,.1f} GB, too many for one picture")
        return file.read_bytes()
    except FileNotFoundError as error:
        raise _Refused("there is no such file") from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check disk and permissions"
        raise _Refused(reason) from error


def _decode_error(file: Path | bytes | _Picture, reason: str) -> DecodeError:
    if not isinstance(file, Path):
        return DecodeError(f"the picture: {reason}.")
    return DecodeError(f"{printable(file.name)}: {reason} (in {printable(file.parent)}).")


def _reason(error: Exception, data: bytes | None) -> str:
    if isinstance(error, _Refused):
        return str(error)
    if data == b"":
        return "the file is empty (0 bytes); copy or download it again"
    if isinstance(error, MemoryError):
        return "not enough memory for a picture of this size; shrink it"
    if isinstance(error, UnidentifiedImageError):
        start = data[:512] if data else b""
        for pattern, reason in _KNOWN_STRANGERS:
            if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
                return reason
        return "is no picture, or one of an unknown format or with a damaged beginning; remove it"
    if "truncated" in str(error).lower():
        return "the picture is cut off before its end; copy or download it again"
    words = printable(" ".join(str(error).split())) or type(error).__name__
    return f"the picture is damaged ({words}); copy or download it again"
