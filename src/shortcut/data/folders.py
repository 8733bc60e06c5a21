"""Labels read from where pictures lie: part folders, class folders, names that begin with them."""

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from shortcut.data.samples import PARTS, Sample, Source
from shortcut.errors import DataError

PART_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What people call a part, in lower case, and what it is called here."""

PICTURE_ENDINGS = frozenset(
    ("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "avif")
)

Pair = tuple[Path, str]
"""A picture and its label."""

# `cat.4001`, `dog_17`, `golden_retriever-012`, `hot dog (3)`, and the copy `cat.4001 (1)`.
_FLAT_NAME = re.compile(r"(.*?)[\s._-]*\d+(?:\s*\(\d+\))?|(.*?)\s*\(\d+\)", re.DOTALL)
_LETTER = re.compile(r"[^\W\d_]")


def read_folder(root: Path) -> Source:
    """The labelled pictures under `root`, found by listing folders; no picture is opened.

    Three layouts: part folders (`train`, `val`, `test` and their longer names) that hold one of the
    other two; a folder a class, with pictures at any depth; or pictures whose names begin with the
    label and end with a number. Class names are in Unicode form NFC. Links are followed; what is in
    sight in `root` is read in its own place.

    Raises:
        DataError: no such folder, no pictures, fewer than two classes, empty class folders, classes
            that differ only in case or between the parts, pictures and folders mixed, names without
            labels, or a link to a folder that holds `root` itself.
    """
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _fault(root, "no such folder. Give the folder that holds the pictures.") from error
    except OSError as error:
        raise _unreadable(root, error) from error
    if not is_folder:
        raise _fault(root, "is a file. Give the folder that holds the pictures.")
    parts = _part_folders(root) or {"all": root}
    read = {part: _read_part(folder, root) for part, folder in parts.items()}
    kind = next(iter(read.values()))[1]
    return assemble(root.resolve().name, root, kind, {part: read[part][0] for part in read})


def list_pictures(folder: Path) -> list[Path]:
    """All picture files in `folder` at any depth, sorted; labels do not matter.

    Raises:
        DataError: a folder cannot be read, or a link leads to one that holds `folder` itself.
    """
    return sorted(_pictures(folder, folder))


def assemble(name: str, root: Path, kind: str, parts: Mapping[str, Sequence[Pair]]) -> Source:
    """A Source from (path, label) pairs by part: sorted, with class names checked across the parts.

    Raises:
        DataError: fewer than two classes; val and train differ; test has a class that train lacks.
    """
    labels = {part: {label for _, label in pairs} for part, pairs in parts.items()}
    classes = sorted(set[str]().union(*labels.values()))
    _check_parts(root, labels)
    for label in classes:
        if any("\ud800" <= letter <= "\udfff" for letter in label):
            raise _fault(root, f"the class name {label!a} is not valid Unicode; rename it.")
    if len(classes) < 2:
        raise _one_class(root, classes[0])
    samples: dict[str, tuple[Sample, ...]] = {}
    for part in [part for part in ("all", *PARTS) if part in parts]:
        # By the parts of paths, which compare several times faster than these.
        ordered = sorted(parts[part], key=lambda pair: pair[0].parts)
        samples[part] = tuple(Sample(*pair) for pair in ordered)
    return Source(name or "data", root, kind, tuple(classes), samples)


def printable(text: str | Path) -> str:
    """`text` as any terminal and any log can show it on one line: other characters are escaped."""
    return "".join(x if x.isprintable() else ascii(x)[1:-1] for x in str(text))


def _check_parts(root: Path, labels: Mapping[str, set[str]]) -> None:
    if (train := labels.get("train")) is None:
        return
    for part in ("val", "test"):
        if unknown := sorted(labels.get(part, train) - train):
            text = f"{part} has {_named(unknown)} that train lacks. Add pictures of it to train, "
            raise _fault(root, f"{text}or take it out of {part}.")
    if missing := sorted(train - labels.get("val", train)):
        text = f"class missing in val: train has {_named(missing)} that val lacks. Add pictures of "
        raise _fault(root, f"{text}it to val, or remove val and let one be made from train.")


def _one_class(root: Path, only: str) -> DataError:
    inside = root / only
    if inside.is_dir() and len(_listing(inside, root)[0]) > 1:
        only = f"{only!r}, read as one class. Did you mean {printable(inside)}?"
        return _fault(root, f"holds only the folder {only}")
    text = f"only one class ({only!r}). A classifier needs at least two: a folder for each"
    return _fault(root, f"{text}, or names that begin with the label.")


def _part_folders(root: Path) -> dict[str, Path]:
    """Part name to folder, in the order train, val, test; empty where the folders are classes."""
    folders, files = _listing(root, root)
    found: dict[str, Path] = {}
    for folder in folders:
        if (part := PART_NAMES.get(folder.lower())) is None:
            continue
        if part in found:
            text = f"both {found[part].name!r} and {folder!r} mean {part}. Keep one of them."
            raise _fault(root, text)
        found[part] = root / folder
        _check_link(found[part], root)
    if not found:
        return {}
    for folder in folders:
        beside = folder.lower() not in PART_NAMES and not (root / folder).is_symlink()
        if beside and _pictures(root / folder, root):
            part = next(iter(found.values())).name
            text = f"{part!r} is the name of a part and {folder!r} is not. Move {folder!r} away, or"
            raise _fault(root, f"{text}, if both are classes, give {part!r} another name.")
    if files:
        raise _fault(root, "pictures lie beside the part folders. Move them into class folders.")
    return {part: found[part] for part in PARTS if part in found}


def _read_part(folder: Path, root: Path) -> tuple[list[Pair], str]:
    """(path, label) pairs of one part, and how the labels were found."""
    folders, files = _listing(folder, root)
    _check_twins(folder, folders)
    pictures = {name: _pictures(folder / name, root) for name in folders}
    if files and any(pictures.values()):
        text = f"pictures ({files[0]!r} ...) and class folders ({folders[0]!r} ...) are mixed."
        raise _fault(folder, f"{text} Move the pictures into class folders.")
    if files:
        return _flat(folder, files), "flat names"
    if not any(pictures.values()):
        raise _fault(folder, f"no pictures found{_seen(folder)}.")
    if empty := [name for name, found in pictures.items() if not found]:
        text = f"no pictures in {_named(empty)}{_seen(folder / empty[0])}."
        raise _fault(folder, f"{text} Add pictures or remove the folder.")
    labels = {name: unicodedata.normalize("NFC", name) for name in folders}
    return [(path, labels[name]) for name in folders for path in pictures[name]], "folders"


def _check_twins(folder: Path, names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(unicodedata.normalize("NFC", name).lower(), name)
        if twin != name:
            text = f"the class folders {twin!a} and {name!a} differ only in case or in the form of "
            raise _fault(folder, f"{text}accents, and are one on macOS and Windows. Rename one.")


def _flat(folder: Path, files: Sequence[str]) -> list[Pair]:
    pairs: list[Pair] = []
    for file in files:
        match = _FLAT_NAME.fullmatch(file.rpartition(".")[0])
        label = (match[1] or match[2] or "") if match else ""
        if not _LETTER.search(label):
            text = f"{len(files):,} pictures but no class folders, and {file!r} gives no label."
            how = "Use CLASS/picture.jpg, or names like 'cat.12.jpg' (label, number)."
            raise _fault(folder, f"found {text} {how}")
        pairs.append((folder / file, unicodedata.normalize("NFC", label)))
    labels = {label for _, label in pairs}
    # Hashes and dates as names also match; then nearly every picture is a class of its own.
    if len(labels) > max(10, len(files) // 2):
        text = f"the names of {len(files):,} pictures give {len(labels):,} labels ({pairs[0][1]!r} "
        how = "Use a folder for each class, or names like 'cat.12.jpg'."
        raise _fault(folder, f"{text}...). {how}")
    return pairs


def _pictures(folder: Path, root: Path) -> list[Path]:
    """Paths of all pictures at any depth. Each folder is entered once, so links may form loops."""
    waiting, found = [folder], list[Path]()
    visited: set[tuple[int, int]] = set()
    while waiting:
        current = waiting.pop()
        elsewhere = current != root and _check_link(current, root)
        if elsewhere or (identity := _identity(current)) in visited:
            continue
        visited.add(identity)
        folders, files = _listing(current, root)
        found += [current / file for file in files]
        waiting += [current / name for name in reversed(folders)]
    return found


def _listing(folder: Path, root: Path) -> tuple[list[str], list[str]]:
    """Names of the visible folders and of the picture files in `folder`, each sorted."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                if _is_folder(entry):
                    folders.append(entry.name)
                elif _ending(entry.name) in PICTURE_ENDINGS and _counts(entry, root):
                    files.append(entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from error
    return sorted(folders), sorted(files)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to where one may not look
        return False


def _counts(entry: os.DirEntry[str], root: Path) -> bool:
    """Pipes, sockets and devices are not pictures, and a link to one in sight is read there."""
    if not entry.is_symlink():
        return entry.is_file()
    try:
        is_file = stat.S_ISREG(entry.stat().st_mode)
    # A broken link counts, so that decoding names it and it is not lost in silence.
    except OSError:
        return True
    in_sight = _place(entry.path, root) == "in sight"
    return is_file and not (in_sight and _ending(os.path.realpath(entry.path)) in PICTURE_ENDINGS)


def _check_link(folder: Path, root: Path) -> bool:
    """Whether `folder` is a link to one in sight; one around `root` could be the whole disk."""
    if not folder.is_symlink():
        return False
    if (place := _place(folder, root)) == "around":
        text = f"is a link to {printable(folder.resolve())}, which holds {printable(root)} itself."
        raise _fault(folder, f"{text} Remove the link.")
    return place == "in sight"


def _place(link: str | Path, root: Path) -> str:
    """Where a link leads: outside of `root`, around it, or to what is hidden or in sight there."""
    target, base = os.path.realpath(link).rstrip(os.sep), os.path.realpath(root).rstrip(os.sep)
    if not f"{target}{os.sep}".startswith(f"{base}{os.sep}"):
        return "around" if base.startswith(f"{target}{os.sep}") else "outside"
    steps = Path(target[len(base) + 1 :]).parts
    return "hidden" if any(is_hidden(step) for step in steps) else "in sight"


def is_hidden(name: str) -> bool:
    """Whether it is passed over; other litter (`Thumbs.db`) does not end as pictures do."""
    return name.startswith(".") or name.lower() == "__macosx"


def _seen(folder: Path) -> str:
    """The endings that lie there in place of pictures, for an error message."""
    found: Counter[str] = Counter()
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.update(_ending(file) for file in files if not file.startswith("."))
    strange = [(ending, n) for ending, n in found.most_common() if ending not in PICTURE_ENDINGS]
    names = ", ".join(f"{count} x .{printable(ending)}" for ending, count in strange[:3] if ending)
    return f" (seen: {names}; convert them to JPEG or PNG)" if names else ""


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _identity(folder: Path) -> tuple[int, int]:
    try:
        return (at := folder.stat()).st_dev, at.st_ino
    except OSError as error:
        raise _unreadable(folder, error) from error


def _named(classes: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in classes[:5])
    rest = f" and {len(classes) - 5} more" if len(classes) > 5 else ""
    return ("class " if len(classes) == 1 else f"{len(classes)} classes ") + shown + rest


def _unreadable(folder: Path, error: OSError) -> DataError:
    return _fault(folder, f"the folder cannot be read ({error.strerror}). Check its permissions.")


def _fault(place: Path, text: str) -> DataError:
    return DataError(f"{printable(place)}: {text}")
