"""Labels read from a CSV file of path, label and, where it has one, part."""

import csv
import difflib
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from shortcut.data.folders import PART_NAMES, Pair, assemble
from shortcut.data.samples import Source
from shortcut.errors import DataError

_PATH_COLUMNS = ("path", "file", "filename", "image")
_LABEL_COLUMNS = ("label", "class")


def read_table(path: Path) -> Source:
    """The labelled pictures that a CSV file lists; no picture is opened.

    The first row names the columns: `path` (or `file`, `filename`, `image`), `label` (or `class`)
    and, if wanted, `split` (train, val or test). Paths are relative to the folder of the CSV
    file. Commas, semicolons and tabs separate; the text is UTF-8. A row that repeats another
    counts once. Row numbers in messages count the header as row 1, as spreadsheets do.

    Raises DataError: a column, file or label is missing, a part is unknown, a file is listed with
    two labels or in two parts, or the classes do not suit a classifier (see `folders.assemble`).
    """
    header, rows = _read_rows(path)
    file_column = _column(path, header, _PATH_COLUMNS)
    label_column = _column(path, header, _LABEL_COLUMNS)
    split_column = header.index("split") if "split" in header else None
    seen: dict[Path, tuple[str, str]] = {}
    missing: list[tuple[int, str]] = []
    for number, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}: row {number} has {len(row)} fields, the header {len(header)}. "
                "Put names that hold the separator in double quotes."
            )
        file = _resolve(path.parent, row[file_column].strip())
        label = unicodedata.normalize("NFC", row[label_column].strip())
        if not label:
            raise DataError(f"{path}: row {number} has no label. Fill it in or remove the row.")
        part = "all" if split_column is None else _part(path, number, row[split_column])
        if seen.setdefault(file, (label, part)) != (label, part):
            raise DataError(
                f"{path}: row {number} lists {row[file_column]!r} a second time, with another "
                "label or part. Keep one of the rows."
            )
        if not file.is_file():
            missing.append((number, row[file_column]))
    _check_files(path, missing, len(rows))
    parts: dict[str, list[Pair]] = {}
    for file, (label, part) in seen.items():
        parts.setdefault(part, []).append((file, label))
    return assemble(path.stem, path, "csv", parts)


def read_column(path: Path, name: str) -> dict[Path, str]:
    """What a column of such a table says of each picture.

    Raises:
        DataError: there is no such column, or the table cannot be read.
    """
    header, rows = _read_rows(path)
    file_column = _column(path, header, _PATH_COLUMNS)
    wanted = _column(path, header, (name.strip().lower(),))
    whole = (row for _, row in rows if len(row) == len(header))
    return {_resolve(path.parent, row[file_column].strip()): row[wanted].strip() for row in whole}


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header in lower case, and the rows that are not blank with their numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            # Spreadsheets set to a language with decimal commas write semicolons.
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count))
            rows = [(number, row) for number, row in enumerate(reader, 1) if any(row)]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text. Save it as 'CSV UTF-8'.") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: the CSV file cannot be read ({error}).") from error
    if len(rows) < 2:
        raise DataError(f"{path}: has no rows. It needs a header 'path,label' and a row a picture.")
    return [name.strip().lower() for name in rows[0][1]], rows[1:]


def _column(path: Path, header: Sequence[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    near = [
        close for seen in header for close in difflib.get_close_matches(seen, names, 1, cutoff=0.6)
    ]
    meant = f" Did you mean {near[0]!r}?" if near else ""
    first, *others = names
    also = f" (or {', '.join(others)})" if others else ""
    raise DataError(
        f"{path}: no column {first!r}{also}; the columns are {', '.join(header)}.{meant}"
    )


def _resolve(folder: Path, name: str) -> Path:
    # Tables written on Windows hold backslashes, which no other system uses in names of pictures.
    return folder / name.replace("\\", "/")


def _part(path: Path, number: int, value: str) -> str:
    part = PART_NAMES.get(value.strip().lower())
    if part is None:
        raise DataError(f"{path}: row {number} has the split {value!r}. Use train, val or test.")
    return part


def _check_files(path: Path, missing: Sequence[tuple[int, str]], rows: int) -> None:
    if missing:
        number, name = missing[0]
        raise DataError(
            f"{path}: {len(missing):,} of {rows:,} files are missing; the first is {name!r} in "
            f"row {number}. Paths are relative to {path.parent}."
        )
