"""A run's plain records: log.txt in the tutorials' lines, results.csv a row an epoch,
events.jsonl."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, TextIO

from shortcut.errors import ResourceError
from shortcut.events import (
    EpochEnd,
    Event,
    Finished,
    Measured,
    Notice,
    Progress,
    Saved,
    Step,
)

RESULT_COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "lr",
    "image_size",
    "images_per_second",
    "seconds",
    "improved",
)


class RunLog:
    """Writes every event of a run to its folder as it happens; use as a context manager.

    Args:
        measured_on: `val` or `test`: the part measured each epoch, which the lines name.
        interval: steps between two loss lines, each the mean since the last.
        history: epochs that are over already; `results.csv` is begun anew with them, so that no
            row of an interrupted run stands twice.
    """

    def __init__(
        self,
        folder: Path,
        *,
        measured_on: str,
        interval: int,
        history: Sequence[EpochEnd] = (),
    ) -> None:
        self.measured_on = measured_on
        self.interval = interval
        self.losses: list[float] = []
        try:
            self.log = _lines(folder / "log.txt", "a")
            self.events = _lines(folder / "events.jsonl", "a")
            self.results = _lines(folder / "results.csv", "w")
        except OSError as error:
            raise ResourceError(f"{folder}: cannot be written ({error.strerror}).") from error
        self.table = csv.writer(self.results, lineterminator="\n")
        self.table.writerow(RESULT_COLUMNS)
        for epoch in history:
            self._write_row(epoch)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in (self.log, self.events, self.results):
            file.close()

    def write(self, event: Event) -> None:
        """Record one event in every file that has a place for it.

        Raises:
            ResourceError: if the disk is full.
        """
        try:
            self._write(event)
        except OSError as error:
            raise ResourceError(
                f"{self.log.name}: cannot be written ({error.strerror})."
            ) from error

    def _write(self, event: Event) -> None:
        match event:
            case Step():
                self._write_step(event)
            case EpochEnd():
                self._write_epoch(event)
            case Progress():
                return
            case _:
                self.log.write(f"{_line(event)}\n")
                self._write_event(event)

    def _write_event(self, event: Event) -> None:
        record = {"time": datetime.now().astimezone().isoformat(timespec="milliseconds")}
        record |= {"event": type(event).__name__, **asdict(event)}
        self.events.write(json.dumps(record, default=str) + "\n")

    def _write_step(self, event: Step) -> None:
        if event.step == 1:
            self.losses.clear()
        self.losses.append(event.loss)
        if event.step % self.interval == 0:
            mean = sum(self.losses) / len(self.losses)
            self.log.write(f"[epoch {event.epoch}, batch {event.step}] loss: {mean:.3f}\n")
            self.losses.clear()
            self._write_event(event)

    def _write_epoch(self, event: EpochEnd) -> None:
        part = self.measured_on
        self.log.write(
            f"epoch {event.epoch} av_train_loss: {event.train_loss:.3f} lr: {event.lr:.5f}\n"
            f"epoch {event.epoch} av_{part}_acc: {event.val_accuracy:.3f}\n"
            f"epoch {event.epoch}, loss {event.train_loss:.4f}, "
            f"train acc {event.train_accuracy:.3f}, "
            f"{part} acc {event.val_accuracy:.3f}, time {event.seconds:.1f} sec\n"
        )
        self._write_row(event)
        self._write_event(event)

    def _write_row(self, event: EpochEnd) -> None:
        values = asdict(event)
        self.table.writerow([_cell(values[column]) for column in RESULT_COLUMNS])


def _lines(path: Path, mode: Literal["a", "w"]) -> TextIO:
    """Line by line: whatever happens to the process, what was reported is on disk."""
    # A file name that is not Unicode must not end a training when it is logged.
    return path.open(mode, encoding="utf-8", errors="backslashreplace", buffering=1, newline="\n")


def _line(event: Notice | Finished | Measured | Saved) -> str:
    match event:
        case Notice():
            return event.text
        case Finished():
            best = f"best epoch {event.best_epoch}, accuracy {event.best_accuracy:.4f}"
            return f"finished in {event.seconds:.0f} sec: {event.reason}; {best}"
        case Measured():
            low, high = event.interval
            interval = f"[{low:.4f}, {high:.4f}]"
            return f"{event.part} accuracy {event.accuracy:.4f} {interval}, {event.images} pictures"
        case Saved():
            return f"{event.what}: {event.path}"


def _cell(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
