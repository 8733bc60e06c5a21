"""What the first bytes of a file tell, before Pillow opens it: what is not read, and why."""

import re
import struct
from contextlib import suppress

from PIL import Image

# Raw photos (DNG, NEF, ARW) are TIFF files that begin with a thumbnail, which would be read in its
# stead. So a TIFF is read where its name says so, or where there is no name to deny it.
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")
_TIFF_ENDINGS = ("", ".tif", ".tiff")
_SMALL_CHUNK, _MOST_SMALL_CHUNKS = 1024, 10_000
_MARKER = re.compile(rb"[^\xff]*\xff+([^\xff])")
_SCAN = 0xDA
# Markers of a JPEG that no length follows, or that Pillow does not follow by its length.
_BARE = frozenset({0x00, 0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
_MOST_STRAY_BYTES, _MOST_EXIF = 1_000_000, 300
_MOST_BLOCKS = 100_000

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


class Refused(Exception):
    """This picture is not read, on purpose; the message is the reason and the way out."""


def check_before_opening(data: bytes, ending: str, max_pixels: int) -> None:
    """Refuse what the name denies, and what costs Pillow much even to open."""
    if data.startswith(_TIFF_STARTS) and ending not in _TIFF_ENDINGS:
        raise Refused("is a TIFF under another ending; rename it to .tif, or export it as JPEG")
    if data.startswith(b"\x89PNG"):
        _check_chunks(data)
    if data.startswith(b"\xff\xd8\xff"):
        with suppress(struct.error):  # cut off: Pillow says so
            _check_segments(data)
    if data.startswith(b"GIF8"):
        with suppress(IndexError, struct.error):  # cut off in the header: Pillow says so
            check_size(*_gif_size(data), max_pixels)


def _check_chunks(data: bytes) -> None:
    """A million text chunks keep Pillow busy for seconds; a picture has some tens of small ones."""
    position, small = 8, 0
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        position += length + 12
        small += length < _SMALL_CHUNK
        if small > _MOST_SMALL_CHUNKS:
            raise Refused(f"is a PNG of more than {small - 1:,} tiny chunks; save it anew")


def _check_segments(data: bytes) -> None:
    """Pillow goes from marker to marker, or from byte to byte where there is none, up to the first
    scan: a million steps take seconds. EXIF segments it joins, with a copy of all each time."""
    position, small, stray, exif = 2, 0, 0, 0
    while (found := _MARKER.match(data, position)) and (code := found[1][0]) != _SCAN:
        stray += found.end() - position - 2
        position = found.end()
        exif += code == 0xE1 and data.startswith(b"Exif\0\0", position + 2)
        length = 0 if code in _BARE else max(2, *struct.unpack_from(">H", data, position))
        position += length
        small += length < _SMALL_CHUNK
        if small > _MOST_SMALL_CHUNKS or stray > _MOST_STRAY_BYTES or exif > _MOST_EXIF:
            raise Refused("is a JPEG of too much beside its picture; save it anew")


def _gif_size(data: bytes) -> tuple[int, int]:
    """With the first frame, which may exceed its screen: Pillow may fill one when it opens."""
    width, height, flags = struct.unpack_from("<2HB", data, 6)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    inside = False  # an extension: blocks up to an empty one
    for _ in range(_MOST_BLOCKS):
        if inside:
            inside = data[position] > 0
            position += data[position] + 1
        elif data[position] == ord("!"):
            inside = True
            position += 2
        else:
            break
    else:
        raise Refused("is a GIF of too much beside its picture; save it anew")
    if data[position] != ord(","):
        return width, height
    left, top, wide, high = struct.unpack_from("<4H", data, position + 1)
    return max(width, left + wide), max(height, top + high)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture of more than `max_pixels`."""
    if width * height > max_pixels:
        raise too_large(width * height, max_pixels, f"is {width:,} x {height:,} =")


def too_large(pixels: int, max_pixels: int, has: str = "has") -> Refused:
    """The refusal of so many pixels, with the limit that holds: Pillow has one as well."""
    last = 2 * (Image.MAX_IMAGE_PIXELS or max_pixels)
    hint = " or raise --max-pixels" * (max_pixels < last)
    return Refused(f"{has} {_mpx(pixels)}, limit {_mpx(min(max_pixels, last))}; shrink it{hint}")


def _mpx(pixels: int) -> str:
    return f"{pixels / 1e6:,.2f}".rstrip("0").rstrip(".") + " Mpx"


def what_it_is(data: bytes) -> str:
    """Of bytes that Pillow does not know: what they seem to be, and what to do."""
    for pattern, reason in _KNOWN_STRANGERS:
        if re.match(pattern, data[:512], re.IGNORECASE | re.DOTALL):
            return reason
    return "is no picture, or one of an unknown format or with a damaged beginning; remove it"
