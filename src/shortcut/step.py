"""One optimizer step. It is written once, for every precision, accumulation, mixing and averaging:
what is off does nothing."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from shortcut.data.loaders import Batch
from shortcut.data.mixing import Mixed, mix
from shortcut.errors import NumbersError
from shortcut.job import Job


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
