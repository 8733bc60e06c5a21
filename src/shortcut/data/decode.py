"""One decoder for training, evaluation, prediction and serving: any picture file to upright RGB."""

import functools
import io
import re
import threading
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from shortcut.errors import DecodeError

# A closed list: other plug-ins of Pillow run programs (EPS) or are rarely tested against bad files.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")

_ORIENTATION_TAG = 0x0112
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
    (rb"\x00\x00\x00\x0cjP|\xff\x4f\xff\x51", "is a JPEG 2000 picture; convert it to JPEG"),
    (rb"%PDF|%!PS", "is a document, not a picture; export it as JPEG or PNG"),
    (rb"version https://git-lfs", "is a Git LFS pointer, not the picture; run 'git lfs pull'"),
    (rb"\s*(<\?xml.*)?<svg", "is an SVG drawing; export it as PNG"),
    (rb"\s*(<!doctype html|<html|<\?xml)", "is a web page, not a picture; download it again"),
    (rb"[\t\n\r\x20-\x7e\x80-\xff]+\Z", "is a text file, not a picture"),
)

_Picture = Image.Image
Picture = str | Path | bytes | Image.Image
"""A path, the bytes of a picture file, or a picture that Pillow has opened already."""


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
    picture: Picture, *, min_side: int | None = None, max_pixels: int = 100_000_000
) -> Image.Image:
    """The picture in a file (a path, or its bytes), or an opened one: upright, mode RGB, first
    frame.

    The contents decide the format, not the ending: JPEG, PNG, WebP, BMP, GIF, TIFF, PPM, and AVIF
    where Pillow has it. EXIF orientation is applied; transparency is laid over white; deep grey
    (12 or 16 bits) is scaled to 8 bits, floating point from its own minimum and maximum.

    `min_side`, in pixels: what the picture will be shrunk to later. Large JPEGs are then decoded
    at 1/2, 1/4 or 1/8 size, with no side under twice `min_side`, which is several times faster.
    `max_pixels`: larger pictures are refused from the header, before memory is taken for them.
    Pillow's own limit (`2 * Image.MAX_IMAGE_PIXELS`, about 179 million) holds as well.

    Safe to call from several threads. Raises DecodeError naming the file and the reason.
    """
    if isinstance(picture, Image.Image):
        return _turned(picture)
    file = Path(picture) if isinstance(picture, str) else picture
    data = file if isinstance(file, bytes) else _read(file)
    try:
        with _pillow_warnings_off:
            return _decode(data, min_side, max_pixels)
    # Pillow's plug-ins meet damaged files with nearly every built-in exception.
    except Exception as error:
        raise _decode_error(file, _reason(error, data)) from error


def _decode(data: bytes, min_side: int | None, max_pixels: int) -> _Picture:
    with Image.open(io.BytesIO(data), formats=_formats()) as image:
        if image.width * image.height > max_pixels:
            raise Image.DecompressionBombError
        if min_side is not None:
            # Draft keeps both sides at or above the request, so a later turn changes nothing.
            image.draft(None, (2 * min_side, 2 * min_side))
        image.load()
        return _turned(image)


def _turned(image: _Picture) -> _Picture:
    # After loading: Pillow turns TIFF files by itself then, and drops their tag.
    turn = _UPRIGHT.get(_orientation(image))
    upright = _to_rgb(image)
    return upright if turn is None else upright.transpose(turn)


def _to_rgb(image: _Picture) -> _Picture:
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_rgb(image)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(lab, srgb, "LAB", "RGB")
        return ImageCms.applyTransform(image, transform) or image
    if image.mode == "La":
        return _over_white(image.convert("LA"))
    if image.has_transparency_data:
        return _over_white(image)
    # A new picture in any case: the one that was opened carries its file's metadata with it.
    return _bare(image.convert("RGB"))


def _over_white(image: _Picture) -> _Picture:
    rgba = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(rgba, mask=rgba)
    return white


def _deep_to_rgb(image: _Picture) -> _Picture:
    """Modes I, I;16 and F. Converted by Pillow they would be clipped to all white or black."""
    values = np.asarray(image)
    low, top = values.min(), values.max()
    if image.mode == "F" or low < 0 or top > 65535:
        grey = _stretched(values)
    else:
        # Scanners and cameras also put 8 and 12 bits into 16; over 256 those would be black.
        grey = values // (1 if top < 256 else 16 if top < 4096 else 256)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey = np.where(values == transparent, 255, grey)
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def _stretched(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Values as 0 to 255 between their own smallest and largest finite one; the rest 0 or 255."""
    wide = values.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    scaled = (np.nan_to_num(wide, nan=low, posinf=high, neginf=low) - low) / (high - low or 1.0)
    return np.rint(scaled * 255)


def _bare(image: _Picture) -> _Picture:
    image.info = {}
    return image


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


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise _decode_error(file, "there is no such file") from error
    except IsADirectoryError as error:
        raise _decode_error(file, "is a folder, not a picture") from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check the disk and the permissions"
        raise _decode_error(file, reason) from error


def _decode_error(file: Path | bytes, reason: str) -> DecodeError:
    if isinstance(file, bytes):
        return DecodeError(f"the picture: {reason}.")
    return DecodeError(f"{file.name}: {reason} (in {file.parent}).")


def _reason(error: Exception, data: bytes) -> str:
    if not data:
        return "the file is empty (0 bytes); copy or download it again"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels; shrink the picture, or remove it"
    if isinstance(error, MemoryError):
        return "not enough memory for a picture of this size; shrink it"
    if isinstance(error, UnidentifiedImageError):
        start = data[:512]
        for pattern, reason in _KNOWN_STRANGERS:
            if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
                return reason
        return "is no picture, or one of an unknown format or with a damaged beginning; remove it"
    if "truncated" in str(error).lower():
        return "the picture is cut off before its end; copy or download it again"
    words = " ".join(str(error).split()) or type(error).__name__
    return f"the picture is damaged ({words}); copy or download it again"
