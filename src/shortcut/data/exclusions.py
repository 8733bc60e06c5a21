"""Lists of pictures that a training does without: CSV files that people can read and edit."""

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from shortcut.data.samples import Source
from shortcut.data.splits import portable_path
from shortcut.errors import DataError

_COLUMNS = ["path", "reason"]


def exclusion_table(reasons: Mapping[Path, str], root: Path) -> bytes:
    """The list as CSV text: a row a picture, its path as in a split, why it should be left out."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    writer.writerows([portable_path(path, root), why] for path, why in sorted(reasons.items()))
    return table.getvalue().encode("utf-8", "surrogateescape")


def leave_out(source: Source, file: Path) -> tuple[Source, int]:
    """`source` without the pictures on a list, and how many these are.

    Raises:
        DataError: the list cannot be read, names a picture that is not in `source`, or takes the
            last one of a class from the training part.
    """
    wanted = _read(file)
    parts = {
        part: tuple(s for s in samples if portable_path(s.path, source.root) not in wanted)
        for part, samples in source.parts.items()
    }
    left = sum(map(len, source.parts.values())) - sum(map(len, parts.values()))
    if left < len(wanted):
        known = {portable_path(s.path, source.root) for part in source.parts.values() for s in part}
        strange = sorted(wanted - known)
        raise DataError(
            f"{file}: {len(strange):,} of {len(wanted):,} pictures are not in {source.root}: "
            f"{', '.join(strange[:3])}. Is it the list of another data set?"
        )
    for part in parts.keys() & {"train", "all"}:
        if gone := set(source.classes) - {sample.label for sample in parts[part]}:
            raise DataError(f"{file}: leaves no picture of {', '.join(sorted(gone))} in {part}.")
    return replace(source, parts={part: found for part, found in parts.items() if found}), left


def _read(file: Path) -> set[str]:
    try:
        text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except (OSError, csv.Error) as error:
        raise DataError(f"{file}: the list of exclusions cannot be read ({error}).") from error
    if not rows or rows[0][0].strip().lower() != "path":
        raise DataError(f"{file}: is no list of exclusions: its first row must begin with 'path'.")
    return {row[0] for row in rows[1:]}
