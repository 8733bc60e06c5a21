"""Small copies of pictures for pages: JPEG bytes."""

import io
from pathlib import Path

from PIL import Image

from shortcut.data.decode import decode_picture
from shortcut.data.preprocess import Pixels
from shortcut.errors import DecodeError

QUALITY = 78


def make_thumbnail(path: Path, side: int = 160) -> bytes | None:
    """The picture with its long side brought down to `side` pixels, as a JPEG of some kB; None
    where it cannot be read."""
    try:
        image = decode_picture(path, min_side=side)
    except DecodeError:
        return None
    return _encoded(image, side)


def as_jpeg(pixels: Pixels, side: int = 160) -> bytes:
    """(H, W, 3) uint8 as a JPEG, its long side brought down to `side` pixels."""
    return _encoded(Image.fromarray(pixels), side)


def _encoded(image: Image.Image, side: int) -> bytes:
    image.thumbnail((side, side), Image.Resampling.BOX)
    written = io.BytesIO()
    image.save(written, "JPEG", quality=QUALITY, optimize=True)
    return written.getvalue()
