"""A training as it runs: a live display on a terminal, plain lines elsewhere."""

import sys
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import inf, isfinite
from time import monotonic
from typing import TextIO

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shortcut.console.terminal import clean, open_aside, say
from shortcut.events import EpochEnd, Event, Finished, Measured, Notice, Progress, Saved, Step

LOSS_STEPS = 20  # the loss shown while training is the mean of so many
DRAW_SECONDS = 0.1  # the live display is drawn anew at most so often
LINE_SECONDS = 10.0  # where no terminal listens, progress is a line at most so often
BAR_WIDTH = 100  # the live display is no wider, however wide the terminal
LEFT_OUT = ("images/s", "lr", "seconds", "train acc", "size")  # by a narrow terminal, in this order

Row = Sequence[str]


class Screen:
    """Shows the events of a training on standard error; use as a context manager.

    On a terminal the table of epochs grows above a live display, which leaving the context removes.
    Elsewhere all is plain lines. `quiet` shows nothing; `stream` takes the place of standard error.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.console = open_aside(stream)
        self.on_stderr = stream in (None, sys.stderr)
        self.live: Live | None = None
        self.drawn = -inf if self.console.is_terminal else monotonic()
        self.losses: deque[float] = deque(maxlen=LOSS_STEPS)
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
                say(self.console, f"finished in {_clock(event.seconds)}: {event.reason}")
                best = f"best epoch {event.best_epoch} of {event.epochs}"
                say(self.console, f"{best}, accuracy {event.best_accuracy:.4f}")
            case Measured():
                self._close()  # it is a result, and those are printed at the end
            case Saved():
                say(self.console, f"{event.what:<16}  {event.path}")
            case Notice():
                text = Text(clean(event.text, self.console), "dim")
                self.console.print(text, soft_wrap=not self.console.is_terminal)

    def _show_progress(self, event: Progress) -> None:
        complete = event.done >= event.total > 0
        at_once = (complete or not event.total) and self.console.is_terminal
        if not self._is_due(at_once=at_once):
            return
        count = f"{event.done:,} / {event.total:,}" if event.total else "..."
        if not self.console.is_terminal:
            say(self.console, f"{event.what} {count}")
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
            return say(self.console, "  ".join((epoch, f"step {count}", *facts, left)))
        # After its last step an epoch is measured.
        count = "measuring" if complete else count
        bar = self._bar(epoch, event.step, event.steps, count, left)
        self._draw(Group(bar, Text("   ".join(facts), no_wrap=True, overflow="crop")))

    def _show_epoch(self, event: EpochEnd) -> None:
        width = self.console.width if self.console.is_terminal else inf
        cells = _epoch_cells(event, width)
        if (columns := tuple(cells)) != self.columns:
            self.columns = columns
            say(self.console, _epoch_line(columns, columns), "bold")
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
                redirect_stderr=self.on_stderr,
            )
            self.live.start()
        self.live.update(picture, refresh=True)

    def _close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None


def _epoch_cells(event: EpochEnd, width: float) -> dict[str, str]:
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
