"""One word for where pictures come from: a folder, a CSV file, an archive, digits, a named set."""

import contextlib
import difflib
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Literal

from shortcut.data.archives import is_archive, read_unpacked, unpacking
from shortcut.data.folders import PICTURE_ENDINGS, read_folder
from shortcut.data.named import NAMED, read_digits, read_named
from shortcut.data.samples import Sample, Source
from shortcut.data.tables import read_table
from shortcut.disk import reason_of
from shortcut.errors import DataError
from shortcut.events import Progress, run_silently


def read_source(
    location: str | Path, *, cache: Path | None = None, download: bool = False
) -> Source:
    """The labelled pictures at `location`; no picture is opened.

    Args:
        location: what exists on the disk comes first: a folder, or a file that ends in `.csv` or as
            archives do. Otherwise `digits`, or a name in `NAMED`.
        cache: the folder for named sets and for what archives hold; None takes `default_cache()`.
        download: named sets that are not in the cache may be fetched from the network.

    Raises:
        DataError: nothing there (the nearest name is offered), another kind of file, or whatever
            the reader of that kind finds wrong.
        ResourceError: the cache cannot be written.
    """
    return run_silently(reading_source(location, cache=cache, download=download))


def reading_source(
    location: str | Path, *, cache: Path | None = None, download: bool = False
) -> Generator[Progress, None, Source]:
    """As `read_source`, with a `Progress` now and then while an archive is unpacked."""
    cache = cache or default_cache()
    path = Path(location).expanduser()
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:  # a folder above it may not be searched
        raise DataError(f"{path}: cannot be read ({reason_of(error)}).") from error
    if is_folder:
        return read_folder(path)
    if is_file:
        if path.suffix.lower() == ".csv":
            return read_table(path)
        if is_archive(path):
            return read_unpacked(path, (yield from unpacking(path, cache)))
        raise DataError(_wrong_file(path))
    if location == "digits":
        return read_digits(cache)
    if str(location) in NAMED:
        return read_named(str(location), cache=cache, download=download)
    raise DataError(_nothing_there(path))


def find_again(root: str, location: str, *, download: bool = False) -> Path:
    """Where the pictures are that a training found in `root`; where that was in a cache which is
    not here, they are unpacked or fetched once more.

    Args:
        location: the data as it was given to the training.

    Raises:
        DataError, ResourceError: as `read_source`.
    """
    place = Path(root)
    with contextlib.suppress(OSError):
        if location in ("", root) or place.exists():
            return place
    return read_source(location, download=download).root


def choose_part(
    source: Source, wanted: Literal["auto", "train", "val", "test", "all"] = "auto"
) -> tuple[str, tuple[Sample, ...]]:
    """The part of `source` to measure on, and its name.

    `auto` takes test where there is one, else val, else train or everything; `all` joins all parts.

    Raises DataError: the source has no such part.
    """
    parts = source.parts
    if wanted == "all":
        return "all", tuple(sample for samples in parts.values() for sample in samples)
    name = next((p for p in ("test", "val", "train", "all") if p in parts), "all")
    if wanted != "auto":
        name = wanted
    if name not in parts:
        raise DataError(f"{source.root}: has no {wanted} part; it has {', '.join(parts)}.")
    return name, parts[name]


def check_outside(place: Path, data: str | Path, option: str = "--output") -> None:
    """Refuse to write in a data folder: a run there would be the next training's newest class.

    Raises:
        DataError: `place` lies in the folder `data`.
    """
    root = Path(data).expanduser()
    try:
        inside = root.is_dir() and place.absolute().resolve().is_relative_to(root.resolve())
    except OSError:
        return
    if inside:
        raise DataError(
            f"{place} would lie in the data folder {root}, where nothing is written; start "
            f"elsewhere, or give `{option}` a place outside it."
        )


def default_cache() -> Path:
    """The folder for downloads and generated pictures; not created here.

    `$SHORTCUT_CACHE`; otherwise `shortcut` in `$XDG_CACHE_HOME`, in `%LOCALAPPDATA%` on Windows,
    or in `~/.cache`.
    """
    if chosen := os.environ.get("SHORTCUT_CACHE"):
        return Path(chosen).expanduser()
    system = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    base = os.environ.get(system)
    return (Path(base) if base else Path.home() / ".cache") / "shortcut"


def _wrong_file(path: Path) -> str:
    ending = path.suffix.lower().lstrip(".")
    if ending in PICTURE_ENDINGS:
        return f"{path}: is one picture, not a data set. Give the folder that holds the classes."
    if ending in ("gz", "bz2", "xz", "zst", "7z", "rar"):
        return f"{path}: is an archive of a kind that is not read. Unpack it and give the folder."
    return f"{path}: is neither a folder nor a CSV file. Give a folder, a .csv, a .zip or a .tar."


def _nothing_there(path: Path) -> str:
    try:
        beside = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    except OSError:
        beside = []
    near = difflib.get_close_matches(path.name, beside, 1, cutoff=0.6)
    if near:
        return f"{path}: no such folder. Did you mean {path.parent / near[0]}?"
    names = ["digits", *NAMED]
    if known := difflib.get_close_matches(str(path).lower(), names, 1, cutoff=0.6):
        return f"{path}: no such folder or data set. Did you mean {known[0]!r}?"
    return f"{path}: no such folder. Give a folder, a .csv file, or one of {', '.join(names)}."
