"""Training: `fit` is a loop that yields what happens; the caller decides what to do about it.

The step itself is in `step.py`.
"""

import math
import time
from collections.abc import Iterator, Sequence
from itertools import islice

from shortcut.data.loaders import Batch
from shortcut.errors import NumbersError
from shortcut.evaluation import measuring
from shortcut.events import EpochEnd, Event, Finished, Notice, Step
from shortcut.job import Job, Tally
from shortcut.metrics import Scores
from shortcut.optim import scale_lr
from shortcut.outlook import seconds_left
from shortcut.schedule import lr_factor
from shortcut.step import train_step

UNUSABLE = 3
"""So many steps in a row whose numbers are not finite are no accident of one picture."""


def fit(job: Job) -> Iterator[Event]:
    """Train from where `job` is to the end; yields a `Step` per step and an `EpochEnd` per epoch.

    While the generator stands at any event, `job` is consistent: it may be saved as it is, in the
    middle of an epoch too, and a `fit` of what was saved goes on with the same bits.

    Raises:
        NumbersError: the numbers of three steps in a row, or of a measurement, are not finite. No
            such number has reached the weights.
    """
    while (epoch := len(job.history)) < job.epochs and _reason_to_stop(job) is None:
        if not job.tally.steps:
            job.tally = Tally(unusable=job.tally.unusable)
        yield from _train_epoch(job, epoch)
        trained = job.tally.seconds
        job.world.align(job.measured.model)  # each has running statistics of its own pictures
        scores = yield from measuring(job.measured, job.val, job.precision, job.world)
        if not math.isfinite(scores.loss):
            raise NumbersError(
                f"the validation loss is {scores.loss} after epoch {epoch + 1}: {_advice(job)}"
            )
        job.history.append(_end_of(job, epoch, scores, trained))
        job.tally = Tally(unusable=job.tally.unusable)
        yield job.history[-1]
    yield Finished(
        epochs=len(job.history),
        best_epoch=job.best_epoch,
        best_accuracy=job.best.val_accuracy if job.best else 0.0,
        seconds=sum(epoch.seconds for epoch in job.history),
        reason=_reason_to_stop(job) or "all epochs done",
    )


def _reason_to_stop(job: Job) -> str | None:
    """Before the last epoch, that is."""
    patience, target = job.recipe.train.patience, job.recipe.train.target_accuracy
    if job.best and target is not None and job.best.val_accuracy >= target:
        return f"accuracy {target:g} reached"
    if patience is not None and len(job.history) - job.best_epoch >= patience:
        return f"no progress for {patience} epochs"
    return None


def _end_of(job: Job, epoch: int, scores: Scores, trained: float) -> EpochEnd:
    tally, best = job.tally, job.best
    images = max(1, tally.images)  # 0 where the numbers of no step were finite
    return EpochEnd(
        epoch=epoch + 1,
        epochs=job.epochs,
        train_loss=tally.loss / images,
        train_accuracy=tally.correct / images,
        val_loss=scores.loss,
        val_accuracy=scores.accuracy,
        lr=job.recipe.optim.lr * _factor(job, epoch, _steps(job) - 1),
        seconds=tally.seconds,
        images_per_second=tally.images / trained,
        waiting=tally.waiting / trained,
        image_size=job.train.sizes[epoch],
        improved=best is None
        or (scores.accuracy, -scores.loss) > (best.val_accuracy, -best.val_loss),
    )


def _train_epoch(job: Job, epoch: int) -> Iterator[Step | Notice]:
    job.classifier.model.train()
    accumulate, tally, steps = job.recipe.train.accumulate, job.tally, _steps(job)
    loader, batches = job.train, job.train.epoch(epoch, tally.steps * accumulate)
    for index in range(tally.steps, steps):
        if job.train is not loader:  # its sizes were planned anew
            loader, batches = job.train, job.train.epoch(epoch, index * accumulate)
        asked = time.perf_counter()
        group = list(islice(batches, accumulate))
        tally.waiting += time.perf_counter() - asked
        factor = _factor(job, epoch, index)
        scale_lr(job.optimizer, factor)
        pieces = job.pieces
        taken = train_step(job, group, epoch, index * accumulate)
        tally.steps = index + 1
        if job.pieces > pieces:
            yield _in_pieces(job)
        if taken is None:
            tally.unusable += 1
            if tally.unusable == UNUSABLE:
                raise NumbersError(_what_went_wrong(job, epoch, group))
            yield Notice(f"{_where(epoch, index)}: loss or gradient not finite; step left out")
            continue
        tally.unusable = 0
        tally.images += taken.images
        tally.loss += taken.loss * taken.images
        tally.correct += taken.correct
        yield Step(
            epoch=epoch + 1,
            epochs=job.epochs,
            step=index + 1,
            steps=steps,
            loss=taken.loss,
            lr=job.recipe.optim.lr * factor,
            images_per_second=tally.speed,
            waiting=tally.waited,
            seconds_left=seconds_left(job, (index + 1) / steps),
        )


def _steps(job: Job) -> int:
    """In an epoch."""
    return -(-len(job.train) // job.recipe.train.accumulate)


def _factor(job: Job, epoch: int, index: int) -> float:
    """What the learning rate is multiplied by in a step, counted from 0."""
    losses = [past.train_loss for past in job.history[:epoch]]
    when = epoch + index / _steps(job)
    return job.lr_scale * lr_factor(job.recipe.schedule, when, job.epochs, losses)


def _where(epoch: int, index: int) -> str:
    return f"epoch {epoch + 1}, step {index + 1}"


def _in_pieces(job: Job) -> Notice:
    batch = job.recipe.train.batch_size
    return Notice(
        f"out of memory: each batch of {batch} pictures now goes through the network in "
        f"{job.pieces} pieces; steps and learning rate stay, batch norm sees a piece at a time"
    )


def _what_went_wrong(job: Job, epoch: int, group: Sequence[Batch]) -> str:
    indices = [index for batch in group for index in batch.indices]
    files = [job.train.files[index].name for index in indices] if job.train.files else []
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    return (
        f"loss or gradient of {UNUSABLE} steps in a row are no finite numbers, the last in "
        f"{_where(epoch, job.tally.steps - 1)} (pictures {', '.join(files[:5])}{more}): "
        f"{_advice(job)}"
    )


def _advice(job: Job) -> str:
    return (
        f"the learning rate is probably too high; try `--lr {job.recipe.optim.lr / 10:g}` or "
        "`--set train.clip_norm=1`."
    )
