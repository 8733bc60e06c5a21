"""Streams and a clock that tests turn, and events to show on them."""

import io
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from shortcut.console import Screen
from shortcut.events import EpochEnd, Event, Finished, Measured, Saved, Step
from shortcut.metrics import Scores

COLOUR = re.compile(r"\x1b\[[\d;]*m")
CONTROL = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        """What was written, without colours and cursor movements."""
        return CONTROL.sub("", self.getvalue()).replace("\r", "\n").splitlines()


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def step(number: int = 412, *, epoch: int = 3, loss: float = 0.5) -> Step:
    return Step(epoch, 30, number, 1250, loss, 0.001, 123.4, 0.04, 725.0)


def epoch_end(epoch: int, *, size: int = 224, improved: bool = False) -> EpochEnd:
    return EpochEnd(
        epoch, 30, 0.6219, 0.755, 0.6, 0.76, 0.00049, 26.4, 1123.4, 0.04, size, improved
    )


CLOSING: tuple[Event, ...] = (
    Finished(30, 27, 0.9123, 754.0, "all epochs done"),
    Measured("val", 1823, 1998, 0.91241, (0.8969, 0.9258)),
    Saved("curves", Path("runs/[x]/curves.png")),
    Saved("confusion matrix", Path("runs/[x]/confusion_matrix.png")),
)


def written(events: Iterable[Event], stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    with Screen(stream=stream) as screen:
        for event in events:
            screen.show(event)
    return stream.getvalue()


def scores(count: int, *, name: str = "c{}", wrong: int = 0) -> Scores:
    confusion = np.diag(np.arange(count, dtype=np.int64) + 90)
    if wrong:
        confusion[count - 1, 0] = wrong
    return Scores(tuple(name.format(i) for i in range(count)), confusion, loss=0.3)
