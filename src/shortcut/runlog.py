"""A run's plain records: log.txt in the tutorials' lines, results.csv a row an epoch,
events.jsonl."""

import contextlib
import csv
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from shortcut.errors import ModelError, ResourceError
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


@dataclass(frozen=True)
class Mark:
    """A place in a run's records."""

    log: int = 0
    """Bytes of `log.txt` up to here."""
    events: int = 0
    """Of `events.jsonl`."""
    losses: tuple[float, ...] = ()
    """Of the steps since the last loss line."""


class Lines:
    """A text file that only grows. What the disk does not take is held, and written with what comes
    next: a disk that is full for a while costs no line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Unbuffered: whatever happens to the process, what was reported is with the system.
        self.file = path.open("ab", buffering=0)
        self.held = b""

    def write(self, text: str) -> None:
        """Append; a name that is not Unicode must not end a training when it is logged."""
        self.held += text.encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):
            self.push()

    def push(self) -> None:
        """Write what is held.

        Raises:
            OSError: the disk does not take it; what it took of it is not written twice.
        """
        while self.held:
            self.held = self.held[self.file.write(self.held) :]

    def mark(self) -> int:
        """The length in bytes, once all is on the disk.

        Raises:
            OSError: as `push`.
        """
        self.push()
        os.fsync(self.file.fileno())
        return self.file.tell()

    def cut(self, length: int) -> None:
        """Forget what stands behind `length`; a file that is shorter stays as it is.

        Raises:
            OSError: it cannot be changed.
        """
        self.held = b""
        self.file.truncate(min(length, self.file.seek(0, os.SEEK_END)))
        self.file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """What the disk does not take now is lost."""
        with contextlib.suppress(OSError):
            self.push()
        with contextlib.suppress(OSError):
            self.file.close()


class RunLog:
    """Writes every event of a run to its folder as it happens; use as a context manager.

    Args:
        measured_on: `val` or `test`: the part measured each epoch, which the lines name.
        interval: steps between two loss lines, each the mean since the last.
    """

    def __init__(self, folder: Path, *, measured_on: str, interval: int) -> None:
        self.measured_on = measured_on
        self.interval = interval
        self.losses: list[float] = []
        try:
            self.log = Lines(folder / "log.txt")
            self.events = Lines(folder / "events.jsonl")
            self.results = Lines(folder / "results.csv")
        except OSError as error:
            raise ResourceError(f"{folder}: cannot be written ({error.strerror}).") from error
        self.files = (self.log, self.events, self.results)
        self.table = csv.writer(self.results, lineterminator="\n")

    def mark(self) -> Mark:
        """Where the records end now, once they are on the disk.

        Raises:
            ResourceError: the disk does not take them.
        """
        try:
            log, events, _ = (file.mark() for file in self.files)
        except OSError as error:
            raise self._refused(error) from error
        return Mark(log, events, tuple(self.losses))

    def rewind(self, mark: Mark, history: Sequence[EpochEnd]) -> None:
        """Go back to `mark`: what came after it will come again, and must not stand there twice.

        Args:
            history: the epochs that were over there; `results.csv` is written anew with them.

        Raises:
            ResourceError: if that cannot be written.
        """
        try:
            for file, end in zip(self.files, (mark.log, mark.events, 0), strict=True):
                file.cut(end)
            self.table.writerow(RESULT_COLUMNS)
            for epoch in history:
                self._write_row(epoch)
            self.results.push()
        except OSError as error:
            raise self._refused(error) from error
        self.losses = list(mark.losses)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self.files:
            file.close()

    def write(self, event: Event) -> None:
        """Record one event in every file that has a place for it; see `Lines`."""
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

    def _refused(self, error: OSError) -> ResourceError:
        return ResourceError(f"{self.log.path}: cannot be written ({error.strerror}).")

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


def read_events(folder: Path) -> tuple[list[EpochEnd], list[str]]:
    """The epochs of a run and the notices a person was given, as `events.jsonl` has them; a line
    that is half written, or of another version, is passed over.

    Raises:
        ModelError: there is no such file.
    """
    epochs, notices = list[EpochEnd](), list[str]()
    try:
        lines = (folder / "events.jsonl").read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise ModelError(f"{folder}: has no events.jsonl ({error.strerror}).") from error
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            record = json.loads(line)
            kind = record.pop("event")
            del record["time"]
            if kind == "EpochEnd":
                epochs.append(EpochEnd(**record))
            elif kind == "Notice":
                notices.append(Notice(**record).text)
    return epochs, notices


def trained_seconds(folder: Path) -> float | None:
    """How long the epochs in a run's `results.csv` took, validation included; None where it cannot
    be read."""
    try:
        with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
            return sum(float(row["seconds"]) for row in csv.DictReader(file))
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return None


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
