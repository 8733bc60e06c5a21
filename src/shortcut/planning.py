"""A training that ends in time: what this machine can do in so many seconds, found by measuring.

The network, its sizes and the number of epochs are chosen before the training. After each epoch the
sizes of those to come are chosen anew, so that a forecast that was wrong costs pixels, not minutes.
"""

import copy
import statistics
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache

import torch

from shortcut.data.augment import GRID, growing_sizes
from shortcut.data.loaders import Batch
from shortcut.evaluation import measure
from shortcut.familiarity import ENOUGH, MOST_KNOWN
from shortcut.job import Job
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.norms import unsync_norms
from shortcut.optim import make_optimizer, scale_lr
from shortcut.outlook import MEASURED
from shortcut.precision import EXACT, Precision
from shortcut.settings import OptimSettings
from shortcut.step import train_step
from shortcut.world import ALONE

CLOSING = 4.0
"""Seconds for loading, drawing and writing at the end, test pictures apart."""
UNSURE = 0.4
"""Share of pictures of which a trained classifier asks the mirror image too, where it does that for
scores below 0.9."""
PATIENCE = 3.0
"""Seconds that timing the steps of one size may take; the step that is under way is finished."""

STEPS, SMALLEST_BATCH = 30, 16
"""With fewer steps an epoch a small set of pictures would be seen often and learnt slowly."""


@dataclass(frozen=True)
class Level:
    """What is worth training where it gets to see so many pictures; found by experiment
    (docs/experiments.md)."""

    model: str
    start: int
    """Image size of the first epoch in pixels."""
    final: int
    """Of the last."""
    tested: int
    """Of validation and prediction."""
    pictures: int
    """In all epochs together: where there are few, it takes more epochs."""


LEVELS = (
    Level("resnet18_pool32", start=64, final=96, tested=112, pictures=1),
    Level("resnet18_pool32", start=64, final=112, tested=128, pictures=75_000),
    Level("resnet18_pool32", start=64, final=128, tested=144, pictures=150_000),
    Level("resnet18_pool48", start=64, final=128, tested=144, pictures=150_000),
    Level("resnet18_pool56", start=64, final=144, tested=160, pictures=300_000),
)


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
        alone = self.train * costs.training(size) + self.val * costs.measuring
        return alone / self.processes

    def ending(self, costs: Costs) -> float:
        """Seconds from the last epoch to the last file."""
        # The best classifier is measured once more, and looks at what it is to know.
        known = min(self.train, MOST_KNOWN) if self.val >= ENOUGH else 0
        measured = (self.val + self.test + known) * costs.final
        return CLOSING + self.opening + measured


