"""Training: `fit` is a loop that yields what happens; the caller decides what to do about it.

The step is written once, for every precision, accumulation, mixing and averaging: what is off does
nothing.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from shortcut.data.loaders import Batch
from shortcut.data.mixing import Mixed, mix
from shortcut.errors import NumbersError
from shortcut.evaluation import measure
from shortcut.events import EpochEnd, Event, Finished, Step
from shortcut.job import Job
from shortcut.optim import scale_lr
from shortcut.schedule import lr_factor


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
    epochs, patience = job.recipe.train.epochs, job.recipe.train.patience
    reason = "all epochs done"
    for epoch in range(len(job.history), epochs):
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
                epochs=epochs,
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
        factor = lr_factor(job.recipe.schedule, when, job.recipe.train.epochs, losses)
        scale_lr(job.optimizer, factor)
        loss, correct = train_step(job, group, epoch, index * accumulate)
        count = sum(len(batch.labels) for batch in group)
        tally.images += count
        tally.loss += loss * count
        tally.correct += correct
        yield Step(
            epoch=epoch + 1,
            epochs=job.recipe.train.epochs,
            step=index + 1,
            steps=steps,
            loss=loss,
            lr=job.recipe.optim.lr * factor,
            images_per_second=tally.speed(),
            waiting=tally.waited(),
            seconds_left=_seconds_left(job, epoch, (index + 1) / steps, tally),
        )


def train_step(job: Job, batches: Sequence[Batch], epoch: int, first: int = 0) -> tuple[float, int]:
    """One optimizer step on the pictures of all `batches`, as if they were one batch.

    Args:
        first: position in the epoch of the first of `batches`; with (seed, epoch) it decides how
            they are mixed.

    Returns:
        The mean loss and the number of right answers.

    Raises:
        NumbersError: if the loss or a gradient is not finite; no weight has been changed, but
            running statistics may have been.
    """
    model, device = job.classifier.model, job.classifier.device
    total = sum(len(batch.labels) for batch in batches)
    loss_sum, correct = 0.0, 0.0
    for position, batch in enumerate(batches, first):
        images = job.precision.place(job.classifier.normalise(batch.images.to(device)))
        key = (job.recipe.seed, epoch, position)
        mixed = mix(images, batch.labels.to(device), job.recipe.augment, key)
        with job.precision.autocast(device):
            outputs = model(mixed.images)
        loss = _loss(outputs.float(), mixed, job.recipe.train.label_smoothing)
        (loss * (len(batch.labels) / total)).backward()
        right = (outputs.argmax(1) == mixed.labels).sum()
        figures = torch.stack((loss.detach(), right))  # one wait for the device, not two
        mean, hits = figures.tolist()
        loss_sum, correct = loss_sum + mean * len(batch.labels), correct + hits
    limit = job.recipe.train.clip_norm or math.inf
    norm = clip_grad_norm_(model.parameters(), limit)
    if not (math.isfinite(loss_sum) and math.isfinite(norm)):
        job.optimizer.zero_grad(set_to_none=True)
        raise NumbersError(
            f"the loss or its gradient is no finite number in epoch {epoch + 1}: the learning rate "
            f"is probably too high; try `--lr {job.recipe.optim.lr / 10:g}` or "
            "`--set train.clip_norm=1`."
        )
    job.optimizer.step()
    job.optimizer.zero_grad(set_to_none=True)
    if job.averaged is not None:
        job.averaged.update_parameters(model)
    job.step += 1
    return loss_sum / total, int(correct)


def _loss(outputs: Tensor, mixed: Mixed, smoothing: float) -> Tensor:
    loss = F.cross_entropy(outputs, mixed.labels, label_smoothing=smoothing)
    if mixed.share == 1.0:
        return loss
    other = F.cross_entropy(outputs, mixed.others, label_smoothing=smoothing)
    return mixed.share * loss + (1 - mixed.share) * other


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
    return training + measuring * (job.recipe.train.epochs - epoch)
