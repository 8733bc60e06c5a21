"""A validation part carved out of the training pictures, and the parts of a run as a CSV file."""

import csv
import hashlib
import io
import math
import os
import stat
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shortcut.data.samples import PARTS, Sample
from shortcut.errors import DataError, RecipeError

_COLUMNS = ["path", "class", "split", "bytes"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture as a split names it, whether it is still there or not."""

    sample: Sample
    part: str
    size: int
    """In bytes, when the split was written."""
    size_now: int
    """-1 where it is gone."""


def carve_validation(
    samples: Sequence[Sample], *, fraction: float, seed: int
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """`samples` as (train, validation), each sorted by path, the same share of every class.

    A class of n pictures gives round(fraction * n) of them to validation, but at least one, and
    keeps at least one. Which ones depends on the seed, the label and the path below the folder
    that all samples share: neither on their order nor on where that folder lies.

    Raises DataError naming a class with fewer than two pictures, RecipeError for a fraction
    outside (0, 1).
    """
    if not 0 < fraction < 1:
        raise RecipeError(f"validation fraction {fraction} must lie between 0 and 1.")
    by_label: dict[str, list[tuple[bytes, Sample]]] = {}
    for name, sample in zip(_relative_names(samples), samples, strict=True):
        # Ranking by a keyed hash is a seeded permutation that needs no order to start from.
        text = f"{seed}\0{sample.label}\0{name}".encode(errors="surrogateescape")
        rank = hashlib.blake2b(text, digest_size=16).digest()
        by_label.setdefault(sample.label, []).append((rank, sample))
    train: list[Sample] = []
    validation: list[Sample] = []
    for label, ranked in sorted(by_label.items()):
        if len(ranked) < 2:
            raise DataError(
                f"class {label!r} has one picture only ({ranked[0][1].path}). A class needs at "
                "least two, one to train and one to validate: add pictures or remove the class."
            )
        chosen = [sample for _, sample in sorted(ranked, key=lambda pair: pair[0])]
        count = min(max(math.floor(fraction * len(chosen) + 0.5), 1), len(chosen) - 1)
        validation += chosen[:count]
        train += chosen[count:]
    return _by_path(train), _by_path(validation)


def split_table(parts: Mapping[str, Sequence[Sample]], root: Path) -> bytes:
    """Which picture is in which part, as a CSV file: path, class, split, bytes.

    `parts` has the keys train, val and test as far as there are any. Paths are relative to
    `root` (or to its folder, where it is a CSV file) with forward slashes; absolute outside it.
    """
    rows = [
        (portable_path(sample.path, root), sample.label, part, str(_size(sample.path)))
        for part, samples in parts.items()
        for sample in samples
    ]
    # csv leaves a lone carriage return bare before Python 3.13, and then cannot read it back.
    bare = any("\r" in text for row in rows for text in row)
    table = io.StringIO()
    quoting = csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL
    writer = csv.writer(table, lineterminator="\n", quoting=quoting)
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    # surrogateescape: file names that are not UTF-8 come back with the same bytes.
    return table.getvalue().encode("utf-8", "surrogateescape")


def portable_path(path: Path, root: Path) -> str:
    """`path` as tables name it: relative to `root` (or to its folder, where it is a file) with
    forward slashes; absolute outside of it."""
    base = base_of(root)
    inside = path.is_relative_to(base)
    return path.relative_to(base).as_posix() if inside else path.absolute().as_posix()


def digest_of(*samples: Sample) -> str:
    """Which pictures these are, in which order and of which labels, wherever their folder lies."""
    lines = (f"{s.path.parent.name}/{s.path.name}\t{s.label}\n" for s in samples)
    text = "".join(lines).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()


def read_table(path: Path) -> bytes:
    """The content of a split file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the split cannot be read ({error.strerror}).") from error


def read_split(
    table: bytes, root: Path, *, name: str, changed: bool = False
) -> dict[str, tuple[Sample, ...]]:
    """The parts that `split_table` wrote, in its order; `root` as given there.

    Args:
        name: of the file, for messages.
        changed: pictures may be gone, or have another size in bytes than when it was written.

    Raises:
        DataError: it is not such a table, or pictures have changed; five are named.
    """
    listed = list_split(table, root, name=name)
    faults = [
        f"{portable_path(one.sample.path, root)} "
        f"({'is missing' if one.size_now < 0 else 'has changed'})"
        for one in listed
        if one.size_now < 0 or one.size_now != one.size
    ]
    if faults and not changed:
        raise DataError(
            f"{name}: {len(faults):,} of {len(listed):,} pictures are not as they were: "
            f"{', '.join(faults[:5])}. Put them back, or give `--accept-data-change`."
        )
    there = [one for one in listed if one.size_now >= 0]
    parts = {part: tuple(one.sample for one in there if one.part == part) for part in PARTS}
    return {part: samples for part, samples in parts.items() if samples}


def list_split(table: bytes, root: Path, *, name: str) -> list[Listed]:
    """Every picture that `split_table` wrote, in its order; see `read_split`.

    Raises:
        DataError: it is not such a table.
    """
    base = base_of(root)
    listed = list[Listed]()
    for number, row in _read_rows(table, name):
        known = len(row) == len(_COLUMNS) and row[2] in PARTS
        if not known or not row[3].removeprefix("-").isdecimal():
            raise DataError(f"{name}: row {number} is not '{','.join(_COLUMNS)}'.")
        sample = Sample(base / row[0], row[1])
        listed.append(Listed(sample, row[2], int(row[3]), _size(sample.path)))
    return listed


def _size(path: Path) -> int:
    """In bytes; -1 where there is no such file."""
    try:
        facts = path.stat()
    except OSError:
        return -1
    return facts.st_size if stat.S_ISREG(facts.st_mode) else -1


def _read_rows(table: bytes, name: str) -> list[tuple[int, list[str]]]:
    try:
        text = table.decode("utf-8-sig", "surrogateescape")
        rows = list(enumerate(csv.reader(io.StringIO(text, newline="")), 1))
    except csv.Error as error:
        raise DataError(f"{name}: the split cannot be read ({error}).") from error
    if not rows or rows[0][1] != _COLUMNS:
        raise DataError(f"{name}: is not a split: its first row must be '{','.join(_COLUMNS)}'.")
    return rows[1:]


def _relative_names(samples: Sequence[Sample]) -> list[str]:
    """Paths below the deepest folder that holds all samples, the same on every system."""
    if not samples:
        return []
    files = [sample.path.absolute() for sample in samples]
    try:
        shared = os.path.commonpath({file.parent for file in files})
    except ValueError:  # several drives
        return [unicodedata.normalize("NFC", file.as_posix()) for file in files]
    names = [file.as_posix()[len(shared) :].lstrip("/") for file in files]
    return [unicodedata.normalize("NFC", name) for name in names]


def _by_path(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    return tuple(sorted(samples, key=lambda sample: sample.path))


def base_of(root: Path) -> Path:
    """The folder that tables name pictures in: `root`, or where it lies if it is a file."""
    return root.parent if root.is_file() else root
