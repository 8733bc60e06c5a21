"""Which pictures are fair to all: those that every run held back, and none that any was trained
on."""

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shortcut.comparison.entries import Entry
from shortcut.comparison.wording import (
    Text,
    chosen_by,
    gone,
    left_out,
    not_everywhere,
    other_labels,
    unknown_training,
)
from shortcut.data.samples import Sample
from shortcut.data.sources import choose_part, default_cache, reading_source
from shortcut.data.splits import Listed
from shortcut.disk import digest_of_file
from shortcut.errors import DataError
from shortcut.events import Event, Progress

Part = Literal["auto", "train", "val", "test", "all"]


@dataclass(frozen=True)
class Chosen:
    """The pictures to compare on."""

    part: str
    place: Path
    """The data they are of; names of files are told relative to it."""
    samples: tuple[Sample, ...]
    remarks: tuple[Text, ...]
    """What was left out, and how far the figures can be trusted."""


def choosing_common(entries: Sequence[Entry]) -> Generator[Event, None, Chosen]:
    """The pictures that all runs hold in their test part; where there are none, in their val part.

    Raises:
        DataError: there are none either way, or a model file is of no run.
    """
    for entry in entries:
        if entry.facts is None:
            raise DataError(
                f"{entry.model}: is of no run folder, so it has no pictures held back; give "
                "`--data` with labelled pictures that it has not seen."
            )
        if all(one.size_now < 0 for one in entry.listed):
            raise DataError(
                f"{entry.name}: its pictures are no longer at {entry.facts.data_root}; put them "
                "back, or give `--data` with others."
            )
    place = Path(entries[0].facts.data_root if entries[0].facts else "")
    for part in ("test", "val"):
        held = [_held(entry, part) for entry in entries]
        samples = [
            sample
            for file, sample in held[0].items()
            if all(file in each and each[file].label == sample.label for each in held[1:])
        ]
        fair, remarks = yield from _leaving_out(entries, samples)
        if fair:
            total = len(set[Path]().union(*held))
            if total > len(samples):
                remarks.insert(0, not_everywhere(part, total - len(samples)))
            if lost := _lost(entries, part):
                remarks.insert(0, gone(part, lost))
            remarks += [*_flattered(entries, fair), *_relabelled(entries)]
            return Chosen(part, place, fair, tuple(remarks))
    raise DataError(
        f"{' and '.join(entry.name for entry in entries)} hold no picture in common in test or val "
        "that none of them was trained on; give `--data` with labelled pictures that are new to "
        "all of them."
    )


def choosing_given(
    entries: Sequence[Entry], data: str | Path, part: Part, *, download: bool = False
) -> Generator[Event, None, Chosen]:
    """The pictures of `data`, but for those that any run was trained on.

    Raises:
        DataError: there are none left, or whatever is wrong with the data.
    """
    source = yield from reading_source(data, cache=default_cache(), download=download)
    name, given = choose_part(source, part)
    fair, remarks = yield from _leaving_out(entries, given)
    if not fair:
        raise DataError(
            f"{source.root}: of its {len(given):,} pictures there is none that no run was trained "
            "on; give others."
        )
    unknown = [unknown_training(entry.name) for entry in entries if entry.facts is None]
    remarks += [*_flattered(entries, fair), *_relabelled(entries), *unknown]
    return Chosen(name, source.root, fair, tuple(remarks))


def _held(entry: Entry, part: str) -> dict[Path, Sample]:
    """The pictures of a part that are still there, in its order, by the files that they are."""
    there = (one for one in entry.listed if one.part == part and one.size_now >= 0)
    return {_real(one.sample.path): one.sample for one in there}


def _lost(entries: Sequence[Entry], part: str) -> int:
    """How many pictures of a part are not there any more."""
    listed = (one for entry in entries for one in entry.listed)
    return len({_real(x.sample.path) for x in listed if x.part == part and x.size_now < 0})


def _leaving_out(
    entries: Sequence[Entry], samples: Sequence[Sample]
) -> Generator[Event, None, tuple[tuple[Sample, ...], list[Text]]]:
    """The samples without those that were trained on, and a remark on each run that was."""
    known: set[Path] = set()
    remarks = list[Text]()
    digests: dict[Path, str] = {}
    for entry in entries:
        trained = [one for one in entry.listed if one.part == "train"]
        seen = yield from _finding_seen(samples, trained, digests)
        if seen:
            remarks.append(left_out(entry.name, len(seen)))
        known |= seen
    return tuple(sample for sample in samples if sample.path not in known), remarks


def _finding_seen(
    samples: Sequence[Sample], trained: Sequence[Listed], digests: dict[Path, str]
) -> Generator[Event, None, set[Path]]:
    """Which of the samples were trained on: the same file, or a copy of it, equal to the last byte.

    Where the file is gone, one of the same size with the same name in a folder of the same name
    is taken for it: to leave out one too many does no harm.
    """
    files = {_real(one.sample.path) for one in trained}
    seen = {sample.path for sample in samples if _real(sample.path) in files}
    sizes = {sample.path: _size(sample.path) for sample in samples if sample.path not in seen}
    wanted = set(sizes.values())
    alike = [one for one in trained if one.size in wanted]
    contents, named = set[str](), set[tuple[int, str]]()
    for done, one in enumerate(alike, 1):
        if one.size_now == one.size:
            contents.add(_digest(one.sample.path, digests))
        else:
            named.add((one.size, _name(one.sample.path)))
        yield Progress("comparing files", done, len(alike))
    wanted = {one.size for one in alike}
    for path, size in sizes.items():
        same = size in wanted and _digest(path, digests) in contents
        if same or (size, _name(path)) in named:
            seen.add(path)
    return seen


def _digest(path: Path, digests: dict[Path, str]) -> str:
    if path not in digests:
        try:
            digests[path] = digest_of_file(path)
        except OSError:  # withheld: no other file is it
            digests[path] = str(path)
    return digests[path]


def _size(path: Path) -> int:
    """In bytes; -1 where it cannot be told, and then it will not be read either."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _relabelled(entries: Sequence[Entry]) -> list[Text]:
    """A remark on runs that were trained with other labels than the first."""
    labels = [
        {_real(one.sample.path): one.sample.label for one in entry.listed} for entry in entries
    ]
    remarks = list[Text]()
    for entry, theirs in zip(entries[1:], labels[1:], strict=True):
        both = labels[0].keys() & theirs.keys()
        if count := sum(labels[0][path] != theirs[path] for path in both):
            remarks.append(other_labels(entries[0].name, entry.name, count))
    return remarks


def _flattered(entries: Sequence[Entry], samples: Sequence[Sample]) -> list[Text]:
    """A remark on the runs whose best epochs some of the pictures chose."""
    files = {_real(sample.path) for sample in samples}
    names: dict[int, list[str]] = {}
    for entry in entries:
        if entry.facts and (chose := _held(entry, entry.facts.measured_on).keys() & files):
            names.setdefault(len(chose), []).append(entry.name)
    return [
        chosen_by(runs, count, len(files), all_runs=len(runs) == len(entries))
        for count, runs in names.items()
    ]
