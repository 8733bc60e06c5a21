"""Following a training: each tracker is at work in a thread of its own, and fails for itself."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from shortcut.disk import reason_of, write_whole
from shortcut.errors import InterruptedRunError, ShortcutError
from shortcut.events import EpochEnd, Event, Finished, Notice, Saved, Step
from shortcut.recipe import read_recipe
from shortcut.runfolder import read_facts
from shortcut.tracking.items import Course, Item, Status, Tracked

PATIENCE = 60.0
"""Seconds in which trackers may write the rest when a training has ended."""
HURRY = 15.0
"""The same where it was asked to end: who takes a machine away often gives it thirty."""
STEPS = "tracking.json"
"""In the run folder: how many steps an epoch has. A training may go on behind the last of them."""

T = TypeVar("T")
Write = Callable[[Tracked, Iterable[Item]], None]


def tracked(story: Generator[Event, None, T], names: Sequence[str]) -> Generator[Event, None, T]:
    """Pass on the story of a training (`runs.training`, `runs.resuming`); trackers write what
    happens. One that fails is named in a notice and left alone: the training goes on.

    They begin with the first step, so a training that never gets there leaves nothing behind. Only
    the first of several processes gets to know the run folder, and so tracks.

    Args:
        names: `tensorboard` writes into the run folder, `mlflow` to where MLFLOW_TRACKING_URI says.

    Raises:
        ResourceError: a tracker's package is missing; the story has not begun then.
    """
    following = Following({name: find_tracker(name) for name in names})
    try:
        while True:
            try:
                event = next(story)
            except StopIteration as end:
                following.end("finished", "")
                yield from following.faults()
                return end.value
            following.hear(event)
            yield event
            yield from following.faults()
    except (InterruptedRunError, KeyboardInterrupt, GeneratorExit) as error:
        try:
            story.close()  # first of all: the state is saved there
        finally:
            following.end("interrupted", str(error))
        raise
    except Exception as error:
        following.end("failed", str(error))
        raise
    finally:
        story.close()


def find_tracker(name: str) -> Write:
    """The function that writes for tracker `name`, its package loaded.

    Raises:
        ResourceError: that is missing.
    """
    if name == "tensorboard":
        from shortcut.tracking import tensorboard

        tensorboard.load_package()
        return tensorboard.write_events
    from shortcut.tracking import mlflow

    mlflow.load_package()
    return mlflow.log_run


class Following:
    """Hands what happens to trackers, from the first step on."""

    def __init__(self, trackers: dict[str, Write]) -> None:
        self.trackers = trackers
        self.folder: Path | None = None
        self.before: list[Notice] = []
        """What was told before the first step."""
        self.course: Course | None = None
        self.desks: list[Desk] = []
        self.problems: list[str] = []

    def hear(self, event: Event) -> None:
        """Take note of one event; returns at once and never fails."""
        match event:
            case Saved(what="run folder"):
                self.folder = event.path
            case Notice() if self.course is None:
                self.before.append(event)
            case Step() | EpochEnd() | Finished() if self.folder and self.course is None:
                with self._watched():
                    self._open(self.folder, event)
            case _:
                pass
        self._hand_out(self.course.items(event) if self.course else ())

    def end(self, status: Status, reason: str) -> None:
        """Let all write the rest, as far as they do it within PATIENCE or HURRY."""
        if self.course is None:
            return
        self._hand_out(self.course.end(status, reason))
        self.course = None
        until = time.monotonic() + (HURRY if status == "interrupted" else PATIENCE)
        for desk in self.desks:
            desk.finish(until)

    def faults(self) -> Iterator[Notice]:
        """A notice for each tracker that has failed since the last call."""
        problems = [*self.problems, *(line for desk in self.desks for line in desk.problems())]
        self.problems.clear()
        for line in problems:
            yield Notice(f"tracking has ended: {line}; the training is not affected")

    def _open(self, folder: Path, first: Event) -> None:
        run = Tracked(folder, read_facts(folder), read_recipe(folder / "recipe.yaml"))
        self.course = Course(run.facts, _steps(folder, first))
        for told in self.before:
            self._hand_out(self.course.items(told))
        self.desks = [Desk(name, write, run) for name, write in self.trackers.items()]

    def _hand_out(self, items: Iterable[Item]) -> None:
        for item in items:
            for desk in self.desks:
                desk.put(item)

    @contextlib.contextmanager
    def _watched(self) -> Generator[None]:
        try:
            yield
        except (ShortcutError, RuntimeError) as error:  # Python's, where no thread can start
            self.folder = None
            self.problems.append(str(error).rstrip("."))


class Desk:
    """Where one tracker works: a server that is slow or gone must not hold the training up."""

    def __init__(self, name: str, write: Write, run: Tracked) -> None:
        self.name, self.write, self.run = name, write, run
        self.items: SimpleQueue[Item | None] = SimpleQueue()
        self.problem = ""
        self.told = False
        # Daemon: nobody waits for it when Python ends.
        self.thread = threading.Thread(target=self._work, name=f"track-{name}", daemon=True)
        self.thread.start()

    def put(self, item: Item) -> None:
        """One more to write; nothing where the tracker has failed."""
        if not self.problem:
            self.items.put(item)

    def finish(self, until: float) -> None:
        """Wait for the last item to be written, up to `until` by the monotonic clock."""
        self.items.put(None)
        self.thread.join(max(0.0, until - time.monotonic()))
        if self.thread.is_alive():
            self.problem = "not all was taken in time"

    def problems(self) -> Iterator[str]:
        """What went wrong, once."""
        if self.problem and not self.told:
            self.told = True
            yield f"{self.name}: {self.problem}"

    def _work(self) -> None:
        try:
            self.write(self.run, iter(self.items.get, None))
        except Exception as error:  # whatever a package raises: it is not the training's business
            self.problem = reason_of(error) or type(error).__name__


def _steps(folder: Path, first: Event) -> int:
    """Per epoch, as `first` says or an earlier process did. Where neither does, all that can come
    is the end of an epoch, and no step was ever tracked: any place will do."""
    path = folder / STEPS
    if isinstance(first, Step):
        with contextlib.suppress(ShortcutError):
            write_whole(path, json.dumps({"steps_per_epoch": first.steps}))
        return first.steps
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads(path.read_text("utf-8"))["steps_per_epoch"])
    return 1
