"""What can be seen of a picture without knowing what it shows: whether it can be read, how it is
stored, how large, bright and sharp it is."""

import hashlib
import os
from collections.abc import Generator, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shortcut.data.copies import Pair, chained, find_copies
from shortcut.data.decode import decode_picture, opened, orientation_of
from shortcut.data.patterns import Thumb, make_thumb
from shortcut.data.samples import Sample
from shortcut.disk import digest_of_file
from shortcut.errors import DecodeError
from shortcut.events import Notice, Progress

VIEW = 128
"""Pixels of the short side at which sharpness and colours are measured, of larger pictures."""
TINY = 16
"""Pixels of the shorter side below which alike is not the same."""
ENDS = 65_536
"""Bytes that are read first, at either end of a file."""
FORMATS = {
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), "JPEG"),
    **dict.fromkeys(("tif", "tiff"), "TIFF"),
    **dict.fromkeys(("ppm", "pgm"), "PPM"),
}
"""Endings that are not the name of their format."""
_GREY = ("1", "L", "LA", "La")


@dataclass(frozen=True, slots=True)
class Look:
    """One file, looked at."""

    sample: Sample
    problem: str = ""
    """Why it cannot be read; all that follows is then empty."""
    width: int = 0
    height: int = 0
    """Pixels, upright."""
    traits: frozenset[str] = frozenset()
    """How it is stored: `renamed` (its ending names another format), `turned` (by EXIF), `deep`
    (more than 8 bits), `cmyk`, `lab`, `transparent`, `animated`, `grey`."""
    brightness: float = 0.0
    """Mean of grey, 0 to 255."""
    contrast: float = 0.0
    """Standard deviation of grey."""
    sharpness: float = 0.0
    """The strongest steps between neighbouring pixels, as a share of the range of grey."""
    colours: float = 0.0
    """Bits of entropy of 4,096 colours: 8 in a photo, 1 to 4 in a drawing or a logo."""
    thumb: Thumb = field(default_factory=lambda: np.zeros((0, 0), np.uint8), repr=False)


def looking(
    samples: Sequence[Sample], *, threads: int, max_pixels: int | None = None
) -> Generator[Progress, None, list[Look]]:
    """Look at every file; yields progress, returns looks in the order of `samples`."""
    looks: list[Look] = []
    with ThreadPoolExecutor(threads) as pool:
        try:
            for look in pool.map(lambda sample: look_at(sample, max_pixels), samples):
                looks.append(look)
                yield Progress("looking at pictures", len(looks), len(samples))
        finally:
            pool.shutdown(cancel_futures=True)
    return looks


def look_at(sample: Sample, max_pixels: int | None = None) -> Look:
    """One file, decoded as for training; whatever is wrong with it is said in the result."""
    try:
        # Large JPEGs are decoded at a fraction of their size, but to their end.
        image = decode_picture(sample.path, min_side=VIEW, max_pixels=max_pixels)
    except DecodeError as error:
        return Look(sample, problem=str(error))
    traits, size = _header(sample.path, image.size)
    upright = (image.width > image.height) == (size[0] > size[1])
    width, height = size if upright else size[::-1]
    view = _view(image)
    grey = np.asarray(view.convert("L"), dtype=np.float32)
    return Look(
        sample,
        width=width,
        height=height,
        traits=traits,
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        sharpness=_sharpness(grey),
        colours=_entropy(view),
        thumb=make_thumb(image),
    )


def finding_copies(looks: Sequence[Look]) -> Generator[Progress | Notice, None, list[Pair]]:
    """Pairs of copies among pictures that can be read, by their positions.

    Of pictures smaller than TINY only equal files: there strangers look alike, two handwritten
    threes of 8 x 8 pixels for one.
    """
    equal = yield from finding_equal(looks)
    places = [i for i, look in enumerate(looks) if min(look.width, look.height) >= TINY]
    number = {place: i for i, place in enumerate(places)}
    tiny = chained(group for group in equal if group[0] not in number)
    if not places:
        return tiny
    groups = [[number[i] for i in group] for group in equal if group[0] in number]
    pairs = yield from find_copies(np.stack([looks[place].thumb for place in places]), groups)
    return tiny + [replace(p, first=places[p.first], second=places[p.second]) for p in pairs]


