"""What people see: a training as it runs, tables of results, errors. The only door to rich."""

import os
import re
import sys
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from itertools import product
from math import inf, isfinite
from time import monotonic
from typing import TYPE_CHECKING, TextIO

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shortcut.events import EpochEnd, Event, Finished, Measured, Notice, Progress, Saved, Step

if TYPE_CHECKING:
    from shortcut.metrics import Scores

LOSS_STEPS = 20  # the loss shown while training is the mean of so many
DRAW_SECONDS = 0.1  # the live display is drawn anew at most so often
LINE_SECONDS = 10.0  # where no terminal listens, progress is a line at most so often
BAR_WIDTH = 100  # the live display is no wider, however wide the terminal
MATRIX_CLASSES = 20  # up to so many classes the confusion matrix is printed whole
PAIRS = 10  # above that, so many of its most confused pairs
LEFT_OUT = ("images/s", "lr", "seconds", "train acc")  # by a narrow terminal, in this order

# Controls, half surrogates, marks that turn the writing: file names may hold them, terminals not.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")

Row = Sequence[str]


class Screen:
    """Shows the events of a training on standard error; use as a context manager.

    On a terminal the table of epochs grows above a live display, which leaving the context removes.
    Elsewhere all is plain lines. `quiet` shows nothing; `stream` takes the place of standard error.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.console = _console(stream or sys.stderr)
        self.live: Live | None = None
        self.drawn = -inf if self.console.is_terminal else monotonic()
        self.losses: deque[float] = deque(maxlen=LOSS_STEPS)
        self.sizes: set[int] = set()
        self.columns: Row = ()

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def show(self, event: Event) -> None:
        """Show one event now, or for a Step or Progress when the next drawing is due."""
        if self.quiet:
            return
        match event:
            case Progress():
                self._show_progress(event)
            case Step():
                self._show_step(event)
            case EpochEnd():
                self._show_epoch(event)
            case Finished():
                self._close()
                _say(self.console, f"finished in {_clock(event.seconds)}: {event.reason}")
                best = f"best epoch {event.best_epoch} of {event.epochs}"
                _say(self.console, f"{best}, accuracy {event.best_accuracy:.4f}")
            case Measured():
                low, high = event.interval
                share = f"{event.accuracy:.4f} [{low:.3f}, {high:.3f}], {event.images:,} pictures"
                _say(self.console, f"{event.part} accuracy {share}", "bold")
            case Saved():
                _say(self.console, f"{event.what:<16}  {event.path}")
            case Notice():
                text = Text(_clean(event.text, self.console), "dim")
                self.console.print(text, soft_wrap=not self.console.is_terminal)

    def _show_progress(self, event: Progress) -> None:
        complete = event.done >= event.total
        if not self._is_due(at_once=complete and self.console.is_terminal):
            return
        count = f"{event.done:,} / {event.total:,}"
        if not self.console.is_terminal:
            _say(self.console, f"{event.what} {count}")
        elif complete:
            self._close()
        else:
            self._draw(self._bar(event.what, event.done, event.total, count))

    def _show_step(self, event: Step) -> None:
        self.losses.append(event.loss)
        complete = event.step == event.steps and self.console.is_terminal
        if not self._is_due(at_once=complete):
            return
        epoch = f"epoch {event.epoch:>{len(str(event.epochs))}}/{event.epochs}"
        count = f"{event.step:>{len(f'{event.steps:,}')},}/{event.steps:,}"
        left = f"{_clock(event.seconds_left)} left"
        facts = (
            f"loss {sum(self.losses) / len(self.losses):.4f}",
            f"lr {_rate(event.lr)}",
            f"{event.images_per_second:,.1f} images/s",
            f"waiting {100 * event.waiting:.0f} %",
        )
        if not self.console.is_terminal:
            return _say(self.console, "  ".join((epoch, f"step {count}", *facts, left)))
        # After its last step an epoch is measured, which brings no event until it is over.
        count = "measuring" if complete else count
        bar = self._bar(epoch, event.step, event.steps, count, left)
        self._draw(Group(bar, Text("   ".join(facts), no_wrap=True, overflow="crop")))

    def _show_epoch(self, event: EpochEnd) -> None:
        self.sizes.add(event.image_size)
        width = self.console.width if self.console.is_terminal else inf
        cells = _epoch_cells(event, width, with_size=len(self.sizes) > 1)
        if (columns := tuple(cells)) != self.columns:
            self.columns = columns
            _say(self.console, _epoch_line(columns, columns), "bold")
        mark = ("  best", "green") if event.improved else ""
        line = _epoch_line(columns, cells.values())
        self.console.print(Text.assemble(line, mark), soft_wrap=True)
        self.drawn = monotonic()

    def _is_due(self, *, at_once: bool) -> bool:
        pause = DRAW_SECONDS if self.console.is_terminal else LINE_SECONDS
        if due := at_once or monotonic() - self.drawn >= pause:
            self.drawn = monotonic()
        return due

    def _bar(self, label: str, done: int, total: int, *facts: str) -> Table:
        row = Table.grid(padding=(0, 2))
        row.width = min(self.console.width, BAR_WIDTH)
        for ratio in (None, 1, *(None for _ in facts)):
            row.add_column(ratio=ratio, no_wrap=True, overflow="crop", justify="right")
        bar = ProgressBar(max(1, total), done, complete_style="cyan", finished_style="cyan")
        row.add_row(label, bar, *facts)
        return row

    def _draw(self, picture: RenderableType) -> None:
        if self.live is None:
            # No refreshing thread: a lock it held while data workers are forked would stay locked.
            self.live = Live(
                console=self.console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=self.console.file is sys.stderr,
            )
            self.live.start()
        self.live.update(picture, refresh=True)

    def _close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None


def print_scores(scores: "Scores") -> None:
    """Print to standard output: accuracy with its interval, a row a class, the confusion matrix.

    Of more than MATRIX_CLASSES classes, or where the terminal is too narrow for the matrix, only
    the most confused pairs.
    """
    out = _console(sys.stdout)
    low, high = scores.interval
    share = f"{scores.accuracy:.4f}, 95 % interval [{low:.3f}, {high:.3f}]"
    _say(out, f"accuracy {share}, {scores.correct:,} of {scores.images:,} pictures right", "bold")
    _say(out, "")
    rows = [
        (c.label, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", f"{c.images:,}")
        for c in scores.by_class
    ]
    print_table(None, ("class", "precision", "recall", "F1", "pictures"), rows, right=range(1, 5))
    _say(out, "")
    _print_confusion(out, scores)


def print_table(
    title: str | None, columns: Row, rows: Sequence[Row], *, right: Collection[int] = ()
) -> None:
    """Print a table to standard output: drawn on a terminal, aligned by spaces elsewhere.

    Rows are as long as `columns`. Those at the positions `right` are flush right, such as numbers.
    """
    out = _console(sys.stdout)
    if title is not None:
        _say(out, title, "bold")
    lines = [[_clean(cell, out) for cell in row] for row in (columns, *rows)]
    if not (out.is_terminal and _fits(lines, right, out)):
        widths = _widths(lines)
        for line in lines:
            cells = [
                " " * (width - cell_len(cell)) + cell if i in right else set_cell_size(cell, width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            _say(out, "  ".join(cells).rstrip())
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for i, name in enumerate(lines[0]):
        side = "right" if i in right else "left"
        table.add_column(Text(name, "bold"), justify=side, no_wrap=i in right, overflow="fold")
    for line in lines[1:]:
        table.add_row(*map(Text, line))
    out.print(table)


def error_line(text: str) -> None:
    """Print `shortcut: TEXT` to standard error, as one line however long."""
    console = _console(sys.stderr)
    line = _clean(" ".join(map(str.strip, text.splitlines())), console)
    console.print(Text.assemble(("shortcut:", "bold red"), " ", line), soft_wrap=True)


def _console(stream: TextIO) -> Console:
    # Decided here, since rich lets FORCE_COLOR and its like turn a pipe into a terminal.
    terminal = stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
    return Console(file=stream, force_terminal=terminal, force_jupyter=False)


def _clean(text: str, console: Console) -> str:
    """The same text, with what this console must not or cannot print spelt as escapes."""
    shown = UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return shown.encode(console.encoding, "backslashreplace").decode(console.encoding)


def _say(out: Console, text: str, style: str = "") -> None:
    out.print(Text(_clean(text, out), style), soft_wrap=True)


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
        return _say(out, "no class was taken for another")
    rows = [(names[i], names[j], f"{matrix[i][j]:,}") for i, j in most]
    print_table("most confused pairs", ("truth", "answer", "pictures"), rows, right=(2,))
    _say(out, f"The CSV holds the whole matrix of {len(names):,} classes.")


def _widths(lines: Sequence[Row]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(*lines, strict=True)]


def _fits(lines: Sequence[Row], right: Collection[int], out: Console) -> bool:
    """Whether a drawn table is no wider; what is flush left may be folded down to 12 cells."""
    least = sum(w if i in right else min(w, 12) for i, w in enumerate(_widths(lines)))
    return least + 2 * len(lines[0]) <= out.width


def _epoch_cells(event: EpochEnd, width: float, *, with_size: bool) -> dict[str, str]:
    cells = {
        "epoch": str(event.epoch),
        "loss": f"{event.train_loss:.4f}",
        "train acc": f"{event.train_accuracy:.4f}",
        "val acc": f"{event.val_accuracy:.4f}",
        "lr": _rate(event.lr),
        "size": str(event.image_size),
        "images/s": f"{event.images_per_second:,.1f}",
        "seconds": f"{event.seconds:.1f}",
    }
    if not with_size:
        del cells["size"]
    for name in LEFT_OUT:
        if len(_epoch_line(cells, cells)) + len("  best") > width:
            del cells[name]
    return cells


def _epoch_line(columns: Iterable[str], cells: Iterable[str]) -> str:
    return "  ".join(f"{c:>{max(7, len(name))}}" for name, c in zip(columns, cells, strict=True))


def _rate(lr: float) -> str:
    return f"{lr:.5f}" if lr >= 1e-4 or lr == 0 else f"{lr:.1e}"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if isfinite(seconds) else "?"
