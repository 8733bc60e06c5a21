"""What a run keeps while it trains, when that is worth its price, and getting it back."""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from shortcut.checkpoint import State, optimizer_tensors, restore_optimizer, save_state
from shortcut.classifier import Classifier
from shortcut.errors import ModelError, ResourceError
from shortcut.events import EpochEnd, Event, Notice, Step
from shortcut.improvements import forget_improvements, keep_improvement, remember_best
from shortcut.job import Job, Tally
from shortcut.precision import Precision
from shortcut.recipe import flatten
from shortcut.runfolder import Facts
from shortcut.runlog import Mark, RunLog
from shortcut.settings import Recipe

PRICE = 0.01
"""Share of the time that saving the exact state may take."""
PAUSE = 60.0
"""Seconds between two states in the middle of an epoch, at least."""
FAILURES = 3
"""So many saves in a row may fail before the training ends: a disk that is full for a while is no
reason to lose what is being learnt."""
FREE = {"name", "data.cache", "data.workers", "train.compile", "train.epochs", "train.keep"} | {
    "train.patience",
    "train.target_accuracy",
}
"""Settings that may be changed in `recipe.yaml` between an interruption and going on."""

Part = TypeVar("Part")


class Keeper:
    """Keeps the states and the models of one training in its run folder.

    Args:
        asked: epochs that `recipe.yaml` asks for, where a budget has planned others.
    """

    def __init__(
        self, job: Job, folder: Path, facts: Facts, log: RunLog, asked: int | None = None
    ) -> None:
        self.job, self.folder, self.facts, self.log = job, folder, facts, log
        self.asked = job.recipe.train.epochs if asked is None else asked
        self.saved: tuple[int, int, float] | None = None
        """Where the training was when its state was saved last."""
        self.when, self.cost = time.monotonic(), 0.0
        self.failures = 0
        self.waiting: tuple[Classifier, EpochEnd] | None = None
        """An improvement that could not be written yet."""

    def after(self, events: Sequence[Event]) -> list[Notice]:
        """Log what happened, then keep what is worth it: the best classifier after an epoch, the
        state when it is due.

        Returns:
            What the person should know of it.
        """
        for event in events:
            self.log.write(event)  # first: the state remembers where the log ended
        match events[0]:
            case EpochEnd():
                return list(self._after_epoch(events[0]))
            case Step() if self._is_due(PAUSE):
                return list(self._try())
            case _:
                return []

    def _after_epoch(self, epoch: EpochEnd) -> Iterator[Notice]:
        if epoch.improved:
            try:
                self._write_best(self._measured(epoch), epoch)
                self.waiting = None  # an earlier one that could not be written is worse
            except ResourceError:
                # The weights are about to move on.
                self.waiting = copy.deepcopy(self._measured(epoch)), epoch
        if self.waiting or self._is_due(0.0):
            yield from self._try()

    def save(self) -> None:
        """Save the exact state, and after an epoch the classifier as it is now; nothing if that is
        there already.

        Raises:
            ResourceError: it cannot be written; older states are whole.
        """
        job = self.job
        if self.waiting:
            self._write_best(*self.waiting)
            self.waiting = None
        place = _place(job)
        if place == self.saved:
            return
        begun = time.monotonic()
        # The state last: once it is there, nobody will look whether the others are.
        if job.best:
            remember_best(self.folder, job.best.epoch)
        if job.history and not job.tally.steps:
            self._measured(job.history[-1]).save(self.folder / "last.safetensors")
        save_state(self.folder / "resume", state_of(job, self.log.mark(), self.asked))
        self.saved, self.when = place, time.monotonic()
        self.cost = self.when - begun

    def rewind(self, state: State) -> None:
        """Make the folder what it was when `state` was saved: the job is there again.

        Raises:
            ModelError: `state` is of another version.
            ResourceError: the folder cannot be written.
        """
        self.log.rewind(_of_state(Mark, state.log), state.history)
        self.waiting, self.saved = None, _place(self.job)
        forget_improvements(self.folder, len(state.history), self.job.best_epoch)

    def went_back(self, state: State, notices: Sequence[Notice]) -> None:
        """As `rewind`, and save that the learning rate is another now."""
        self.rewind(state)
        for notice in notices:
            self.log.write(notice)
        self.saved = None
        self.save()

    def _try(self) -> Iterator[Notice]:
        try:
            self.save()
            self.failures = 0
        except ResourceError as error:
            self.failures += 1
            if self.failures == FAILURES:
                raise
            self.when = time.monotonic()
            notice = Notice(f"not saved: {error} Training goes on.")
            self.log.write(notice)
            yield notice

    def _is_due(self, pause: float) -> bool:
        return time.monotonic() - self.when >= max(pause, self.cost / PRICE)

    def _measured(self, epoch: EpochEnd | None) -> Classifier:
        figures = {"epoch": epoch.epoch, "val_accuracy": epoch.val_accuracy} if epoch else {}
        facts = self.facts
        return replace(
            self.job.measured,
            metrics=figures,
            created=facts.started,
            version=facts.versions["shortcut"],
        )

    def _write_best(self, classifier: Classifier, epoch: EpochEnd) -> None:
        best = self.folder / "best.safetensors"
        classifier.save(best)
        keep_improvement(self.folder, best, epoch, self.job.recipe.train.keep)


