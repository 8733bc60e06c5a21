"""Labels read from where pictures lie: part folders, class folders, names that begin with them."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from shortcut.data.samples import PARTS, Sample, Source
from shortcut.errors import DataError

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What people call a part, in lower case, and what it is called here."""

PICTURE_ENDINGS = frozenset(
    ("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "avif")
)

Pair = tuple[Path, str]
"""A picture and its label."""

# What file managers and archives leave behind; names with a leading dot are skipped as well.
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})

# `cat.4001`, `dog_17`, `golden_retriever-012`, `hot dog (3)`, and the copy `cat.4001 (1)`.
_FLAT_NAME = re.compile(r"(.*?)[\s._-]*\d+(?:\s*\(\d+\))?|(.*?)\s*\(\d+\)", re.DOTALL)
_LETTER = re.compile(r"[^\W\d_]")


def read_folder(root: Path) -> Source:
    """The labelled pictures under `root`, found by listing folders; no picture is opened.

    Three layouts: part folders (`train`, `val`, `test` and their longer names) that hold one of the
    other two; a folder a class, with pictures at any depth; or pictures whose names begin with the
    label and end with a number. Links are followed. Class names are in Unicode form NFC.

    Raises DataError: no such folder, no pictures, fewer than two classes, empty class folders,
    pictures and folders mixed, names without labels, or classes that differ between the parts.
    """
    if not root.exists():
        raise DataError(f"{root}: no such folder. Give the folder that holds the pictures.")
    if not root.is_dir():
        raise DataError(f"{root}: is a file. Give the folder that holds the pictures.")
    folders, _ = _listing(root)
    parts = _part_folders(root, folders)
    if not parts:
        samples, kind = _read_part(root, root)
        return assemble(root.resolve().name, root, kind, {"all": samples})
    read = {part: _read_part(folder, root) for part, folder in parts.items()}
    kind = next(iter(read.values()))[1]
    return assemble(root.resolve().name, root, kind, {part: read[part][0] for part in read})


def list_pictures(folder: Path) -> list[Path]:
    """All picture files in `folder` at any depth, sorted; labels do not matter.

    Raises DataError: a folder cannot be read.
    """
    return sorted(_pictures(folder))


def assemble(name: str, root: Path, kind: str, parts: Mapping[str, Sequence[Pair]]) -> Source:
    """A Source from (path, label) pairs by part: sorted, with class names checked across the parts.

    Raises DataError: fewer than two classes in all; val and train hold different classes; test
    holds a class that train lacks (train may hold classes that test lacks).
    """
    labels = {part: {label for _, label in pairs} for part, pairs in parts.items()}
    classes = sorted(set[str]().union(*labels.values()))
    _check_parts(root, labels)
    for label in classes:
        if any("\ud800" <= letter <= "\udfff" for letter in label):
            raise DataError(f"{root}: the class name {label!a} is not valid Unicode; rename it.")
    if len(classes) < 2:
        raise DataError(_one_class(root, classes[0]))
    return Source(
        name=name or "data",
        root=root,
        kind=kind,
        classes=tuple(classes),
        parts={part: _samples(parts[part]) for part in ("all", *PARTS) if part in parts},
    )


def _samples(pairs: Sequence[Pair]) -> tuple[Sample, ...]:
    return tuple(Sample(path, label) for path, label in sorted(pairs))


def _check_parts(root: Path, labels: Mapping[str, set[str]]) -> None:
    train = labels.get("train")
    if train is None:
        return
    for part in ("val", "test"):
        if unknown := sorted(labels.get(part, train) - train):
            raise DataError(
                f"{root}: {part} has {_named(unknown)} that train lacks. "
                f"Add pictures of it to train, or take it out of {part}."
            )
    if missing := sorted(train - labels.get("val", train)):
        raise DataError(
            f"{root}: class missing in val: train has {_named(missing)} that val lacks. "
            "Add pictures of it to val, or remove the val part and let one be made from train."
        )


def _one_class(root: Path, only: str) -> str:
    inside = root / only
    if inside.is_dir() and len(_listing(inside)[0]) > 1:
        return f"{root}: holds only the folder {only!r}, read as one class. Did you mean {inside}?"
    return (
        f"{root}: only one class ({only!r}). A classifier needs at least two: "
        "a folder for each, or names that begin with the label."
    )


