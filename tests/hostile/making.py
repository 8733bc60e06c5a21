"""Files that Pillow would not write: from their parts, oversized, damaged, and strangers."""

import importlib.util
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, features

from shortcut.data.samples import Source

Tags = Mapping[int, tuple[int, ...]]
"""TIFF tag to its whole numbers."""

ORIENTATION = 0x0112


def photo(width: int = 64, height: int = 48) -> Image.Image:
    """A real photo, shrunk: scikit-learn brings two along."""
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "images"
    with Image.open(folder / "china.jpg") as image:
        small = image.convert("RGB").resize((width, height))
    small.info = {}  # a colour profile, which would go into every file
    return small


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    """The bytes of a file as Pillow writes it."""
    buffer = io.BytesIO()
    # A copy: writing a JPEG leaves settings in a picture that the next format stumbles over.
    image.copy().save(buffer, file_format, **options)
    return buffer.getvalue()


def fill(root: Path, *names: str, data: bytes | None = None) -> Path:
    """Files of these names below `root`, each a picture or `data`."""
    content = encoded(photo(), "PNG") if data is None else data
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def labelled(source: Source, part: str = "all") -> list[tuple[str, str]]:
    """Names below the root, and labels."""
    samples = source.parts[part]
    return [(sample.path.relative_to(source.root).as_posix(), sample.label) for sample in samples]


def chunk(name: bytes, body: bytes = b"") -> bytes:
    """One of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    size: tuple[int, int], depth: int, colour: int, rows: bytes, *before: bytes, after: bytes = b""
) -> bytes:
    """A PNG from its parts; `rows` begin with a filter byte each, `before` and `after` are chunks
    around the data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + data + after + chunk(b"IEND")


def directory(tags: Tags, place: int, order: str = "<", following: int = 0) -> bytes:
    """A TIFF directory that will stand at `place`; `following` is where the next one stands."""
    entries, beside = b"", b""
    end = place + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        kind, code = (3, "H") if max(values) < 2**16 else (4, "L")
        packed = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(packed) > 4:
            packed, beside = struct.pack(f"{order}L", end + len(beside)), beside + packed
        entries += struct.pack(f"{order}HHL", tag, kind, len(values)) + packed.ljust(4, b"\0")
    count = struct.pack(f"{order}H", len(tags))
    return count + entries + struct.pack(f"{order}L", following) + beside


