"""Findings about folders: what a training would refuse, and what it would pass over in silence."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from shortcut.checks.findings import Example, Finding, Kind, found
from shortcut.checks.wording import EMPTY, HIDDEN, LAYOUT, STRANGERS, TWINS
from shortcut.data.folders import PART_NAMES, PICTURE_ENDINGS, is_hidden, list_pictures
from shortcut.data.samples import Sample, Source
from shortcut.errors import DataError

FOREIGN_ENDINGS = {
    *("heic", "heif", "jp2", "j2k", "jxl", "psd", "svg", "eps", "ico", "tga"),
    *("dng", "nef", "arw", "cr2", "cr3", "orf", "rw2", "raf", "mp4", "mov", "avi"),
}
"""Of pictures and films that are not read."""
_NUMBER = re.compile(r"[\s._-]*\d.*$", re.DOTALL)


def read_anyhow(root: Path, refusal: DataError) -> tuple[Source, list[Finding]]:
    """The pictures below a folder that a training refuses, so that all else that is wrong with it
    can be told at once.

    Raises:
        DataError: the refusal itself, where there are no pictures at all.
    """
    if not root.is_dir():
        raise refusal
    folders = [entry for entry in sorted(root.iterdir()) if entry.is_dir()]
    named = {PART_NAMES[f.name.lower()]: f for f in folders if f.name.lower() in PART_NAMES}
    parts = {part: tuple(_samples(folder)) for part, folder in (named or {"all": root}).items()}
    parts = {part: samples for part, samples in parts.items() if samples}
    if not parts:
        raise refusal
    classes = sorted({sample.label for samples in parts.values() for sample in samples})
    source = Source(root.resolve().name, root, "folders", tuple(classes), parts)
    told = str(refusal)
    return source, found(LAYOUT, [Example((), (told, told))])


def check_layout(root: Path) -> list[Finding]:
    """What a walk through the folders shows; links are not followed."""
    hidden, strangers = Counter[str](), list[Example]()
    twins, classes = list[Example](), dict[Path, int]()
    for place, folders, files in os.walk(root):
        here = Path(place).relative_to(root)
        pictures = [file for file in files if _ending(file) in PICTURE_ENDINGS]
        if _is_hidden(here):
            hidden[_first_hidden(here)] += len(pictures)
            continue
        hidden["."] += sum(file.startswith(".") for file in pictures)
        paths = [Path(place) / file for file in files if not file.startswith(".")]
        strangers += [Example((path,)) for path in paths if _is_stranger(path)]
        if _holds_classes(here, folders):
            twins += _twins(folders, here)
            classes |= {here / name: 0 for name in folders if not is_hidden(name)}
        for above in (here, *here.parents):
            if above in classes:
                classes[above] += len(pictures)
    empty = [Example((), (str(name), str(name))) for name, n in classes.items() if not n]
    return [
        *found(TWINS, twins),
        *found(EMPTY, empty),
        *found(STRANGERS, strangers),
        *_counted(HIDDEN, hidden),
    ]


def _holds_classes(here: Path, folders: list[str]) -> bool:
    """Whether the folders in `here`, relative to the root, are classes and not parts."""
    if not here.parts:
        return not any(name.lower() in PART_NAMES for name in folders)
    return len(here.parts) == 1 and here.name.lower() in PART_NAMES


def _samples(folder: Path) -> Iterator[Sample]:
    """Labelled by the first folder below, or by what stands before the number in the name."""
    for path in list_pictures(folder):
        first = path.relative_to(folder).parts[0]
        label = first if path.parent != folder else _NUMBER.sub("", path.stem)
        yield Sample(path, unicodedata.normalize("NFC", label) or "?")


def _twins(folders: list[str], here: Path) -> Iterator[Example]:
    alike: dict[str, list[str]] = {}
    for name in sorted(folders):
        alike.setdefault(unicodedata.normalize("NFC", name).lower(), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            text = ", ".join(f"`{here / name}`" for name in names)
            yield Example((), (text, text))


def _counted(kind: Kind, numbers: Mapping[str, int]) -> list[Finding]:
    numbers = {name: number for name, number in sorted(numbers.items()) if number}
    examples = [Example((), (f"{n:,} x {name}", f"{name}：{n:,}")) for name, n in numbers.items()]
    return found(kind, examples, count=sum(numbers.values()))


def _is_stranger(path: Path) -> bool:
    """Whether a person may take it for a picture: by its ending, or its first bytes where it has
    none."""
    if path.suffix:
        return _ending(path.name) in FOREIGN_ENDINGS
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8")) or start[8:] == b"WEBP"


def _is_hidden(folder: Path) -> bool:
    return any(is_hidden(step) for step in folder.parts)


def _first_hidden(folder: Path) -> str:
    depth = next(i for i, step in enumerate(folder.parts, 1) if is_hidden(step))
    return str(Path(*folder.parts[:depth]))


def _ending(name: str) -> str:
    return Path(name).suffix.lower().lstrip(".")
