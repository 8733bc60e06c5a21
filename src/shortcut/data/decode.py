"""One decoder for training, evaluation, prediction and serving: any picture file to upright RGB."""

import functools
import io
import re
import stat
import threading
import warnings
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError, features

from shortcut.data.folders import printable
from shortcut.data.headers import Refused, check_before_opening, check_size, too_large, what_it_is
from shortcut.errors import DecodeError

MAX_PIXELS = 75_000_000
"""Larger pictures are refused from their header. Phones make up to 64.1 million pixels in their
usual mode; 88 million of one colour are a PNG of 11 kB that takes 265 MB."""

# A closed list: other plug-ins of Pillow run programs (EPS) or are rarely tested against bad files.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")
_LIBRARIES = ("jpg", "libjpeg_turbo", "zlib", "libtiff", "webp", "avif", "littlecms2")
_ORIENTATION_TAG, _PHOTOMETRIC_TAG = 0x0112, 0x0106
_EXIF_BLOCK, _TAKEN_TAG, _CHANGED_TAG = 0x8769, 0x9003, 0x0132
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

_Picture = Image.Image
Picture = str | Path | bytes | Image.Image
"""A path, the bytes of a picture file, or a picture that Pillow has opened already."""


class Withheld(Refused):
    """The system does not give the file, whatever it holds."""


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
    picture: Picture, *, min_side: int | None = None, max_pixels: int | None = None
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
        max_pixels: larger pictures are refused from the header, before memory is taken for them;
            None: `MAX_PIXELS`. Pillow's own limit (about 179 million) holds as well.

    Raises:
        DecodeError: the file is not a whole picture of these formats, is too large, or its pixels
            have no fixed white (floating point, 32-bit integers); file and reason are named.
    """
    file = Path(picture) if isinstance(picture, str) else picture
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    data: bytes | None = None
    try:
        with _pillow_warnings_off:
            if isinstance(file, Image.Image):
                return _turned(file)
            data = _not_too_long(file, limit) if isinstance(file, bytes) else _read(file, limit)
            ending = "" if isinstance(file, bytes) else file.suffix.lower()
            return _decode(data, ending, min_side, limit)
    # Pillow's plug-ins meet damaged files with nearly every built-in exception.
    except Exception as error:
        passing = isinstance(error, MemoryError | Withheld)
        raise DecodeError(_message(file, _reason(error, data)), passing=passing) from error


@contextmanager
def opened(file: Path) -> Generator[Image.Image]:
    """A file that `decode_picture` reads, opened and not decoded: for what its header tells."""
    with _pillow_warnings_off, Image.open(file, formats=_formats()) as image:
        yield image


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where none is told."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    # A broken EXIF block costs the picture its turn, not its place in the data set.
    except Exception:
        return 1


def taken_at(file: Path) -> datetime | None:
    """When a photo was taken, as its EXIF block says; None where it does not."""
    try:
        with opened(file) as image:
            exif = image.getexif()
            told = exif.get_ifd(_EXIF_BLOCK).get(_TAKEN_TAG) or exif.get(_CHANGED_TAG)
        return datetime.strptime(str(told).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except Exception:  # no picture, no EXIF, or a broken one
        return None


def decoder_version() -> str:
    """Pillow, and the libraries that it has: what decides which files are read, and to which
    pixels."""
    known = {**features.modules, **features.codecs, **features.features}
    found = {name: features.version(name) for name in _LIBRARIES if name in known}
    return f"{Image.__version__} {found} {_formats()}"


def largest_file(max_pixels: int | None) -> int:
    """Bytes that a file of so many pixels may have: four channels of 16 bits, and metadata."""
    return 8 * (MAX_PIXELS if max_pixels is None else max_pixels) + 2**26


def _decode(data: bytes, ending: str, min_side: int | None, max_pixels: int) -> _Picture:
    check_before_opening(data, ending, max_pixels)
    try:
        opened = Image.open(io.BytesIO(data), formats=_formats())
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise too_large(int(pixels[0]) if pixels else 0, max_pixels) from error
    with opened as image:
        check_size(*image.size, max_pixels)
        if min_side is not None:
            # Draft keeps both sides at or above the request, so a later turn changes nothing.
            image.draft(None, (2 * min_side, 2 * min_side))
        image.load()
        return _turned(image)


def _turned(image: _Picture) -> _Picture:
    # After loading: Pillow turns TIFF files by itself then, and drops their tag.
    turn = _UPRIGHT.get(orientation_of(image))
    upright = _to_rgb(image)
    return upright if turn is None else upright.transpose(turn)


def _to_rgb(image: _Picture) -> _Picture:
    # The 16 bits of a PPM file come in mode I, already scaled to 65,535.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _deep_to_rgb(image)
    if image.mode in ("I", "F"):
        kind = "floating point" if image.mode == "F" else "signed or of 32 bits"
        reason = f"has pixels of mode {image.mode} ({kind}), whose white is not known"
        raise Refused(f"{reason}; convert it to 8 or 16 bits")
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
    # Of 75 million pixels a copy would be 300 MB.
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
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


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _read(file: Path, max_pixels: int) -> bytes:
    try:
        facts = file.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise Refused("is a folder, not a picture")
        if not stat.S_ISREG(facts.st_mode):  # pipes may wait for ever, devices never end
            raise Refused("is a pipe, a socket or a device, not a file")
        if facts.st_size > largest_file(max_pixels):
            raise Refused(f"has {facts.st_size / 1e9:,.1f} GB, too many for one picture")
        return file.read_bytes()
    except FileNotFoundError as error:
        raise Withheld("there is no such file") from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check disk and permissions"
        raise Withheld(reason) from error


def _not_too_long(data: bytes, max_pixels: int) -> bytes:
    """The same bytes; who read them from a stream stopped behind the limit."""
    if len(data) > (most := largest_file(max_pixels)):
        raise Refused(f"has more than {most / 1e9:,.1f} GB, too many for one picture")
    return data


def _message(file: Path | bytes | _Picture, reason: str) -> str:
    if not isinstance(file, Path):
        return f"the picture: {reason}."
    return f"{printable(file.name)}: {reason} (in {printable(file.parent)})."


def _reason(error: Exception, data: bytes | None) -> str:
    if isinstance(error, Refused):
        return str(error)
    if data == b"":
        return "the file is empty (0 bytes); copy or download it again"
    if isinstance(error, MemoryError):
        return "not enough memory for a picture of this size; shrink it"
    if isinstance(error, UnidentifiedImageError):
        return what_it_is(data or b"")
    if "truncated" in str(error).lower():
        return "the picture is cut off before its end; copy or download it again"
    words = printable(" ".join(str(error).split())) or type(error).__name__
    return f"the picture is damaged ({words}); copy or download it again"
