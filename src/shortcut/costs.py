"""What a training costs on this machine, in seconds, found by timing some of it."""

import copy
import statistics
import time
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, replace

import torch

from shortcut.data.loaders import Batch
from shortcut.evaluation import measure
from shortcut.familiarity import ENOUGH, MOST_KNOWN
from shortcut.job import Job
from shortcut.models import create_model
from shortcut.norms import unsync_norms
from shortcut.optim import make_optimizer, scale_lr
from shortcut.precision import EXACT, Precision
from shortcut.settings import OptimSettings
from shortcut.step import train_step
from shortcut.world import ALONE

CLOSING = 4.0
"""Seconds for loading, drawing and writing at the end, test pictures apart."""
UNSURE = 0.4
"""Share of pictures of which a trained classifier asks the mirror image too, where it does that for
scores below 0.9: cats and dogs, 90 % right. Of more classes nearly all: smoothed labels leave no
score above 0.91 for ten."""
PATIENCE = 3.0
"""Seconds that timing the steps of one size may take; the step that is under way is finished."""


@dataclass(frozen=True)
class Costs:
    """Seconds for one picture by one process, as measured on this machine."""

    fixed: float
    """Of a training step, whatever the size."""
    per_pixel: float
    measuring: float
    """Of a validation picture."""
    final: float
    """Of one that is measured at the end, in float32."""

    def training(self, size: int) -> float:
        """Of a training picture of `size` pixels."""
        return self.fixed + self.per_pixel * size * size

    def scaled(self, factor: float) -> "Costs":
        """All of it `factor` times as slow."""
        return Costs(*(factor * seconds for seconds in astuple(self)))


@dataclass(frozen=True)
class Work:
    """What has to be done besides what is planned, in pictures."""

    train: int
    """An epoch."""
    val: int
    """After each epoch."""
    test: int
    """Once."""
    processes: int = 1
    """That share an epoch; what comes after the last is done by the first alone."""
    opening: float = 0.0
    """Seconds to open the test pictures, before they are measured."""

    def epoch(self, size: int, costs: Costs) -> float:
        """Seconds for an epoch at `size` pixels."""
        return self.rest(size, costs, 0.0)

    def rest(self, size: int, costs: Costs, done: float) -> float:
        """Seconds for what is left of an epoch of which the share `done` is trained."""
        alone = (1 - done) * self.train * costs.training(size) + self.val * costs.measuring
        return alone / self.processes

    def ending(self, costs: Costs) -> float:
        """Seconds from the last epoch to the last file."""
        # The best classifier is measured once more, and looks at what it is to know.
        known = min(self.train, MOST_KNOWN) if self.val >= ENOUGH else 0
        measured = (self.val + self.test + known) * costs.final
        return CLOSING + self.opening + measured


def measure_optimizers(
    names: Collection[str], settings: OptimSettings, classes: int, device: torch.device
) -> dict[str, float]:
    """Seconds of an optimizer's step on this machine, for each network of `names`."""
    found: dict[str, float] = {}
    for name in names:
        model = create_model(name, num_classes=classes).to(device)
        optimizer = make_optimizer(model, settings)
        for _ in range(2):  # the first makes its buffers
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)
            started = time.perf_counter()
            optimizer.step()
            if device.type != "cpu":
                torch.accelerator.synchronize(device)
            found[name] = time.perf_counter() - started
    return found


def measure_costs(job: Job, sizes: Sequence[int]) -> Costs:
    """Time training steps at the smallest and the largest of `sizes`, and a batch of validation.

    On a copy, by this process alone: `job` is not changed. What several take from each other is
    seen in the first epoch, and so is what a compiled network gains: the copy is not compiled.
    """
    alone = replace(job.classifier, model=copy.deepcopy(job.classifier.model))
    unsync_norms(alone.model)  # the other processes do something else meanwhile
    alone.model.train()
    trial = replace(job, classifier=alone, world=ALONE, shared=None)
    trial.optimizer = make_optimizer(trial.classifier.model, job.recipe.optim)
    scale_lr(trial.optimizer, 0.0)  # noise for pictures must not break what is timed
    trial.averaged = copy.deepcopy(job.averaged)
    small, large = min(sizes), max(sizes)
    # Its share of a batch; the optimizer's work is nobody's share.
    count = max(2, min(job.recipe.train.batch_size, len(job.train.labels)) // job.world.size)
    seconds = {size: _step_seconds(trial, size, count) for size in (small, large)}
    slope = 0.0
    if large > small:
        slope = max(0.0, (seconds[large] - seconds[small]) / (large**2 - small**2))
    fixed = max(0.0, seconds[small] - slope * small**2)
    measuring = (_measure_seconds(trial, precision) for precision in (job.precision, EXACT))
    return Costs(fixed, slope, *measuring)


def _measure_seconds(trial: Job, precision: Precision) -> float:
    """For one validation picture. A network that has learnt nothing asks for every mirror image, so
    they are left out, and counted as often as one that has learnt asks."""
    given = trial.classifier
    mirrored = float(given.mirror_below > 0)
    if given.mirror_below < 1 and len(given.classes) == 2:
        mirrored *= UNSURE
    count = min(len(trial.val.labels), trial.val.batch_size)
    few = replace(trial.val, labels=trial.val.labels[:count])
    alone = replace(given, mirror_below=0.0)
    measure(alone, few, precision)  # the first time takes longer, for kernels
    started = time.perf_counter()
    measure(alone, few, precision)
    return (1 + mirrored) * (time.perf_counter() - started) / count


def _step_seconds(trial: Job, size: int, count: int) -> float:
    """For one of `count` pictures a batch: the median of three steps, after two that warm up; of
    fewer where they are slow."""
    images = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8)
    labels = torch.tensor(trial.train.labels[:count])
    batch = Batch(images, labels, tuple(range(count)), count, count)
    batches = [batch] * trial.recipe.train.accumulate
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < PATIENCE:
        started = time.perf_counter()
        train_step(trial, batches, 0)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[2:] or seconds[-1:]) / (count * len(batches))