def _place(job: Job) -> tuple[int, int, float]:
    return len(job.history), job.tally.steps, job.lr_scale


def state_of(job: Job, mark: Mark, asked: int = 0) -> State:
    """Everything that `restore` needs; tensors are the job's own, to be written at once."""
    tally = asdict(replace(job.tally, before=job.tally.seconds))
    del tally["started"]  # a clock's reading means nothing to another process
    return State(
        model=job.classifier.model.state_dict(),
        optimizer=optimizer_tensors(job.optimizer),
        averaged={} if job.averaged is None else job.averaged.state_dict(),
        step=job.step,
        history=tuple(job.history),
        sizes=tuple(job.train.sizes),
        precision=asdict(job.precision),
        tally=tally,
        lr_scale=job.lr_scale,
        pieces=job.pieces,
        adaptable=job.adaptable,
        log=asdict(mark),
        settings=job.recipe.model_dump(mode="json"),
        asked=asked,
        pictures=job.pictures,
    )


def restore(job: Job, state: State) -> None:
    """Bring a job to where `state` was saved.

    Raises:
        ModelError: if the state is of another recipe than the job's, or of another version.
    """
    changed = _differences(state.settings, job.recipe)
    if changed:
        raise ModelError(
            f"recipe.yaml was changed since the state was saved: {', '.join(changed)}. "
            "Change it back, or start a new run with `train`."
        )
    try:
        job.classifier.model.load_state_dict(state.model)
        restore_optimizer(job.optimizer, state.optimizer)
        if job.averaged is not None:
            job.averaged.load_state_dict(state.averaged)
    except (RuntimeError, KeyError, IndexError, ValueError) as error:
        raise ModelError(
            "recipe.yaml no longer fits the saved state: the network, the optimizer and "
            "averaging must stay as they were."
        ) from error
    job.step, job.lr_scale, job.pieces = state.step, state.lr_scale, state.pieces
    job.adaptable = state.adaptable
    job.history, job.tally = list(state.history), _of_state(Tally, state.tally)
    # A budget may have planned other epochs than `recipe.yaml` asks for. Where that asks for others
    # than it did, a person has the last word.
    if job.recipe.train.epochs in (state.asked, len(state.sizes)):
        job.plan(state.sizes)


def precision_of(state: State) -> Precision:
    """The number format that its training had.

    Raises:
        ModelError: `state` is of another version.
    """
    return _of_state(Precision, state.precision)


def _of_state(kind: Callable[..., Part], fields: Mapping[str, Any]) -> Part:
    try:
        return kind(**fields)
    except TypeError as error:
        raise ModelError(f"the state is of another version of shortcut ({error}).") from error


def _differences(saved: Mapping[str, Any], recipe: Recipe) -> list[str]:
    with contextlib.suppress(ValueError):  # one that this version does not have stays, and is told
        # What an older version did not have yet was as it is by default.
        saved = Recipe.model_validate(saved).model_dump(mode="json")
    then, now = flatten(saved), flatten(recipe.model_dump(mode="json"))
    return [
        f"{name} was {then.get(name)} and is {now.get(name)}"
        for name in sorted((then.keys() | now.keys()) - FREE)
        if then.get(name) != now.get(name)
    ]