def _part_folders(root: Path, folders: Sequence[str]) -> dict[str, Path]:
    """Part name to folder, in the order train, val, test; empty where the folders are classes."""
    found: dict[str, Path] = {}
    for folder in folders:
        part = PART_NAMES.get(folder.lower())
        if part is None:
            continue
        if part in found:
            raise DataError(
                f"{root}: both {found[part].name!r} and {folder!r} mean {part}. Keep one of them."
            )
        found[part] = root / folder
    if not found:
        return {}
    for folder in folders:
        if folder.lower() not in PART_NAMES and _pictures(root / folder, root):
            part = next(iter(found.values())).name
            raise DataError(
                f"{root}: {part!r} is the name of a part and {folder!r} is not. Move {folder!r} "
                f"away, or, if both are classes, give {part!r} another name."
            )
    if _listing(root)[1]:
        raise DataError(
            f"{root}: pictures lie beside the part folders. Move them into class folders of a part."
        )
    return {part: found[part] for part in PARTS if part in found}


def _read_part(folder: Path, root: Path) -> tuple[list[Pair], str]:
    """(path, label) pairs of one part, and how the labels were found."""
    folders, files = _listing(folder)
    pictures = {name: _pictures(folder / name, root, folder) for name in folders}
    if files and any(pictures.values()):
        raise DataError(
            f"{folder}: pictures ({files[0]!r} ...) and class folders ({folders[0]!r} ...) are "
            "mixed. Move the pictures into class folders."
        )
    if files:
        return _flat(folder, files), "flat names"
    if not any(pictures.values()):
        raise DataError(f"{folder}: no pictures found{_seen(folder)}.")
    if empty := [name for name, found in pictures.items() if not found]:
        raise DataError(
            f"{folder}: no pictures in {_named(empty)}{_seen(folder / empty[0])}. "
            "Add pictures or remove the folder."
        )
    return [
        (path, unicodedata.normalize("NFC", name)) for name in folders for path in pictures[name]
    ], "folders"


def _flat(folder: Path, files: Sequence[str]) -> list[Pair]:
    pairs: list[Pair] = []
    for file in files:
        match = _FLAT_NAME.fullmatch(file.rpartition(".")[0])
        label = (match[1] or match[2] or "") if match else ""
        if not _LETTER.search(label):
            raise DataError(
                f"{folder}: the name {file!r} gives no label. Use names like 'cat.12.jpg' "
                "(label, number), or a folder for each class."
            )
        pairs.append((folder / file, unicodedata.normalize("NFC", label)))
    labels = {label for _, label in pairs}
    # Hashes and dates as names also match; then nearly every picture is a class of its own.
    if len(labels) > max(10, len(files) // 2):
        raise DataError(
            f"{folder}: the names of {len(files):,} pictures give {len(labels):,} labels "
            f"({pairs[0][1]!r} ...). Use names like 'cat.12.jpg', or a folder for each class."
        )
    return pairs


def _pictures(folder: Path, *ancestors: Path) -> list[Path]:
    """Paths of all pictures at any depth; each folder is entered once, so links may form loops."""
    visited = {_identity(ancestor) for ancestor in ancestors}
    waiting, found = [folder], list[Path]()
    while waiting:
        current = waiting.pop()
        if _identity(current) in visited:
            continue
        visited.add(_identity(current))
        folders, files = _listing(current)
        found += [current / file for file in files]
        waiting += [current / name for name in folders]
    return found


def _listing(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the visible folders and of the picture files in `folder`, each sorted."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower() in _LITTER:
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                # A broken link counts, so that decoding names it and it is not lost in silence.
                elif _ending(entry.name) in PICTURE_ENDINGS and (
                    entry.is_file() or entry.is_symlink()
                ):
                    files.append(entry.name)
    except OSError as error:
        raise DataError(
            f"{folder}: the folder cannot be read ({error.strerror}). Check its permissions."
        ) from error
    return sorted(folders), sorted(files)


def _seen(folder: Path) -> str:
    """The endings that lie there in place of pictures, for an error message."""
    found: Counter[str] = Counter()
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.update(_ending(file) for file in files if not file.startswith("."))
    names = ", ".join(f"{count} x .{ending}" for ending, count in found.most_common(3) if ending)
    return f" (seen: {names}; convert them to JPEG or PNG)" if names else ""


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _named(classes: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in classes[:5])
    rest = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return ("class " if len(classes) == 1 else f"{len(classes)} classes ") + shown + rest
