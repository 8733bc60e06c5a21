"""Findings about numbers: classes that are tiny, missing or out of proportion, and too few pictures
to measure on."""

from collections import Counter

from shortcut.checks.findings import Example, Finding, found
from shortcut.checks.wording import FEW, MISSING, TINY, UNEVEN
from shortcut.data.samples import Source
from shortcut.metrics import wilson_interval

ENOUGH_TO_TRAIN = 50
"""Pictures of a class, from scratch or not: below, single pictures decide."""
ENOUGH_TO_MEASURE = 400
"""With so many and 90 % right, the 95 % interval is 6 points wide."""
UNEVEN_FROM = 5
"""The largest class against the smallest."""


def check_counts(source: Source) -> list[Finding]:
    """What the numbers of pictures by part and class tell."""
    counts = {part: Counter(s.label for s in samples) for part, samples in source.parts.items()}
    training = counts.get("train", counts.get("all", Counter()))
    return [*_missing(counts), *_tiny(training), *_uneven(training), *_few(counts)]


def _missing(counts: dict[str, Counter[str]]) -> list[Finding]:
    classes = sorted(set[str]().union(*counts.values()))
    lacking = [(label, part) for label in classes for part in counts if not counts[part][label]]
    return found(
        MISSING,
        [Example((), (f"`{c}` is not in {part}", f"{part} 中没有 `{c}`")) for c, part in lacking],
    )


def _tiny(training: Counter[str]) -> list[Finding]:
    few = [(label, count) for label, count in training.items() if count < ENOUGH_TO_TRAIN]
    return found(TINY, [Example((), (f"`{c}` has {n}", f"`{c}` 有 {n} 张")) for c, n in few])


def _uneven(training: Counter[str]) -> list[Finding]:
    if not training or max(training.values()) < UNEVEN_FROM * min(training.values()):
        return []
    (most, many), (least, few) = training.most_common()[0], training.most_common()[-1]
    words = (
        f"`{most}` has {many:,}, `{least}` {few:,}",
        f"`{most}` {many:,} 张，`{least}` {few:,} 张",
    )
    return found(UNEVEN, [Example((), words)])


def _few(counts: dict[str, Counter[str]]) -> list[Finding]:
    examples = list[Example]()
    for part in ("test", "val"):
        if 0 < (images := counts.get(part, Counter()).total()) < ENOUGH_TO_MEASURE:
            low, high = wilson_interval(round(0.9 * images), images)
            words = (
                f"{part} has {images}: 90 % right would mean {low:.0%} to {high:.0%}",
                f"{part} 有 {images} 张：90% 正确意味着 {low:.0%} 到 {high:.0%}",
            )
            examples.append(Example((), words))
    return found(FEW, examples)
