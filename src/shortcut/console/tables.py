"""Results on standard output: tables, and what a classifier reached."""

import sys
from collections.abc import Collection, Sequence
from itertools import product
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shortcut.console.terminal import clean, open_aside, open_console, say

if TYPE_CHECKING:
    from shortcut.metrics import Scores

MATRIX_CLASSES = 20  # up to so many classes the confusion matrix is printed whole
PAIRS = 10  # above that, so many of its most confused pairs

Row = Sequence[str]


def print_scores(scores: "Scores") -> None:
    """Print to standard output: accuracy with its interval, a row a class, the confusion matrix.

    Of more than MATRIX_CLASSES classes, or where the terminal is too narrow for the matrix, only
    the most confused pairs.
    """
    from shortcut.metrics import NEAR  # here, for commands that have no scores and need no NumPy

    out = open_console(sys.stdout)
    low, high = scores.interval
    share = f"{scores.accuracy:.4f}, 95 % interval [{low:.3f}, {high:.3f}]"
    say(out, f"accuracy {share}, {scores.correct:,} of {scores.images:,} pictures right", "bold")
    if scores.near is not None:
        say(out, f"top-{NEAR} accuracy {scores.near / scores.images:.4f}")
    if (off := scores.calibration_error) is not None:
        chance = f"true ones would seem off by {scores.calibration_by_chance:.1%}"
        say(out, f"scores are off by {off:.1%} on average (expected calibration error); {chance}")
    say(out, f"balanced accuracy {scores.balanced_accuracy:.4f}, each class counting the same")
    say(out, "")
    rows = [
        (
            *(c.label, f"{c.precision:.3f}", f"{c.recall:.3f}"),
            *("{:.2f}-{:.2f}".format(*c.interval), f"{c.f1:.3f}", f"{c.images:,}"),
        )
        for c in scores.by_class
    ]
    columns = ("class", "precision", "recall", "95 %", "F1", "pictures")
    print_table(None, columns, rows, right=range(1, 6))
    say(out, "")
    _print_confusion(out, scores)


def print_accuracy(part: str, scores: "Scores") -> None:
    """Print to standard output one line: a part's accuracy, its interval, how many pictures. It
    stands in the run folder too: where the terminal was closed meanwhile, nothing fails."""
    low, high = scores.interval
    share = f"{scores.accuracy:.4f} [{low:.3f}, {high:.3f}], {scores.images:,} pictures"
    say(open_aside(sys.stdout), f"{part} accuracy {share}", "bold")


def print_table(
    title: str | None, columns: Row, rows: Sequence[Row], *, right: Collection[int] = ()
) -> None:
    """Print a table to standard output: drawn on a terminal, aligned by spaces elsewhere.

    Rows are as long as `columns`. Those at the positions `right` are flush right, such as numbers.
    """
    out = open_console(sys.stdout)
    if title is not None:
        say(out, title, "bold")
    lines = [[clean(cell, out) for cell in row] for row in (columns, *rows)]
    if not (out.is_terminal and _fits(lines, right, out)):
        widths = _widths(lines)
        for line in lines:
            cells = [
                " " * (width - cell_len(cell)) + cell if i in right else set_cell_size(cell, width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            say(out, "  ".join(cells).rstrip())
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for i, name in enumerate(lines[0]):
        side = "right" if i in right else "left"
        table.add_column(Text(name, "bold"), justify=side, no_wrap=i in right, overflow="fold")
    for line in lines[1:]:
        table.add_row(*map(Text, line))
    out.print(table)


def _print_confusion(out: Console, scores: "Scores") -> None:
    names, right = scores.classes, range(1, len(scores.classes) + 1)
    matrix: list[list[int]] = scores.confusion.tolist()
    numbered = [f"{i} {name}" for i, name in zip(right, names, strict=True)]
    # Headed by names, or where these are too wide by numbers.
    for side, heads in ((names, names), (numbered, map(str, right))):
        lines = [["truth", *heads]]
        lines += [[name, *map("{:,}".format, row)] for name, row in zip(side, matrix, strict=True)]
        if len(names) <= MATRIX_CLASSES and (not out.is_terminal or _fits(lines, right, out)):
            title = "confusion matrix: a row for each truth, a column for each answer"
            return print_table(title, lines[0], lines[1:], right=right)
    wrong = ((i, j) for i, j in product(range(len(names)), repeat=2) if i != j and matrix[i][j])
    most = sorted(wrong, key=lambda pair: -matrix[pair[0]][pair[1]])[:PAIRS]
    if not most:
        return say(out, "no class was taken for another")
    rows = [(names[i], names[j], f"{matrix[i][j]:,}") for i, j in most]
    print_table("most confused pairs", ("truth", "answer", "pictures"), rows, right=(2,))
    say(out, f"The CSV holds the whole matrix of {len(names):,} classes.")


def _widths(lines: Sequence[Row]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(*lines, strict=True)]


def _fits(lines: Sequence[Row], right: Collection[int], out: Console) -> bool:
    """Whether a drawn table is no wider; what is flush left may be folded down to 12 cells."""
    least = sum(w if i in right else min(w, 12) for i, w in enumerate(_widths(lines)))
    return least + 2 * len(lines[0]) <= out.width
