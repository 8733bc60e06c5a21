"""Lists of changes to a data set: CSV files that people can read and edit, and take back. Nothing
in the data folder is touched; a training that is given the list does without, or under another
label."""

import csv
import io
from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path

from shortcut.data.samples import Sample, Source
from shortcut.data.splits import portable_path
from shortcut.disk import reason_of
from shortcut.errors import DataError

COLUMNS = ("path", "action", "class")
"""`action` is `keep`, `drop` or `move`, and `class` where it moves to; without these two columns
every picture on the list is dropped."""


def exclusion_table(reasons: Mapping[Path, str], root: Path) -> bytes:
    """A list of pictures to drop, as CSV text: a row a picture, its path as in a split, and why."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["path", "reason"])
    writer.writerows([portable_path(path, root), why] for path, why in sorted(reasons.items()))
    return table.getvalue().encode("utf-8", "surrogateescape")


def apply_changes(source: Source, file: Path) -> tuple[Source, dict[str, int]]:
    """`source` with the changes on a list, and how many pictures were dropped and moved.

    Raises:
        DataError: the list cannot be read, names a picture or a class that is not in `source`, or
            takes the last picture of a class from the training part.
    """
    known = {portable_path(s.path, source.root) for part in source.parts.values() for s in part}
    wanted = _matched(_read(file), known)
    if strange := sorted(name for name in wanted.keys() - known if wanted[name][0] != "keep"):
        raise DataError(
            f"{file}: {len(strange):,} of {len(wanted):,} pictures are not in {source.root}: "
            f"{', '.join(strange[:3])}. Is it the list of another data set?"
        )
    classes = {to for action, to in wanted.values() if action == "move"}
    if unknown := sorted(classes - set(source.classes)):
        raise DataError(
            f"{file}: moves pictures to {', '.join(unknown[:3])}, which is no class here. "
            f"Classes: {', '.join(source.classes[:10])}."
        )
    counts = {"drop": 0, "move": 0}
    parts: dict[str, tuple[Sample, ...]] = {}
    for part, samples in source.parts.items():
        kept = list[Sample]()
        for sample in samples:
            action, to = wanted.get(portable_path(sample.path, source.root), ("keep", ""))
            moves = action == "move" and to != sample.label
            counts["drop"] += action == "drop"
            counts["move"] += moves
            if action != "drop":
                kept.append(replace(sample, label=to) if moves else sample)
        parts[part] = tuple(kept)
    for part in parts.keys() & {"train", "all"}:
        if gone := set(source.classes) - {sample.label for sample in parts[part]}:
            raise DataError(f"{file}: leaves no picture of {', '.join(sorted(gone))} in {part}.")
    return replace(source, parts={part: found for part, found in parts.items() if found}), counts


def _matched(wanted: dict[str, tuple[str, str]], known: Set[str]) -> dict[str, tuple[str, str]]:
    """With the paths that `source` gives its pictures. The list may be of the folder and `source` a
    table that lies elsewhere, which calls `cat/1.jpg` `../photos/cat/1.jpg`."""
    if not wanted.keys() - known:
        return wanted
    endings: dict[str, list[str]] = {}
    for path in known:
        endings.setdefault(path.rpartition("/")[2], []).append(path)
    found: dict[str, tuple[str, str]] = {}
    for path, choice in wanted.items():
        alike = endings.get(path.rpartition("/")[2], [])
        longer = [other for other in alike if other.endswith(f"/{path}")]
        found[longer[0] if path not in known and len(longer) == 1 else path] = choice
    return found


def describe_changes(counts: Mapping[str, int], file: Path) -> str:
    """One line for the person."""
    moved = f", {counts['move']:,} have another label" if counts["move"] else ""
    return f"{counts['drop']:,} pictures are left out{moved}, as {file} says"


def holds_choices(file: Path) -> bool:
    """Whether a file is there that somebody may have made choices in."""
    if not file.exists():
        return False
    try:
        return any(action != "keep" for action, _ in _read(file).values())
    except DataError:
        return True


def _read(file: Path) -> dict[str, tuple[str, str]]:
    """Action and class of each path."""
    try:
        text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except (OSError, csv.Error) as error:
        reason = reason_of(error)
        raise DataError(f"{file}: the list of changes cannot be read ({reason}).") from error
    head = [name.strip().lower() for name in rows[0]] if rows else []
    if head[:1] != ["path"]:
        raise DataError(f"{file}: is no list of changes: its first row must begin with 'path'.")
    if head[1:2] != ["action"]:
        return {row[0]: ("drop", "") for row in rows[1:]}
    found: dict[str, tuple[str, str]] = {}
    for number, row in enumerate(rows[1:], 2):
        action = row[1].strip().lower() if len(row) > 1 else ""
        if action not in ("keep", "drop", "move") or (action == "move" and len(row) < 3):
            raise DataError(
                f"{file}: row {number} does not say `keep`, `drop`, or `move` and a class."
            )
        found[row[0]] = action, row[2] if action == "move" else ""
    return found
