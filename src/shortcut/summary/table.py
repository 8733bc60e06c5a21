"""A table that can be printed, and written as CSV or Markdown."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from shortcut.markdown import plain
from shortcut.markdown import table as markdown_table


@dataclass(frozen=True)
class Table:
    """Cells of text, which may have several lines, and remarks that stand below."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    """Positions of the columns that are flush right."""
    remarks: tuple[str, ...] = ()

    def lines(self) -> Iterator[tuple[str, ...]]:
        """The rows with cells of one line each."""
        for row in self.rows:
            yield from zip_longest(*(cell.split("\n") for cell in row), fillvalue="")

    def as_csv(self) -> str:
        """Columns and rows, without the remarks; cells are stripped of their indent."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([cell.strip() for cell in row] for row in self.rows)
        return out.getvalue().rstrip("\n")

    def as_markdown(self) -> str:
        """The table, an empty line, and the remarks as paragraphs."""
        cells = [
            ["<br>".join(_kept(line) for line in cell.split("\n")) for cell in row]
            for row in self.rows
        ]
        remarks = [line for remark in self.remarks for line in ("", remark)]
        return "\n".join([*markdown_table(self.columns, cells), *remarks])


def _kept(line: str) -> str:
    """Markdown folds leading spaces; the indent of a tree has a meaning."""
    indent = len(line) - len(line.lstrip(" "))
    return "&nbsp;" * indent + plain(line)
