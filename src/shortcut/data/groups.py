"""Pictures that belong on one side of a split: copies of each other, of one folder, one name, one
row of a table, or taken within some seconds; and parts that do not tear them apart."""

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from shortcut.data.copies import Pair, group_copies
from shortcut.data.decode import taken_at
from shortcut.data.samples import Sample
from shortcut.data.tables import read_column
from shortcut.errors import DataError, RecipeError

FINEST = 20
"""A share is rounded to a fraction of at most so many parts: 5 % and more are exact."""


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
    as the groups allow.

    Raises:
        DataError: there are too few groups.
    """
    part = Fraction(share).limit_denominator(FINEST)
    if part in (0, 1):
        raise RecipeError(f"a share of {share} is nothing or all of the pictures.")
    folds = fold_out(labels, groups, part.denominator, seed)
    return [fold < part.numerator for fold in folds]


def fold_out(labels: Sequence[str], groups: Sequence[int], count: int, seed: int) -> list[int]:
    """The fold of each picture, 0 to `count` - 1; groups are whole, classes alike in each.

    Raises:
        DataError: there are fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if len(set(groups)) < count:
        raise DataError(
            f"{len(set(groups))} group(s) of pictures cannot be shared out to {count} folds: give "
            "fewer folds, or another `--group-by`."
        )
    folds = [0] * len(labels)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class of few pictures is not in every fold
        warnings.filterwarnings("ignore", "The least populated class")
        for fold, (_, chosen) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
            for position in chosen.tolist():
                folds[position] = fold
    return folds


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
