"""Training: `fit` is a loop that yields what happens; the caller decides what to do about it.

The step itself is in `step.py`.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from shortcut.errors import NumbersError
from shortcut.evaluation import measure
from shortcut.events import EpochEnd, Event, Finished, Step
from shortcut.job import Job
from shortcut.optim import scale_lr
from shortcut.schedule import lr_factor
from shortcut.step import train_step


@dataclass
class Tally:
    """Running sums of one epoch."""

    started: float = field(default_factory=time.perf_counter)
    images: int = 0
    correct: int = 0
    loss: float = 0.0
    """Sum over pictures."""
    waiting: float = 0.0
    """Seconds."""

    def speed(self) -> float:
        """Pictures a second so far."""
        return self.images / (time.perf_counter() - self.started)

    def waited(self) -> float:
        """Share of the time so far that went into waiting for pictures."""
        return self.waiting / (time.perf_counter() - self.started)


def fit(job: Job) -> Iterator[Event]:
    """Train from where `job` is to the end; yields a `Step` per step and an `EpochEnd` per epoch.

    While the generator stands at an `EpochEnd`, `job` is consistent: save what should be kept then.

    Raises:
        NumbersError: if the loss is not a finite number; the weights are those before that step.
    """
    started = time.perf_counter()
    patience, target = job.recipe.train.patience, job.recipe.train.target_accuracy
    reason = "all epochs done"
    while (epoch := len(job.history)) < job.epochs:
        if job.best and target is not None and job.best.val_accuracy >= target:
            reason = f"accuracy {target:g} reached"
            break
        if patience is not None and epoch - job.best_epoch >= patience:
            reason = f"no progress for {patience} epochs"
            break
        tally = Tally()
        yield from _train_epoch(job, epoch, tally)
        seconds = time.perf_counter() - tally.started
        scores = measure(job.measured, job.val, job.precision)
        if not math.isfinite(scores.loss):
            raise NumbersError(f"the network answers {scores.loss} after epoch {epoch + 1}.")
        best = job.best
        candidate = (scores.accuracy, -scores.loss)
        job.history.append(
            EpochEnd(
                epoch=epoch + 1,
                epochs=job.epochs,
                train_loss=tally.loss / tally.images,
                train_accuracy=tally.correct / tally.images,
                val_loss=scores.loss,
                val_accuracy=scores.accuracy,
                lr=job.optimizer.param_groups[0]["lr"],
                seconds=time.perf_counter() - tally.started,
                images_per_second=tally.images / seconds,
                waiting=tally.waiting / seconds,
                image_size=job.train.sizes[epoch],
                improved=best is None or candidate > (best.val_accuracy, -best.val_loss),
            )
        )
        yield job.history[-1]
    yield Finished(
        epochs=len(job.history),
        best_epoch=job.best_epoch,
        best_accuracy=job.best.val_accuracy if job.best else 0.0,
        seconds=time.perf_counter() - started,
        reason=reason,
    )


def _train_epoch(job: Job, epoch: int, tally: Tally) -> Iterator[Step]:
    job.classifier.model.train()
    losses = [past.train_loss for past in job.history]
    accumulate = job.recipe.train.accumulate
    steps = -(-len(job.train) // accumulate)
    batches = job.train.epoch(epoch)
    for index in range(steps):
        asked = time.perf_counter()
        group = list(islice(batches, accumulate))
        tally.waiting += time.perf_counter() - asked
        when = epoch + index / steps
        factor = lr_factor(job.recipe.schedule, when, job.epochs, losses)
        scale_lr(job.optimizer, factor)
        loss, correct = train_step(job, group, epoch, index * accumulate)
        count = sum(len(batch.labels) for batch in group)
        tally.images += count
        tally.loss += loss * count
        tally.correct += correct
        yield Step(
            epoch=epoch + 1,
            epochs=job.epochs,
            step=index + 1,
            steps=steps,
            loss=loss,
            lr=job.recipe.optim.lr * factor,
            images_per_second=tally.speed(),
            waiting=tally.waited(),
            seconds_left=_seconds_left(job, epoch, (index + 1) / steps, tally),
        )


def _seconds_left(job: Job, epoch: int, done: float, tally: Tally) -> float:
    """Time goes with the number of pixels; measuring takes a third of training's time per picture
    until known."""
    pixels = [size**2 for size in job.train.sizes]
    spent = time.perf_counter() - tally.started
    per_pixel = spent / (done * pixels[epoch])
    training = per_pixel * (sum(pixels[epoch:]) - done * pixels[epoch])
    final = job.val.preprocess.image_size**2
    measuring = per_pixel / 3 * final * len(job.val.labels) / len(job.train.labels)
    if job.history:
        last = job.history[-1]
        trained = len(job.train.labels) / last.images_per_second
        measuring = max(0.0, last.seconds - trained)
    return training + measuring * (job.epochs - epoch)
