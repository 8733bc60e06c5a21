"""Pictures: good ones, odd ones that are to be answered, and what only looks like one."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A coloured one, like no other."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A file's bytes."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def good(count: int) -> list[bytes]:
    """So many, of many sizes."""
    return [encoded(noise(24 + 7 * (n % 40), 30 + 5 * (n % 23), n)) for n in range(count)]


def odd() -> dict[str, bytes]:
    """Rare but right."""
    image = noise(40, 50)
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray((np.arange(1600).reshape(40, 40) * 40).astype(np.uint16))
    return {
        "grey": encoded(image.convert("L")),
        "one bit": encoded(image.convert("1")),
        "CMYK": encoded(image.convert("CMYK"), "JPEG"),
        "16 bits": encoded(deep),
        "with alpha": encoded(image.convert("RGBA")),
        "palette": encoded(image.convert("P"), "GIF"),
        "turned": encoded(image, "JPEG", exif=exif),
        "narrow": encoded(noise(3, 300)),
        "animated": encoded(image, "GIF", save_all=True, append_images=[noise(40, 50, 1)]),
        "WebP": encoded(image, "WEBP"),
    }


def bad() -> dict[str, bytes]:
    """No pictures, though some begin like one."""
    png, jpeg = encoded(noise(90, 90)), encoded(noise(90, 90), "JPEG")
    cut = {
        f"{name} cut at {share} %": whole[: len(whole) * share // 100]
        for name, whole in (("PNG", png), ("JPEG", jpeg))
        for share in (1, 10, 50, 90)
    }
    return cut | {
        "empty": b"",
        "text": b"none",
        "HTML": b"<html><body>404</body></html>",
        "random": np.random.default_rng(0).bytes(5000),
        "bomb of PNG": bomb(13_000),
        "bomb of GIF": b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + bytes(800),
        "float TIFF": encoded(Image.fromarray(np.ones((20, 20), np.float32)), "TIFF"),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        "PDF": b"%PDF-1.4\n%%EOF\n",
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtins\x94.",
    }


def bomb(side: int) -> bytes:
    """A small file of a huge picture."""
    rows = zlib.compress(bytes(side // 8 + 1) * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    packed = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def heavy() -> bytes:
    """One that takes long to read."""
    return encoded(noise(3000, 2000), "JPEG", quality=95)