def choose_level(
    rate: float,
    work: Work,
    seconds: float,
    classes: int,
    batch: int,
    moving: Mapping[str, float],
) -> Level:
    """The most demanding level that sees enough pictures in `seconds`.

    Args:
        rate: multiply-adds a second of a training's forward passes in one process on this machine
            (so a third of what it does in all).
        seconds: for the training alone.
        batch: pictures of a step.
        moving: seconds in which the optimizer moves the weights of each network, once a step: with
            Muon and small batches longer than the pictures take.
    """
    steps = -(-work.train // batch)
    for level in reversed(LEVELS[1:]):
        model = create_model(level.model, num_classes=classes)
        small, large = (multiply_adds(model, size) / rate for size in (level.start, level.final))
        epochs = -(-level.pictures // work.train)
        sizes = growing_sizes(epochs, level.start, level.final)
        share = [(size**2 - level.start**2) / (level.final**2 - level.start**2) for size in sizes]
        needed = sum(work.train * (small + part * (large - small)) for part in share)
        needed += len(sizes) * work.val * large / 3
        # Processes share the pictures; each moves all weights.
        if needed / work.processes + len(sizes) * steps * moving[level.model] <= seconds:
            return level
    return LEVELS[0]


def choose_batch(pictures: int, largest: int) -> int:
    """A power of two, at most `largest`, such that an epoch has at least `STEPS` steps; 16 where
    there are few pictures."""
    size = SMALLEST_BATCH
    while 2 * size <= largest and 2 * size * STEPS <= pictures:
        size *= 2
    return min(size, largest)


def measure_moving(settings: OptimSettings, classes: int, device: torch.device) -> dict[str, float]:
    """Seconds of an optimizer's step on this machine, for each network of `LEVELS`."""
    found: dict[str, float] = {}
    for name in {level.model for level in LEVELS}:
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
    seen in the first epoch.
    """
    alone = replace(job.classifier, model=copy.deepcopy(job.classifier.model))
    unsync_norms(alone.model)  # the other processes do something else meanwhile
    trial = replace(job, classifier=alone, world=ALONE, shared=None)
    trial.optimizer = make_optimizer(trial.classifier.model, job.recipe.optim)
    scale_lr(trial.optimizer, 0.0)  # noise for pictures must not break what is timed
    trial.averaged = copy.deepcopy(job.averaged)
    small, large = min(sizes), max(sizes)
    seconds = {size: _step_seconds(trial, size) for size in (small, large)}
    slope = 0.0
    if large > small:
        slope = max(0.0, (seconds[large] - seconds[small]) / (large**2 - small**2))
    fixed = max(0.0, seconds[small] - slope * small**2)
    measuring = _measure_seconds(trial, job.precision, job.val.batch_size)
    return Costs(fixed, slope, measuring, _final_seconds(trial))


def _measure_seconds(trial: Job, precision: Precision, count: int) -> float:
    """For one validation picture, by one batch of `count` at most."""
    count = min(len(trial.val.labels), count)
    few = replace(trial.val, labels=trial.val.labels[:count])
    measure(trial.classifier, few, precision)  # the first time takes longer, for kernels
    started = time.perf_counter()
    measure(trial.classifier, few, precision)
    return (time.perf_counter() - started) / count


def _final_seconds(trial: Job) -> float:
    """In float32. A network that has learnt nothing asks for every mirror image, so they are left
    out, and counted as often as one that has learnt asks."""
    below = trial.classifier.mirror_below
    mirrored = UNSURE if 0 < below < 1 else below
    alone = replace(trial, classifier=replace(trial.classifier, mirror_below=0.0))
    return (1 + mirrored) * _measure_seconds(alone, EXACT, trial.val.batch_size)


def _step_seconds(trial: Job, size: int) -> float:
    """For one picture: the median of three steps, after two that warm up; of fewer where they
    are slow."""
    count = min(trial.recipe.train.batch_size, len(trial.train.labels))
    images = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8)
    labels = torch.tensor(trial.train.labels[:count])
    batch = Batch(images, labels, tuple(range(count)), count, count)
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < PATIENCE:
        started = time.perf_counter()
        train_step(trial, [batch], 0)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[2:] or seconds[-1:]) / count


def forecast(job: Job, work: Work) -> float:
    """Seconds from the first step of `job` to its last file, by nothing but the self-test of number
    formats: rough (it knows one size and no optimizer), and free."""
    size = job.recipe.data.image_size
    per_picture = 1 / job.tested[size]
    measuring = MEASURED * per_picture
    costs = Costs(0.0, per_picture / size**2, measuring, final=measuring)
    return sum(work.epoch(size, costs) for size in job.train.sizes) + work.ending(costs)


def plan_epochs(start: int, final: int, work: Work, costs: Costs, seconds: float) -> int:
    """How many epochs fit into `seconds`, growing from `start` to `final` pixels; at least one."""
    price = cache(lambda size: work.epoch(size, costs))

    def cost(epochs: int) -> float:
        return sum(map(price, growing_sizes(epochs, start, final)))

    # Of short epochs there are thousands: to count them would take longer than some of them.
    least = 1
    while cost(2 * least) <= seconds:
        least *= 2
    more = range(least + 1, 2 * least)
    return least + bisect_right(more, seconds, key=cost)


def fill_time(
    done: int, epochs: int, bounds: tuple[int, int, int], work: Work, costs: Costs, seconds: float
) -> list[int]:
    """Sizes of all epochs such that those from `done` on fill `seconds` as nearly as they can.

    First the share of growing epochs is moved; where that is not enough, the last size.

    Args:
        done: epochs that are over; their entries are as good as any.
        bounds: first size, last size, and the largest that the last may become.
    """
    start, final, largest = bounds
    candidates = [growing_sizes(epochs, start, final, share / 64) for share in range(64, -1, -1)]
    smaller = range(start, final, GRID)
    larger = range(final + GRID, largest + 1, GRID)
    candidates += [growing_sizes(epochs, start, last, 1.0) for last in smaller]
    candidates += [growing_sizes(epochs, start, last, 0.0) for last in larger]

    price = cache(lambda size: work.epoch(size, costs))

    def cost(sizes: list[int]) -> float:
        return sum(map(price, sizes[done:]))

    fitting = [sizes for sizes in candidates if cost(sizes) <= seconds]
    if not fitting:
        return min(candidates, key=cost)
    sizes = max(fitting, key=cost)
    # What is left over buys the last epochs a few more pixels; less a billionth, because sums in
    # another order differ in their last digits.
    left = seconds * (1 - 1e-9) - cost(sizes)
    for epoch in range(epochs - 1, done - 1, -1):
        ceiling = largest if epoch == epochs - 1 else sizes[epoch + 1]
        while sizes[epoch] + GRID <= ceiling:
            more = price(sizes[epoch] + GRID) - price(sizes[epoch])
            if more > left:
                break
            sizes[epoch] += GRID
            left -= more
    return sizes