def start_of_tiff(order: str, place: int) -> bytes:
    """The eight bytes that say where the first directory stands."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", place)


def tiff(
    size: tuple[int, int], bits: tuple[int, ...], photometric: int, data: bytes, order: str = "<"
) -> bytes:
    """An uncompressed TIFF; `bits` are those of each channel, `data` its bytes in that order."""
    padded = data + b"\0" * (len(data) % 2)
    tags = {
        **{256: (size[0],), 257: (size[1],), 258: bits, 259: (1,), 262: (photometric,)},
        **{273: (8,), 277: (len(bits),), 278: (size[1],), 279: (len(data),)},
    }
    place = 8 + len(padded)
    return start_of_tiff(order, place) + padded + directory(tags, place, order)


def exif(tags: Tags, order: str = "<", following: int = 0) -> bytes:
    """An EXIF block."""
    return b"Exif\0\0" + start_of_tiff(order, 8) + directory(tags, 8, order, following)


def segment(marker: int, body: bytes) -> bytes:
    """One of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """The JPEG with these at its beginning."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def ycck(inks: np.ndarray) -> bytes:
    """A JPEG of these inks (height, width, 4) that holds colours as YCbCr and K, as Photoshop does.

    Pillow writes four channels as they are, inverted, and marks them as CMYK: so it is handed what
    YCCK holds, and one byte of the mark is changed.
    """
    colours = Image.fromarray(inks[..., :3]).convert("YCbCr")
    stored = np.dstack([np.asarray(colours), 255 - inks[..., 3]])
    inverted = Image.frombytes("CMYK", colours.size, (255 - stored).tobytes())
    data = encoded(inverted, "JPEG", quality=95)
    mark = data.index(b"Adobe") + 11
    return data[:mark] + b"\x02" + data[mark + 1 :]


def png_bomb(side: int) -> bytes:
    """A real picture of one colour and one bit: 9,400 pixels square are 11 kB."""
    return png((side, side), 1, 0, bytes((side + 7) // 8 + 1) * side)


def bombs(side: int) -> dict[str, bytes]:
    """Small files, by format, whose headers promise `side` x `side` pixels."""
    dot = Image.new("RGB", (1, 1))
    jpeg, bmp = bytearray(encoded(dot, "JPEG")), bytearray(encoded(dot, "BMP"))
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, side, side)
    struct.pack_into("<ii", bmp, 18, side, side)
    webp = bytearray(encoded(dot, "WEBP", lossless=True))
    assert webp[20] == 0x2F
    (bits,) = struct.unpack_from("<I", webp, 21)
    struct.pack_into("<I", webp, 21, bits >> 28 << 28 | side - 1 << 14 | side - 1)
    # The screen is one pixel, the frame is not; "restore to background" makes Pillow fill it.
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"!\xf9\x04\x08\0\0\0\0," + struct.pack("<HHHHB", 0, 0, side, side, 0)
    return {
        "png": png_bomb(side),
        "jpeg": bytes(jpeg),
        "bmp": bytes(bmp),
        "webp": bytes(webp),
        "gif": screen + frame + b"\x02\x02\x4c\x01\0;",
        "ppm": f"P6 {side} {side} 255\n".encode(),
        "tiff": tiff((side, side), (1,), 1, b"\0\0"),
    }


def strangers() -> dict[str, tuple[bytes, str]]:
    """Files that are not to be read under the name of a JPEG, and what the refusal says."""
    image = photo()
    document = "is a document"
    return {
        "tiff": (encoded(image, "TIFF"), "is a TIFF under another ending"),
        "eps": (encoded(image, "EPS"), document),
        "eps-for-dos": (b"\xc5\xd0\xd3\xc6" + struct.pack("<2L", 30, 99) + bytes(120), document),
        "pdf": (encoded(image, "PDF"), document),
        "psd": (b"8BPS\0\1" + bytes(6) + struct.pack(">HLLHH", 3, 9, 9, 8, 3), "is a Photoshop"),
        "fits": (b"SIMPLE  =                    T".ljust(2880), "FITS"),
        "icns": (b"icns" + struct.pack(">L", 16) + b"ic07" + bytes(8), "icon"),
        "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "is a JPEG 2000 picture"),
        "jpc": (b"\xff\x4f\xff\x51" + bytes(40), "is a JPEG 2000 picture"),
        "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG"),
    }


def seeds() -> dict[str, bytes]:
    """One small photo in every format and most of the ways to store it."""
    image = photo()
    grey, palette, cmyk = image.convert("L"), image.quantize(32), image.convert("CMYK")
    alpha = image.copy()
    alpha.putalpha(grey)
    deep = np.asarray(grey).astype(np.uint16) * 257

    def frames() -> dict[str, object]:
        return {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}

    found = {
        "baseline.jpg": encoded(image, "JPEG", exif=exif({ORIENTATION: (6,)})),
        "progressive.jpg": encoded(image, "JPEG", progressive=True, restart_marker_rows=1),
        "grey.jpg": encoded(grey, "JPEG"),
        "cmyk.jpg": encoded(cmyk, "JPEG"),
        "two.mpo": encoded(image, "MPO", **frames()),
        "rgb.png": encoded(image, "PNG"),
        "alpha.png": encoded(alpha, "PNG", exif=exif({ORIENTATION: (5,)})),
        "palette.png": encoded(palette, "PNG", transparency=3),
        "deep.png": encoded(Image.fromarray(deep), "PNG"),
        "animated.png": encoded(image, "PNG", **frames()),
        "animated.gif": encoded(palette, "GIF", **frames()),
        "lossy.webp": encoded(image, "WEBP"),
        "lossless.webp": encoded(alpha, "WEBP", lossless=True),
        "animated.webp": encoded(image, "WEBP", **frames()),
        "rgb.bmp": encoded(image, "BMP"),
        "palette.bmp": encoded(palette, "BMP"),
        "pages.tif": encoded(image, "TIFF", **frames()),
        "deep.tif": encoded(Image.fromarray(deep), "TIFF"),
        "rgb.ppm": encoded(image, "PPM"),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        found[f"{compression}.tif"] = encoded(image, "TIFF", compression=compression)
    found["group4.tif"] = encoded(grey.convert("1"), "TIFF", compression="group4")
    if features.check("avif"):
        found["photo.avif"] = encoded(image, "AVIF", speed=10)
    return found


def mutated(data: bytes, number: int, other: bytes) -> bytes:
    """`data` with one to four damages; a pure function of all three. `other` lends a tail."""
    draw = np.random.default_rng(number)
    changed = bytearray(data)
    for _ in range(draw.integers(1, 5)):
        if len(changed) > 2:
            _DAMAGES[draw.integers(len(_DAMAGES))](changed, draw, other)
    return bytes(changed)


def _slice(data: bytearray, draw: np.random.Generator) -> slice:
    start = int(draw.integers(len(data)))
    return slice(start, start + int(draw.integers(1, 65)))


def _flip_bits(data: bytearray, draw: np.random.Generator, _: bytes) -> None:
    for place in draw.integers(len(data), size=draw.integers(1, 9)):
        data[place] ^= 1 << int(draw.integers(8))


def _put_extreme_number(data: bytearray, draw: np.random.Generator, _: bytes) -> None:
    numbers = (b"\0\0", b"\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x01")
    # Headers stand at the beginning; there a number decides most.
    place = int(draw.integers(min(len(data), 200)))
    number = numbers[draw.integers(len(numbers))]
    data[place : place + len(number)] = number


def _cut_off(data: bytearray, draw: np.random.Generator, _: bytes) -> None:
    del data[int(draw.integers(1, len(data))) :]


def _take_out(data: bytearray, draw: np.random.Generator, _: bytes) -> None:
    del data[_slice(data, draw)]


def _repeat(data: bytearray, draw: np.random.Generator, _: bytes) -> None:
    part = _slice(data, draw)
    data[part] = data[part] * int(draw.integers(2, 9))


def _overwrite(data: bytearray, draw: np.random.Generator, _: bytes) -> None:
    part = _slice(data, draw)
    length = len(data[part])
    data[part] = bytes(length) if draw.random() < 0.5 else draw.bytes(length)


def _graft(data: bytearray, draw: np.random.Generator, other: bytes) -> None:
    place = int(draw.integers(1, len(data)))
    data[place:] = other[min(place, len(other)) :]


_DAMAGES: tuple[Callable[[bytearray, np.random.Generator, bytes], None], ...] = (
    *(_flip_bits, _flip_bits, _put_extreme_number, _put_extreme_number),
    *(_cut_off, _take_out, _repeat, _overwrite, _graft),
)


def mutations(files: Mapping[str, bytes], numbers: range) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of damaged copies of `files` in turn; a number always means the same."""
    names = sorted(files)
    for number in numbers:
        name, lender = names[number % len(names)], names[number * 7 % len(names)]
        yield f"{number} {name}", mutated(files[name], number, files[lender])
