"""Findings about pictures that stand in the set more than once: leaks between the parts, two labels
for one picture, surplus copies."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from shortcut.checks.findings import Example, Finding, found
from shortcut.checks.wording import CONFLICT, COPIES, LEAK, MIRRORED
from shortcut.data.copies import Pair, group_copies
from shortcut.data.looks import Look
from shortcut.language import Text

MEASURED = ("test", "val")
"""Parts whose pictures stay where a copy stands in training: they are what is measured on."""


def check_copies(
    looks: Sequence[Look], parts: Mapping[Path, str], pairs: Sequence[Pair]
) -> list[Finding]:
    """What the pairs mean.

    Args:
        looks: which the positions in `pairs` count.
        parts: of each file.
    """
    # A mirror image of another class may be another thing: a left hand, an arrow, a letter.
    turned = [pair for pair in pairs if pair.mirrored and not _same_label(looks, pair)]
    pairs = [pair for pair in pairs if not pair.mirrored or _same_label(looks, pair)]
    leaks, conflicts, copies = list[Example](), list[Example](), list[Example]()
    out: dict[str, list[Path]] = {"leak": [], "conflict": [], "copies": []}
    for group, words in _words_by_group(pairs).items():
        members = sorted((looks[i] for i in group), key=lambda look: _order(look, parts))
        files = tuple(look.sample.path for look in members)
        example = Example(files, words)
        if len({parts[file] for file in files}) > 1:
            leaks.append(example)
            out["leak"] += [file for file in files if parts[file] != parts[files[0]]]
        if len({look.sample.label for look in members}) > 1:
            conflicts.append(example)
            out["conflict"] += [file for file in files if parts[file] not in MEASURED]
        elif surplus := _surplus(files, parts):
            copies.append(example)
            out["copies"] += surplus
    mirrored = [
        Example((looks[p.first].sample.path, looks[p.second].sample.path), _words(p))
        for p in turned
    ]
    return [
        *found(LEAK, leaks, count=len(out["leak"]), exclude=out["leak"]),
        *found(CONFLICT, conflicts, exclude=out["conflict"]),
        *found(COPIES, copies, count=len(out["copies"]), exclude=out["copies"]),
        *found(MIRRORED, mirrored),
    ]


def _same_label(looks: Sequence[Look], pair: Pair) -> bool:
    return looks[pair.first].sample.label == looks[pair.second].sample.label


def _order(look: Look, parts: Mapping[Path, str]) -> tuple[int, int, Path]:
    """Who stays: what is measured on, then the largest, then by name."""
    part = parts[look.sample.path]
    rank = MEASURED.index(part) if part in MEASURED else len(MEASURED)
    return rank, -look.width * look.height, look.sample.path


def _surplus(files: Sequence[Path], parts: Mapping[Path, str]) -> list[Path]:
    """All but the first of each part."""
    seen = set[str]()
    surplus = list[Path]()
    for file in files:
        if parts[file] in seen:
            surplus.append(file)
        seen.add(parts[file])
    return surplus


def _words_by_group(pairs: Sequence[Pair]) -> dict[tuple[int, ...], Text]:
    """How the members of each group are alike: as the least alike of its pairs."""
    groups = group_copies(pairs)
    where = {position: group for group in groups for position in group}
    least: dict[tuple[int, ...], Pair] = {}
    for pair in sorted(pairs, key=lambda pair: -pair.likeness):
        least[where[pair.first]] = pair
    return {group: _words(pair) for group, pair in least.items()}


def _words(pair: Pair) -> Text:
    if pair.likeness == 1.0:
        return "equal", "完全相同"
    how = ("mirrored, ", "镜像，") if pair.mirrored else ("", "")
    share = f"{pair.likeness:.1%}"
    return f"{how[0]}alike to {share}", f"{how[1]}相似度 {share}"
