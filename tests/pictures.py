"""Pictures to learn in a second, and what may be asked of them afterwards."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (40, 70, 200), "red": (200, 60, 40)}


def make_pictures(folder: Path, each: int = 12) -> Path:
    """Noisy PNGs in two classes."""
    noise = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = noise.normal(colour, 25, size=(24, 32, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"photo-{number:02}.png")
    return folder


def digest_of(folder: Path) -> str:
    """SHA-256 over all names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()