def finding_equal(looks: Sequence[Look]) -> Generator[Progress, None, list[tuple[int, ...]]]:
    """Positions of files that are the same byte for byte, a group each; yields progress.

    Of files of one size the ends are read, and of those with equal ends the whole: pictures without
    compression all have one size, and a set of them may be as large as the disk.
    """
    alike = _shared({i: _file_size(look) for i, look in enumerate(looks) if not look.problem})
    for digest in (_digest_of_ends, _digest):
        keys: dict[int, tuple[int, str]] = {}
        members = [(number, i) for number, group in enumerate(alike) for i in group]
        for done, (number, i) in enumerate(members, 1):
            keys[i] = number, digest(looks[i])
            yield Progress("comparing files", done, len(members))
        alike = _shared(keys)
    return alike


def _shared(keys: Mapping[int, Hashable]) -> list[tuple[int, ...]]:
    """Positions by key, of keys that more than one has."""
    groups: dict[Hashable, list[int]] = {}
    for position, key in keys.items():
        groups.setdefault(key, []).append(position)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _header(path: Path, decoded: tuple[int, int]) -> tuple[frozenset[str], tuple[int, int]]:
    """How a file is stored, and the size that its header tells."""
    try:
        with opened(path) as header:
            return frozenset(_traits(header, path)), header.size
    # The first frame could be decoded; what Pillow finds behind it may be cut off or damaged.
    except Exception:
        return frozenset(), decoded


def _traits(header: Image.Image, path: Path) -> Iterator[str]:
    ending = path.suffix.lower().lstrip(".")
    kind = {"MPO": "JPEG", "DIB": "BMP"}.get(header.format or "", header.format)
    # Bits a channel: Pillow names RGB of 16 bits by what it will make of it.
    deep = header.mode.startswith("I") or ";16" in str(getattr(header, "tile", ""))
    found = {
        "renamed": ending and FORMATS.get(ending, ending.upper()) != kind,
        "turned": orientation_of(header) in range(2, 9),
        "deep": deep,
        "cmyk": header.mode == "CMYK",
        "lab": header.mode == "LAB",
        "transparent": header.has_transparency_data,
        "animated": getattr(header, "is_animated", False) and header.format != "MPO",
        "grey": header.mode in _GREY or header.mode.startswith("I"),
    }
    yield from (trait for trait, has in found.items() if has)


def _view(image: Image.Image) -> Image.Image:
    scale = VIEW / min(image.size)
    if scale >= 1:
        return image
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.BOX)


def _sharpness(grey: NDArray[np.float32]) -> float:
    """The strongest hundredth of differences between neighbours against the range of nine tenths of
    all pixels: a blur takes from the first and not from the second."""
    if min(grey.shape) < 3:
        return 1.0
    steps = np.concatenate([np.abs(np.diff(grey, axis=axis)).ravel() for axis in (0, 1)])
    reach = np.percentile(grey, 95) - np.percentile(grey, 5)
    return float(np.percentile(steps, 99) / max(reach, 8.0))


def _entropy(view: Image.Image) -> float:
    small = np.asarray(view.resize((64, 64), Image.Resampling.NEAREST)) >> 4
    codes = (small[..., 0].astype(np.int64) << 8) | (small[..., 1] << 4) | small[..., 2]
    shares = np.bincount(codes.ravel(), minlength=4096) / codes.size
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def _file_size(look: Look) -> int:
    try:
        return look.sample.path.stat().st_size
    except OSError:
        return -1


def _digest_of_ends(look: Look) -> str:
    try:
        with look.sample.path.open("rb") as file:
            digest = hashlib.sha256(file.read(ENDS))
            file.seek(-min(ENDS, file.seek(0, os.SEEK_END)), os.SEEK_END)
            digest.update(file.read())
    except OSError:  # gone meanwhile: equal to no other
        return str(look.sample.path)
    return digest.hexdigest()


def _digest(look: Look) -> str:
    try:
        return digest_of_file(look.sample.path)
    except OSError:  # gone meanwhile: equal to no other
        return str(look.sample.path)
