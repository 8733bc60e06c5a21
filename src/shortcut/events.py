"""What a training reports while it runs, as plain records. The loop yields them; callers decide
what to do."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Notice:
    """One line a person should read: a choice the program made, a file it left out."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Something long beside the steps: pictures being read or measured, weights being fetched."""

    what: str
    done: int
    total: int
    """0 where nobody knows."""


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step has been taken. Epochs and steps count from 1."""

    epoch: int
    epochs: int
    step: int
    """Step within the epoch."""
    steps: int
    """Steps per epoch."""
    loss: float
    """Training loss of this step's pictures."""
    lr: float
    images_per_second: float
    """Mean over this epoch so far."""
    waiting: float
    """Share of this epoch's time so far, 0 to 1, that was spent waiting for pictures."""
    seconds_left: float
    """Forecast for the rest of the training, validation included, from what has been measured so
    far."""


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """One epoch has been trained and measured."""

    epoch: int
    epochs: int
    train_loss: float
    train_accuracy: float
    """Share of right answers during training: augmented pictures, weights in motion."""
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    images_per_second: float
    """Training speed, validation excluded."""
    waiting: float
    image_size: int
    """In pixels; a budget may change it within the last epoch: then it is of its last step."""
    improved: bool
    """True if this is the best validation accuracy so far (ties go to the lower loss)."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The last epoch is over."""

    epochs: int
    """Epochs trained in all."""
    best_epoch: int
    best_accuracy: float
    seconds: float
    """Of all epochs, those before an interruption too."""
    reason: str
    """Why it ended: `all epochs done` or `no progress for N epochs`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The best classifier, measured in full precision after the training."""

    part: str
    """`val` or `test`."""
    correct: int
    images: int
    accuracy: float
    interval: tuple[float, float]
    """95 % interval of the accuracy."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A result was written to disk."""

    what: str
    path: Path


Event = Notice | Progress | Step | EpochEnd | Finished | Measured | Saved
T = TypeVar("T")


def heard(
    story: Generator[Event, None, T], hear: Callable[[Event], object]
) -> Generator[Event, None, T]:
    """Pass a story on; `hear` gets each event before the caller does. If the caller stops, so does
    the story."""
    try:
        while True:
            try:
                event = next(story)
            except StopIteration as end:
                return end.value
            hear(event)
            yield event
    finally:
        story.close()


def run_silently(story: Generator[Event, None, T]) -> T:
    """Run a story to its end and return what it returns; nobody sees its events."""
    while True:
        try:
            next(story)
        except StopIteration as end:
            return end.value
