"""A validation part carved out of the training pictures, and the parts of a run as a CSV file."""

import csv
import hashlib
import math
import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from shortcut.data.samples import PARTS, Sample
from shortcut.errors import DataError, RecipeError

_COLUMNS = ["path", "class", "split"]


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


def write_split(path: Path, parts: Mapping[str, Sequence[Sample]], root: Path) -> None:
    """Write which picture was in which part as the CSV file `path`: path, class, split.

    `parts` has the keys train, val and test as far as there are any. Paths are relative to
    `root` (or to its folder, where it is a CSV file) with forward slashes; absolute outside it.
    """
    base = _base(root)
    rows = [
        (_portable(sample.path, base), sample.label, part)
        for part, samples in parts.items()
        for sample in samples
    ]
    # csv leaves a lone carriage return bare before Python 3.13, and then cannot read it back.
    bare = any("\r" in text for row in rows for text in row)
    quoting = csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL
    unfinished = path.with_name(path.name + ".unfinished")
    # surrogateescape: file names that are not UTF-8 come back with the same bytes.
    with unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=quoting)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    unfinished.replace(path)


def read_split(path: Path, root: Path) -> dict[str, tuple[Sample, ...]]:
    """The parts that `write_split` wrote, in the order of the file; `root` as given there.

    Raises DataError when the file is not such a table, or names pictures that are not there.
    """
    rows = _read_rows(path)
    base = _base(root)
    parts: dict[str, list[Sample]] = {}
    for number, row in rows:
        if len(row) != 3 or row[2] not in PARTS:
            raise DataError(f"{path}: row {number} is not 'path,class,split' with a known split.")
        parts.setdefault(row[2], []).append(Sample(base / row[0], row[1]))
    samples = [sample for part in parts.values() for sample in part]
    missing = [sample.path for sample in samples if not sample.path.is_file()]
    if missing:
        raise DataError(
            f"{path}: {len(missing):,} of {len(samples):,} pictures are missing; the first is "
            f"{missing[0]}. Put them back, or make a new split."
        )
    return {part: tuple(parts[part]) for part in PARTS if part in parts}


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = list(enumerate(csv.reader(file), 1))
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: the split cannot be read ({error}).") from error
    if not rows or rows[0][1] != _COLUMNS:
        raise DataError(f"{path}: is not a split: its first row must be 'path,class,split'.")
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


def _base(root: Path) -> Path:
    return root.parent if root.is_file() else root


def _portable(path: Path, base: Path) -> str:
    inside = path.is_relative_to(base)
    return path.relative_to(base).as_posix() if inside else path.absolute().as_posix()
