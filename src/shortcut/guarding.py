"""Training with all that may happen on the way: states are saved, signals obeyed, numbers that went
wrong taken back."""

import contextlib
import json
import signal
from collections.abc import Generator

from shortcut.checkpoint import load_state, share_state
from shortcut.errors import (
    DataError,
    InterruptedRunError,
    NumbersError,
    ResourceError,
    ShortcutError,
)
from shortcut.events import EpochEnd, Event, Notice, Step
from shortcut.job import Job
from shortcut.keeping import Keeper, restore
from shortcut.outlook import seconds_left
from shortcut.pace import Pace, is_glance
from shortcut.signals import Stop
from shortcut.speed import describe_bound
from shortcut.step import is_out_of_memory
from shortcut.training import fit
from shortcut.world import gone, is_lost


def guarded(
    job: Job, keeper: Keeper | None, stop: Stop, pace: Pace | None = None
) -> Generator[Event, None, None]:
    """Train `job` to the end, or until `stop` asks for it; every event is logged, then yielded.

    Closing this generator loses nothing either.

    Args:
        keeper: None in all processes but the first, which take part and keep nothing.
        stop: of this process; all stop together, whichever was asked.

    Raises:
        InterruptedRunError: it was asked to stop; the exact state is saved.
        Stopped: the same, by a signal that came at the very end.
        NumbersError: to go back and halve the learning rate did not help.
        DataError: a picture can no longer be read; the exact state is saved.
        ResourceError: memory ran out for two pictures, a GPU or another process failed, or states
            cannot be written.
    """
    with stop.deferred():
        _share_plan(job)
        if keeper:
            keeper.save()  # from here on `resume` finds something
        done = False
        while not done:
            try:
                yield from _fit(job, keeper, stop, pace)
                done = True
            except NumbersError as error:
                yield from _go_back(job, keeper, error)
            except (MemoryError, RuntimeError) as error:
                _explain(error, job)
                raise
            except DataError:
                if keeper:
                    keeper.save()  # a picture is gone; no step has begun
                raise
        if keeper:
            keeper.save()


def _fit(
    job: Job, keeper: Keeper | None, stop: Stop, pace: Pace | None
) -> Generator[Event, None, None]:
    first = len(job.history) + 1
    for event in fit(job):
        events: list[Event] = [event]
        if isinstance(event, Step) and is_glance(event):
            if pace:
                pace.glance(event)
            _share_plan(job)
        elif isinstance(event, EpochEnd):
            if pace and (changed := pace.adjust(event)):
                events.append(changed)
            _share_plan(job)
            if event.epoch == first:
                events.append(describe_bound(job, pace.left() if pace else seconds_left(job)))
        if keeper:
            events += keeper.after(events)
        try:
            yield from events
        except GeneratorExit:
            if keeper:
                keeper.save()
            raise
        if number := job.world.largest(stop.number):
            if keeper:
                keeper.save()
            raise _stopped(job, keeper, number)


def _share_plan(job: Job) -> None:
    """The first process plans by its clock; the others follow."""
    if job.world.size > 1:
        job.plan(json.loads(job.world.share(json.dumps(list(job.train.sizes)).encode())))


def _go_back(job: Job, keeper: Keeper | None, error: NumbersError) -> Generator[Notice, None, None]:
    """To the last state, to go on from there at half the learning rate, once."""
    if job.lr_scale < 1.0:
        raise error
    # With the weights of this very step the same numbers would come again.
    found = load_state(keeper.folder / "resume", before=job.step) if keeper else None
    state = share_state(job.world, found[0] if found else None)
    if state is None:
        raise error
    restore(job, state)
    job.lr_scale, job.tally.unusable = 0.5, 0
    cause = str(error).partition(": ")[0]
    told = [f"{cause}; back to step {state.step}, on at half the learning rate"]
    notices = [Notice(text) for text in (*(found[1] if found else ()), *told)]
    if keeper:
        keeper.went_back(state, notices)
    yield from notices


def _stopped(job: Job, keeper: Keeper | None, number: int) -> InterruptedRunError:
    where = f"interrupted in epoch {len(job.history) + 1} after {job.tally.steps} step(s)"
    if keeper is None:
        return InterruptedRunError(f"{where}.", number)
    folder, best = keeper.folder, job.best
    if number == signal.SIGINT and best:
        from shortcut.report.charts import draw_curves  # matplotlib takes a second

        with contextlib.suppress(ShortcutError):  # somebody is there to look at them
            part = keeper.facts.measured_on
            draw_curves(job.history, folder / "curves.png", title=folder.name, part=part)
    figures = (
        f"the best model so far (epoch {best.epoch}, accuracy {best.val_accuracy:.3f}) is "
        f"{folder}/best.safetensors; "
        if best
        else ""
    )
    return InterruptedRunError(
        f"{where}, nothing is lost: {figures}`shortcut resume {folder}` goes on.", number
    )


def _explain(error: Exception, job: Job) -> None:
    """Say of a device that failed what to do; pass over any other error."""
    if is_out_of_memory(error):
        smaller = max(32, job.recipe.data.image_size // 2)
        batch = max(2, job.recipe.train.batch_size // job.pieces // job.world.size)
        raise ResourceError(
            f"out of memory for {batch} pictures at a time; try `--image-size {smaller}`, a "
            "smaller `--model`, or a smaller `--batch-size` with `train.accumulate` larger."
        ) from error
    if job.world.size > 1 and is_lost(error):
        raise gone(error) from error
    if "CUDA error" in str(error):
        raise ResourceError(
            f"the GPU failed ({str(error).splitlines()[0]}); `shortcut resume` goes on from the "
            "last state."
        ) from error
