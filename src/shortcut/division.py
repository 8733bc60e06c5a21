"""A data set divided into parts, or into folds, so that copies and groups stay on one side."""

import csv
import io
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shortcut.data.folders import printable
from shortcut.data.groups import Rule, find_groups, fold_out, share_out
from shortcut.data.looks import finding_copies, looking
from shortcut.data.samples import Sample, Source
from shortcut.disk import digest_of_file, reason_of
from shortcut.errors import DataError, RecipeError
from shortcut.events import Event, Notice, Progress

COLUMNS = ["path", "class", "split", "group", "hash"]


@dataclass(frozen=True)
class Plan:
    """How much of the data goes where."""

    test: float = 0.2
    """Share of all; a test part that the data has stays as it is."""
    val: float = 0.1
    """Share of the pictures that are not in test."""
    folds: int = 0
    """So many divisions, each with another fold as val; 0 makes one division."""
    seed: int = 0


@dataclass(frozen=True)
class Division:
    """Which picture is in which part."""

    name: str
    """Of the data set; of a fold with its number."""
    parts: dict[str, tuple[Sample, ...]]
    groups: dict[Path, int]
    """The group of each picture, counted from 1."""

    def table(self, folder: Path) -> Generator[Progress, None, bytes]:
        """As CSV text: path, class, split, group and SHA-256 of each file.

        Args:
            folder: where the file will lie; paths are relative to it.
        """
        text = io.StringIO()
        # csv leaves a lone carriage return bare before Python 3.13, and then cannot read it back.
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        rows = [(part, sample) for part, chosen in self.parts.items() for sample in chosen]
        for _, sample in rows:
            if not _is_unicode(sample.path):
                raise DataError(f"{printable(sample.path)}: the name is not Unicode; rename it.")
        for done, (part, sample) in enumerate(rows, 1):
            facts = sample.label, part, self.groups[sample.path], _digest(sample.path)
            writer.writerow([_beside(sample.path, folder), *facts])
            yield Progress("reading files", done, len(rows))
        return text.getvalue().encode()


def name_divisions(source: Source, plan: Plan) -> list[str]:
    """What the divisions of `source` will be called.

    Raises:
        RecipeError: a number of folds that cannot be.
    """
    if plan.folds == 1 or plan.folds < 0:
        raise RecipeError(f"{plan.folds} folds: give 2 or more, or none.")
    return [f"{source.name}-{number}" for number in range(1, plan.folds + 1)] or [source.name]


def dividing(
    source: Source, plan: Plan, *, rules: Sequence[Rule] = (), anew: bool = False
) -> Generator[Event, None, list[Division]]:
    """Divide the pictures of `source`; nothing there is changed.

    Args:
        rules: what belongs on one side, besides copies.
        anew: parts that the data has do not count.

    Raises:
        DataError: too few groups, or whatever is wrong with the data.
        RecipeError: shares that cannot be.
    """
    names = name_divisions(source, plan)
    given = () if anew else source.parts.get("test", ())
    samples = [sample for chosen in source.parts.values() for sample in chosen]
    looks = yield from looking(samples, threads=os.cpu_count() or 1)
    for look in looks:
        if look.problem:
            yield Notice(f"left out: {look.problem}")
    seen = [look for look in looks if not look.problem]
    if not seen:
        raise DataError(f"{source.root}: no picture can be read.")
    pairs = yield from finding_copies(seen)
    samples = [look.sample for look in seen]
    table = source.root if source.kind == "csv" else None
    groups = find_groups(samples, rules, pairs, table)
    inside = _choose_test(samples, groups, set(given), plan)
    torn = {group for group, chosen in zip(groups, inside, strict=True) if chosen}
    rest = [i for i, group in enumerate(groups) if group not in torn]
    if lost := len(samples) - len(rest) - sum(inside):
        yield Notice(
            f"left out: {lost:,} pictures that are copies, or of a group, of test pictures"
        )
    chosen = {"test": [s for s, held in zip(samples, inside, strict=True) if held]}
    numbers = {s.path: group + 1 for s, group in zip(samples, groups, strict=True)}
    return [
        Division(name, _ordered(parts | chosen), numbers)
        for name, parts in zip(names, _divide(source, samples, groups, rest, plan), strict=True)
    ]


def _choose_test(
    samples: Sequence[Sample], groups: Sequence[int], given: set[Sample], plan: Plan
) -> list[bool]:
    if given:
        return [sample in given for sample in samples]
    if plan.test == 0:
        return [False] * len(samples)
    chosen = share_out([sample.label for sample in samples], groups, plan.test, plan.seed)
    if not any(chosen):
        raise DataError("all pictures of a class are one group: there is none to test on.")
    return chosen


def _divide(
    source: Source,
    samples: Sequence[Sample],
    groups: Sequence[int],
    rest: Sequence[int],
    plan: Plan,
) -> Generator[dict[str, list[Sample]]]:
    """The train and val pictures of each division of `rest`."""
    labels, owners = [samples[i].label for i in rest], [groups[i] for i in rest]
    if plan.folds:
        folds = fold_out(labels, owners, plan.folds, plan.seed)
        held = [[fold == number for fold in folds] for number in range(plan.folds)]
    elif plan.val == 0:
        held = [[False] * len(rest)]
    else:
        held = [share_out(labels, owners, plan.val, plan.seed)]
    for chosen in held:
        parts: dict[str, list[Sample]] = {"train": [], "val": []}
        for position, is_val in zip(rest, chosen, strict=True):
            parts["val" if is_val else "train"].append(samples[position])
        _check_classes(source, parts, ["train", "val"] if plan.folds or plan.val else ["train"])
        yield parts


def _check_classes(source: Source, parts: dict[str, list[Sample]], wanted: Sequence[str]) -> None:
    """Refuse what a training would: a class that is in train or in val alone."""
    for part in wanted:
        lacking = sorted(set(source.classes) - {sample.label for sample in parts[part]})
        if lacking:
            raise DataError(
                f"{source.root}: {part} would have no picture of {', '.join(lacking[:5])}: there "
                "are too few groups of it. Add pictures, or group or divide them otherwise."
            )


def _ordered(parts: dict[str, list[Sample]]) -> dict[str, tuple[Sample, ...]]:
    return {
        part: tuple(sorted(chosen, key=lambda sample: sample.path.parts))
        for part, chosen in parts.items()
        if chosen
    }


def _beside(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()


def _is_unicode(path: Path) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in str(path))


def _digest(path: Path) -> str:
    try:
        return digest_of_file(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason_of(error)}).") from error
