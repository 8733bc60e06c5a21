"""A table of text, for the terminal and for pages."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows are as long as `columns`."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    """So many columns, from the left, are words; the others are numbers, flush right."""
