"""Texts in English and Chinese. Each stands as a pair, so that the two cannot drift apart."""

from collections.abc import Callable
from typing import Literal

Lang = Literal["en", "zh"]
Say = Callable[[str, str], str]
"""Of an English and a Chinese text, the one that is wanted."""


def speak(lang: Lang) -> Say:
    """The choice between the two languages."""

    def english(en: str, zh: str) -> str:
        return en

    def chinese(en: str, zh: str) -> str:
        return zh

    return chinese if lang == "zh" else english
