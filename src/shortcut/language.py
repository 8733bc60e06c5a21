"""Texts in English and Chinese, each as a pair so that the two cannot drift apart; and figures in
words."""

from collections.abc import Callable
from typing import Literal

Lang = Literal["en", "zh"]
Say = Callable[[str, str], str]
"""Of an English and a Chinese text, the one that is wanted."""
Text = tuple[str, str]
"""English and Chinese."""


def speak(lang: Lang) -> Say:
    """The choice between the two languages."""

    def english(en: str, zh: str) -> str:
        return en

    def chinese(en: str, zh: str) -> str:
        return zh

    return chinese if lang == "zh" else english


def percent(share: float, say: Say) -> str:
    """A share, 0 to 1, with one decimal: `93.5 %`."""
    return say(f"{100 * share:.1f} %", f"{share:.1%}")


def counted(count: int, noun: str) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def part_name(part: str, say: Say) -> str:
    """`train`, `val` or `test`, as the person calls it."""
    return say(part, {"train": "训练集", "val": "验证集", "test": "测试集"}.get(part, part))


def whole(share: float, say: Say) -> str:
    """A share, 0 to 1, without decimals: `30 %`."""
    return say(f"{100 * share:.0f} %", f"{share:.0%}")


def duration(seconds: float, say: Say) -> str:
    """`45 s`, `24 min 5 s`, `3 h 20 min`."""
    total = round(seconds)
    if total >= 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return say(f"{hours} h {minutes} min", f"{hours} 小时 {minutes} 分")
    minutes, rest = divmod(total, 60)
    if minutes:
        return say(f"{minutes} min {rest} s", f"{minutes} 分 {rest} 秒")
    return say(f"{rest} s", f"{rest} 秒")
