"""Pictures that belong on one side of a split: copies of each other, of one folder, one name, one
row of a table, or taken within some seconds; and parts that do not tear them apart."""

import os
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shortcut.data.copies import Pair, group_copies
from shortcut.data.decode import taken_at
from shortcut.data.samples import Sample
from shortcut.data.tables import read_column
from shortcut.errors import DataError, RecipeError


@dataclass(frozen=True)
class Rule:
    """What makes pictures belong together."""

    kind: str
    """`folder`, `name`, `column` or `time`."""
    word: str = ""
    """A regular expression, the name of a column, or seconds."""


def parse_rule(text: str) -> Rule:
    """`folder`, `name:EXPRESSION`, `column:NAME` or `time:SECONDS`.

    Raises:
        RecipeError: it is none of these.
    """
    kind, _, word = text.partition(":")
    if kind == "folder" and not word:
        return Rule(kind)
    if kind == "name" and word:
        try:
            re.compile(word)
        except re.error as error:
            raise RecipeError(f"`{text}`: is no regular expression ({error}).") from error
        return Rule(kind, word)
    if kind == "column" and word:
        return Rule(kind, word)
    if kind == "time" and word.replace(".", "", 1).isdigit():
        return Rule(kind, word)
    raise RecipeError(
        f"`{text}`: pictures are grouped by `folder`, `name:EXPRESSION`, `column:NAME` or "
        "`time:SECONDS`."
    )


def find_groups(
    samples: Sequence[Sample], rules: Sequence[Rule], pairs: Sequence[Pair], table: Path | None
) -> list[int]:
    """The number of each picture's group, counted from 0 in the order of `samples`.

    Args:
        pairs: of copies, by positions in `samples`; whatever chains of rules and copies join is one
            group.
        table: the CSV file that the pictures came from, if they did.

    Raises:
        DataError: a column is asked for that the table does not have, or there is no table.
    """
    joined = list(pairs)
    for rule in rules:
        for members in _by_rule(samples, rule, table):
            joined += [Pair(members[0], other, 1.0) for other in members[1:]]
    where: dict[int, int] = {}
    for group in group_copies(joined):
        where |= dict.fromkeys(group, group[0])
    numbers: dict[int, int] = {}
    return [numbers.setdefault(where.get(i, i), len(numbers)) for i in range(len(samples))]


def share_out(labels: Sequence[str], groups: Sequence[int], share: float, seed: int) -> list[bool]:
    """Which pictures make up `share` of all: whole groups, and of each class the same share as far
    as the groups allow; at least one picture of it, and not its last group.

    Large groups first: each is taken where that brings the classes nearer to their shares.
    scikit-learn's `StratifiedGroupKFold` gives folds of equal size, so a share of 13 % would be one
    of 8; it fails on small classes, and takes minutes for 100,000 pictures of 1,000 classes.
    """
    totals = Counter(labels)
    wanted = {label: max(1.0, share * count) for label, count in totals.items()}
    left = Counter(label for _, counts in _members(labels, groups) for label in counts)
    taken = set[int]()
    for group, counts in _shuffled(labels, groups, seed):
        gain = sum(n * (2 * wanted[c] - n) / totals[c] for c, n in counts.items())
        if gain > 0 and all(left[label] > 1 for label in counts):
            taken.add(group)
            for label, count in counts.items():
                wanted[label] -= count
                left[label] -= 1
    return [group in taken for group in groups]


def fold_out(labels: Sequence[str], groups: Sequence[int], count: int, seed: int) -> list[int]:
    """The fold of each picture, 0 to `count` - 1; groups are whole, classes alike in each: a group
    goes where its classes are rarest so far."""
    totals = Counter(labels)
    held = [Counter[str]() for _ in range(count)]
    fold_of: dict[int, int] = {}
    for group, counts in _shuffled(labels, groups, seed):
        loads = [
            (sum(n * fold[c] / totals[c] for c, n in counts.items()), fold.total()) for fold in held
        ]
        fold_of[group] = chosen = loads.index(min(loads))
        held[chosen].update(counts)
    return [fold_of[group] for group in groups]


def _members(labels: Sequence[str], groups: Sequence[int]) -> list[tuple[int, Counter[str]]]:
    """Each group, and its pictures by class."""
    found: dict[int, Counter[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        found.setdefault(group, Counter())[label] += 1
    return list(found.items())


def _shuffled(
    labels: Sequence[str], groups: Sequence[int], seed: int
) -> list[tuple[int, Counter[str]]]:
    """The large ones first; equals in an order that the seed decides."""
    members = _members(labels, groups)
    random.Random(seed).shuffle(members)
    return sorted(members, key=lambda member: -member[1].total())


def _by_rule(samples: Sequence[Sample], rule: Rule, table: Path | None) -> Iterable[Sequence[int]]:
    if rule.kind == "time":
        return _bursts(samples, float(rule.word))
    keys: list[str | None]
    if rule.kind == "folder":
        keys = [str(sample.path.parent) for sample in samples]
    elif rule.kind == "name":
        keys = [_found(rule.word, sample.path) for sample in samples]
    else:
        if table is None:
            raise DataError(f"there is no table that has a column `{rule.word}`.")
        column = read_column(table, rule.word)
        keys = [column.get(sample.path) for sample in samples]
    groups: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        if key:  # without one a picture stands for itself
            groups.setdefault(key, []).append(position)
    return groups.values()


def _found(expression: str, path: Path) -> str | None:
    """What the expression finds in the name: its first group if it has one."""
    found = re.search(expression, path.stem)
    return (found[1] if found.re.groups else found[0]) if found else None


def _bursts(samples: Sequence[Sample], seconds: float) -> Iterable[Sequence[int]]:
    """Runs of pictures in a folder, each taken at most `seconds` after the one before."""
    known: dict[str, list[tuple[datetime, int]]] = {}
    for position, sample in enumerate(samples):
        if (when := taken_at(sample.path)) is not None:
            known.setdefault(os.fspath(sample.path.parent), []).append((when, position))
    for shots in known.values():
        run: list[int] = []
        before: datetime | None = None
        for when, position in sorted(shots):
            if before and (when - before).total_seconds() > seconds:
                yield run
                run = []
            run.append(position)
            before = when
        yield run
