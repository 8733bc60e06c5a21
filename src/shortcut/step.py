"""One optimizer step. It is written once, for every precision, accumulation, mixing and averaging:
what is off does nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from shortcut.data.loaders import Batch
from shortcut.data.mixing import Mixed, mix
from shortcut.job import Job


@dataclass(frozen=True)
class Taken:
    """What a step saw."""

    loss: float
    """Mean over its pictures."""
    correct: int
    images: int


def train_step(job: Job, batches: Sequence[Batch], epoch: int, first: int = 0) -> Taken | None:
    """One optimizer step on the pictures of all `batches`, as if they were one batch.

    Where memory runs out, `job.pieces` is doubled and the step begun anew: each batch then goes
    through the network in smaller pieces, whose gradients add up to the same.

    Args:
        first: position in the epoch of the first of `batches`; with (seed, epoch) it decides how
            they are mixed.

    Returns:
        What it saw; None if the loss or a gradient is not finite: then nothing has changed.

    Raises:
        RuntimeError: memory runs out for two pictures, or in one of several processes: the others
            wait for its gradients then and cannot begin anew.
    """
    model = job.classifier.model
    statistics = list(model.buffers())
    before = [statistic.clone() for statistic in statistics]
    if job.world.unsettled(job.network):
        _forward_and_back(job, batches[-1:], epoch, first)
        _undo(job, statistics, before)
    while (taken := _add_gradients(job, batches, epoch, first)) is None:
        _undo(job, statistics, before)
        job.pieces *= 2
    norm = get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    if not (math.isfinite(taken.loss) and math.isfinite(norm)):
        _undo(job, statistics, before)
        return None
    if limit := job.recipe.train.clip_norm:
        clip_grads_with_norm_(model.parameters(), limit, norm)
    job.optimizer.step()
    job.optimizer.zero_grad(set_to_none=True)
    if job.averaged is not None:
        job.averaged.update_parameters(model)
    job.step += 1
    return taken


def _undo(job: Job, statistics: Sequence[Tensor], before: Sequence[Tensor]) -> None:
    """Take back gradients, and running statistics, which the forward pass changed already."""
    job.optimizer.zero_grad(set_to_none=True)
    for new, old in zip(statistics, before, strict=True):
        new.copy_(old)


def _add_gradients(job: Job, batches: Sequence[Batch], epoch: int, first: int) -> Taken | None:
    """Gradients of the mean loss over all pictures; None if memory ran out and pieces can be
    smaller."""
    largest = max(len(batch.labels) for batch in batches)
    try:
        return _forward_and_back(job, batches, epoch, first)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error) or largest // 2 <= job.pieces or job.world.size > 1:
            raise
    # Here, not above: the error holds on to what was computed.
    if job.classifier.device.type == "cuda":
        torch.cuda.empty_cache()
    return None


def _forward_and_back(job: Job, batches: Sequence[Batch], epoch: int, first: int) -> Taken:
    device, world = job.classifier.device, job.world
    total = sum(batch.total for batch in batches)
    loss_sum, correct = 0.0, 0.0
    for position, batch in enumerate(batches, first):
        images = job.precision.place(job.classifier.normalise(batch.images.to(device)))
        key = (job.recipe.seed, epoch, position)
        mixed = mix(images, batch.labels.to(device), job.recipe.augment, key)
        pieces, left = list(mixed.pieces(job.pieces)), batch.counted
        for piece in pieces:
            counted = min(left, len(piece.labels))
            left -= counted
            last = batch is batches[-1] and piece is pieces[-1]
            with world.quiet(job.network, unless=last):
                with job.precision.autocast(device):
                    outputs = job.network(piece.images)
                loss = _loss(outputs.float(), piece, job.recipe.train.label_smoothing, counted)
                # Gradients are averaged over processes, and here a sum is wanted.
                (loss * (world.size / total)).backward()
            right = (outputs[:counted].argmax(1) == piece.labels[:counted]).sum()
            figures = torch.stack((loss.detach(), right))  # one wait for the device, not two
            added, hits = figures.tolist()
            loss_sum, correct = loss_sum + added, correct + hits
    loss_sum, correct = world.sum(torch.tensor([loss_sum, correct], dtype=torch.float64)).tolist()
    return Taken(loss_sum / total, int(correct), total)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: each kind of device says so in its own words."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(
        sign in words for sign in ("out of memory", "can't allocate memory", "bad_alloc")
    )


def _loss(outputs: Tensor, mixed: Mixed, smoothing: float, counted: int) -> Tensor:
    """Sum over the first `counted` pictures."""
    answers, labels, others = outputs[:counted], mixed.labels[:counted], mixed.others[:counted]

    def of(truth: Tensor) -> Tensor:
        return F.cross_entropy(answers, truth, label_smoothing=smoothing, reduction="sum")

    if mixed.share == 1.0:
        return of(labels)
    return mixed.share * of(labels) + (1 - mixed.share) * of(others)
