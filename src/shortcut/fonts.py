"""Fonts for pictures: which are installed, what they can write, how wide a text becomes."""

import contextlib
from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import LoadFlags

LATIN = "DejaVu Sans"
"""Comes with matplotlib and has no Chinese."""
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN"),
    *("PingFang SC", "Hiragino Sans GB", "Heiti TC", "Microsoft YaHei", "SimHei"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Arial Unicode MS"),
    # Before 3.11 matplotlib sees the first font of a collection alone: the Japanese one.
    "Noto Sans CJK JP",
)
FILES = ("notosanscjk", "notosanssc", "sourcehansans", "pingfang", "msyh", "simhei", "wqy-")
"""How the names of files with one of these fonts begin, in small letters."""
FALLBACK = 1.0
"""Width, in ems, of a letter that LATIN lacks. A Chinese one has exactly that."""


@cache
def families() -> tuple[str, ...]:
    """Fonts to try for each letter in turn: matplotlib's own, then the first Chinese one here."""
    return (LATIN, *(_installed() or _newly_installed())[:1])


def drawable(text: str, fonts: tuple[str, ...]) -> str:
    """`text` on one line, with a box for each letter that no font has; matplotlib would warn for
    each."""
    return "".join(letter if _has(letter, fonts) else "□" for letter in " ".join(text.split()))


def shorten(text: str, longest: int) -> str:
    """At most `longest` letters of `text`, cut out of the middle: long names differ at either
    end."""
    if len(text) <= longest:
        return text
    tail = longest // 3
    return f"{text[: longest - tail - 1]}…{text[-tail:]}"


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of one line in DejaVu Sans, in the unit of `size`, the height of an em."""
    return size * sum(_advance(letter, bold) for letter in text)


def _installed() -> list[str]:
    known = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in CHINESE if name in known]


def _newly_installed() -> list[str]:
    """Look in the system's folders: matplotlib's list is as old as its first use here."""
    for file in font_manager.findSystemFonts():
        if Path(file).name.lower().startswith(FILES):
            with contextlib.suppress(OSError, RuntimeError):  # a broken file is no font
                font_manager.fontManager.addfont(file)
    return _installed()


def _has(letter: str, fonts: tuple[str, ...]) -> bool:
    faces = (font_manager.get_font(font_manager.findfont(name)) for name in fonts)
    return any(face.get_char_index(ord(letter)) for face in faces)


@cache
def _advance(letter: str, bold: bool) -> float:
    """In ems."""
    face = font_manager.FontProperties(family=LATIN, weight="bold" if bold else "normal")
    font = font_manager.get_font(font_manager.findfont(face))
    if not font.get_char_index(ord(letter)):
        return FALLBACK
    font.set_size(100, 72)
    return font.load_char(ord(letter), LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 100
