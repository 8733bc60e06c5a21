"""Stories run to their end, or up to a place in them."""

from collections.abc import Callable, Generator

import pytest

from shortcut import keeping
from shortcut.events import EpochEnd, Event, Notice, Step
from shortcut.job import Job
from shortcut.runs import Outcome


def drain(story: Generator[Event, None, Outcome]) -> tuple[list[Event], Outcome]:
    """All events, and what came of them."""
    events: list[Event] = []
    while True:
        try:
            events.append(next(story))
        except StopIteration as end:
            return events, end.value


def stop_at(story: Generator[Event, None, Outcome], place: Callable[[Event], bool]) -> None:
    """Close it at the first event at which `place` says so."""
    for event in story:
        if place(event):
            story.close()
            return
    raise AssertionError("the story came to its end")


class CalmPace:
    """A pace that has no clock and plans nothing."""

    def __init__(self, job: Job, *_: object) -> None:
        self.job = job

    def describe(self) -> Notice:
        return Notice("plan: as asked")

    verdict = describe

    def adjust(self, _: EpochEnd) -> None:
        return None

    def glance(self, _: Step) -> None:
        return None

    def left(self) -> float:
        return 0.0


def save_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are saved after each step, whatever that costs."""
    monkeypatch.setattr(keeping, "PAUSE", 0.0)
    monkeypatch.setattr(keeping, "PRICE", float("inf"))
