"""What is said of a comparison, in English and Chinese."""

import math
from collections.abc import Sequence

from shortcut.comparison.significance import Comparison
from shortcut.language import Say, Text, counted

NAMED = 5
"""Of the pictures that cannot be read."""
OF_CLASSIFIERS: Text = (
    "this is about these trained classifiers; a recipe trained again with another seed may differ "
    "as much: to compare recipes, train each several times",
    "这里比较的是这些训练好的分类器；同一配方换个随机种子，差别也可能这么大：要比较配方，请各训练几次",
)
HOLM: Text = (
    "chances are corrected for several comparisons (Holm 1979)",
    "偶然概率已按多重比较校正(Holm 1979)",
)
COSTS: Text = (
    "training seconds are of the machine that trained, not measured here",
    "训练秒数来自训练时的机器，不在这里测量",
)


def verdict(first: str, other: str, found: Comparison, say: Say) -> str:
    """In one sentence, of the other: `b is better than a`, `worse`, or that nobody can tell."""
    images = f"{found.pictures:,}"
    match found.verdict:
        case "better":
            return say(f"{other} is better than {first}", f"{other} 优于 {first}")
        case "worse":
            return say(f"{other} is worse than {first}", f"{other} 不如 {first}")
        case "cannot tell":
            pictures = counted(found.pictures, "picture")
            return (
                say(
                    f"cannot tell with {pictures} whether {other} is better than {first}",
                    f"仅凭 {images} 张图片，无法判断 {other} 是否优于 {first}",
                )
                + _border(found, say)
                + _needed(found, say)
            )


def _border(found: Comparison, say: Say) -> str:
    low, high = found.interval
    if low <= 0 <= high:
        return ""
    return say(
        " (the interval just leaves out 0; the exact test, which decides, is a little stricter)",
        "（区间刚好不含 0；起决定作用的精确检验略为严格）",
    )


def _needed(found: Comparison, say: Say) -> str:
    needed = found.pictures_needed
    if needed is None:
        return say("; they get equally many right", "；两者答对的一样多")
    about = f"{rounded_up(needed):,}"
    size = points(abs(found.difference), say, signed=False)
    return say(
        f"; if a difference of {size} is real, about {about} pictures would tell",
        f"；若 {size}的差距是真的，大约需要 {about} 张图片才能看出",
    )


def chance(p: float) -> str:
    """A p-value: `p = 0.031`, `p < 0.0001`."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def points(share: float, say: Say, *, signed: bool = True) -> str:
    """A difference of shares in percentage points: `+1.5 points`."""
    text = f"{100 * share:+.1f}" if signed else f"{100 * share:.1f}"
    return say(f"{text} points", f"{text} 个百分点")


def span(ends: tuple[float, float], say: Say) -> str:
    """An interval of a difference, in points: `-0.4 to +3.1`."""
    return say(" to ", " 至 ").join(f"{100 * end:+.1f}" for end in ends)


def rounded_up(count: int) -> int:
    """To two digits: more would claim too much."""
    unit = 10 ** max(0, len(str(count)) - 2)
    return math.ceil(count / unit) * unit


def left_out(name: str, count: int) -> Text:
    """Pictures that one was trained on."""
    return (
        f"left out: {counted(count, 'picture')} that {name} was trained on",
        f"未计入：{name} 训练时用过的 {count:,} 张图片",
    )


def not_everywhere(part: str, count: int) -> Text:
    """Pictures of a part that not all have."""
    return (
        f"left out: {counted(count, 'picture')} that not all runs have in their {part} part",
        f"未计入：并非所有训练都放在 {part} 中的 {count:,} 张图片",
    )


def chosen_by(names: Sequence[str], count: int, images: int, *, all_runs: bool) -> Text:
    """Pictures that chose the epochs of some runs, or of all."""
    several, whole = len(names) > 1, count == images
    figures = "their figures are" if several else "its figure is"
    english = (
        f"{'these pictures' if whole else f'{count:,} of these pictures'} chose the best epoch of "
        f"{' and of '.join(names)}, so {figures} optimistic"
    )
    chinese = (
        f"{'、'.join(names)} 的最佳轮次是依据这些图片{'' if whole else f'中的 {count:,} 张'}"
        "选出的，其数字偏于乐观"
    )
    if all_runs:
        return english, chinese
    return f"{english}, and the comparison leans that way", f"{chinese}，比较也因此偏向它"


def unknown_training(name: str) -> Text:
    """A model file of no run."""
    return (
        f"which pictures {name} was trained on is not known; where these are among them, its "
        "figure says little",
        f"不知道 {name} 用哪些图片训练过；若其中有这些图片，它的数字说明不了什么",
    )


def other_labels(first: str, other: str, count: int) -> Text:
    """Pictures that two were trained on under different labels."""
    return (
        f"{first} and {other} were trained with different labels of {counted(count, 'picture')}",
        f"{first} 与 {other} 训练时有 {count:,} 张图片的标签不同",
    )


def gone(part: str, count: int) -> Text:
    """Pictures of a part that are not there any more."""
    return (
        f"left out: {counted(count, 'picture')} of the {part} part, no longer there",
        f"未计入：{part} 中已不存在的 {count:,} 张图片",
    )


def unreadable(lines: Sequence[str]) -> list[Text]:
    """Pictures that are left out for all; of many, the first are named."""
    told = [(f"left out: {line}", f"未计入：{line}") for line in lines[:NAMED]]
    if (more := len(lines) - NAMED) > 0:
        told.append(
            (
                f"left out: {counted(more, 'more picture')} that cannot be read",
                f"未计入：另有 {more:,} 张图片无法读取",
            )
        )
    return told


def setting(value: object, say: Say) -> str:
    """A value of a recipe in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return say("yes", "是") if value else say("no", "否")
    return str(value)
