"""What trackers write: events of a training as figures, texts and pictures, each at its step of the
whole training."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shortcut.events import EpochEnd, Event, Finished, Measured, Notice, Saved, Step
from shortcut.runfolder import Facts
from shortcut.settings import Recipe

PICTURES = {"curves", "confusion matrix"}
"""Of what a training saves, these are pictures."""

Status = Literal["finished", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class Begin:
    """The training goes on with this step: what was written at it, or later, comes again."""

    step: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Measured values by name."""

    step: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Told:
    """Notices since the last item."""

    step: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that can be looked at."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class End:
    """The last item, whatever happened."""

    step: int
    status: Status
    reason: str

    @property
    def text(self) -> str:
        """Both in one line."""
        return f"{self.status}: {self.reason}" if self.reason else self.status


Item = Begin | Figures | Told | Picture | End


@dataclass(frozen=True)
class Tracked:
    """The training that is followed."""

    folder: Path
    facts: Facts
    recipe: Recipe


class Course:
    """Finds the step of each event. All is placed by steps, epochs too: a tracker that takes back
    what comes again takes back all that stands at a step or later.

    Args:
        steps: per epoch; what is known before the first `Step`.
    """

    def __init__(self, facts: Facts, steps: int) -> None:
        self.part, self.interval, self.steps = facts.measured_on, facts.log_interval, steps
        self.step: int | None = None
        self.told: list[str] = []

    def items(self, event: Event) -> Iterator[Item]:
        """What there is to write of an event; steps are thinned as in `log.txt`."""
        match event:
            case Notice():
                self.told.append(event.text)  # where it belongs is known with the next step
            case Step():
                self.steps = event.steps
                yield from self._reach((event.epoch - 1) * event.steps + event.step, once=True)
                if self._at % self.interval == 0:
                    yield Figures(self._at, _of_step(event))
            case EpochEnd():
                yield from self._reach(event.epoch * self.steps)
                yield Figures(self._at, _of_epoch(event, self.part))
            case Finished():
                # Behind the last step, so that taking back results takes back nothing else.
                yield from self._reach(event.epochs * self.steps + 1)
                self.told.append(f"best epoch {event.best_epoch} of {event.epochs}: {event.reason}")
            case Measured():
                yield from self._tell()
                yield Figures(self._at, _of_part(event))
            case Saved() if event.what in PICTURES:
                yield Picture(self._at, event.path)
            case _:
                pass

    def end(self, status: Status, reason: str) -> Iterator[Item]:
        """The last items."""
        yield from self._tell()
        yield End(self._at, status, reason)

    @property
    def _at(self) -> int:
        return self.step or 0

    def _reach(self, step: int, *, once: bool = False) -> Iterator[Item]:
        """Args: once: no two events of this kind have the same step."""
        if self.step is None or step < self.step or (once and step == self.step):
            yield Begin(step)
        self.step = step
        yield from self._tell()

    def _tell(self) -> Iterator[Told]:
        if self.told:
            yield Told(self._at, tuple(self.told))
            self.told.clear()


def _of_step(event: Step) -> dict[str, float]:
    return {
        "step/loss": event.loss,
        "step/lr": event.lr,
        "step/images_per_second": event.images_per_second,
        "step/waiting": event.waiting,
    }


def _of_epoch(event: EpochEnd, part: str) -> dict[str, float]:
    return {
        "train/loss": event.train_loss,
        "train/accuracy": event.train_accuracy,
        f"{part}/loss": event.val_loss,
        f"{part}/accuracy": event.val_accuracy,
        "epoch/number": event.epoch,
        "epoch/image_size": event.image_size,
        "epoch/images_per_second": event.images_per_second,
        "epoch/seconds": event.seconds,
    }


def _of_part(event: Measured) -> dict[str, float]:
    low, high = event.interval
    name = f"result/{event.part}_accuracy"
    return {name: event.accuracy, f"{name}_low": low, f"{name}_high": high}
