"""A training that ends in time: what is worth training in so many seconds, and in which sizes.

The network, its sizes and the number of epochs are chosen before the training. After each epoch the
sizes of those to come are chosen anew, so that a forecast that was wrong costs pixels, not minutes;
only where pixels do not suffice, epochs.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from shortcut.costs import Costs, Work
from shortcut.data.augment import GRID, growing_sizes
from shortcut.job import Job
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.outlook import MEASURED

STEPS, SMALLEST_BATCH = 15, 16
"""With fewer steps an epoch a small set of pictures would be seen often and learnt slowly; with
smaller batches Muon would take longer than the pictures (docs/experiments.md)."""

OFTEN = 24
"""Epochs from which on views are changed by TrivialAugment, about: with 45 it was worth 2 to 4
points, with 15 none (docs/experiments.md)."""
USUAL = 24
"""Epochs whose mean is taken for one, where it is not known yet how many there will be."""


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
class Estimate:
    """What a training takes on this machine, by multiply-adds: no network but one was timed yet."""

    rate: float
    """Multiply-adds a second of a training's forward passes in one process (so a third of what it
    does in all)."""
    work: Work
    classes: int
    batch: int
    """Pictures of an optimizer's step."""
    optimizer_seconds: Mapping[str, float]
    """Of a step of the optimizer, by network: with Muon and small batches it takes longer than the
    pictures."""

    def seconds(self, level: Level, epochs: int) -> float:
        """Of so many epochs, each with its validation."""
        work, model = self.work, create_model(level.model, num_classes=self.classes)
        small, large = (
            multiply_adds(model, size) / self.rate for size in (level.start, level.final)
        )
        sizes = growing_sizes(epochs, level.start, level.final)
        share = [(size**2 - level.start**2) / (level.final**2 - level.start**2) for size in sizes]
        pictures = sum(work.train * (small + part * (large - small)) for part in share)
        pictures += epochs * work.val * MEASURED * large
        # Processes share the pictures; each moves all weights.
        steps = epochs * -(-work.train // self.batch)
        return pictures / work.processes + steps * self.optimizer_seconds[level.model]

    def epochs(self, level: Level, seconds: float) -> float:
        """About so many fit into `seconds`, if what comes after the last has to as well."""
        model = create_model(level.model, num_classes=self.classes)
        measuring = MEASURED * multiply_adds(model, level.tested) / self.rate
        ending = self.work.ending(Costs(0.0, 0.0, measuring, measuring))
        return max(0.0, seconds - ending) * USUAL / self.seconds(level, USUAL)


def choose_level(estimate: Estimate, seconds: float) -> Level:
    """The most demanding level that sees enough pictures in `seconds`, which are for the training
    alone."""
    for level in reversed(LEVELS[1:]):
        if estimate.seconds(level, -(-level.pictures // estimate.work.train)) <= seconds:
            return level
    return LEVELS[0]


def choose_batch(pictures: int, largest: int) -> int:
    """A power of two, at most `largest`, such that an epoch has at least `STEPS` steps; 16 where
    there are few pictures."""
    size = SMALLEST_BATCH
    while 2 * size <= largest and 2 * size * STEPS <= pictures:
        size *= 2
    return min(size, largest)


def forecast(job: Job, work: Work) -> float:
    """Seconds from the first step of `job` to its last file, by nothing but the self-test of number
    formats: rough (it knows one size, one format, no optimizer and no file), and free."""
    size = job.recipe.data.image_size
    per_picture = work.processes / job.tested[size]
    measuring = MEASURED * per_picture
    costs = Costs(0.0, per_picture / size**2, measuring, final=measuring)
    return sum(work.epoch(size, costs) for size in job.train.sizes) + work.ending(costs)


def plan_epochs(
    start: int, final: int, work: Work, costs: Costs, seconds: float, done: int = 0
) -> int:
    """How many epochs there can be in all, growing from `start` to `final` pixels, if those after
    the first `done` are to fit into `seconds`; at least one of them."""
    price = cache(lambda size: work.epoch(size, costs))

    def cost(more: int) -> float:
        return sum(map(price, growing_sizes(done + more, start, final)[done:]))

    # Of short epochs there are thousands: to count them would take longer than some of them.
    least = 1
    while cost(2 * least) <= seconds:
        least *= 2
    more = range(least + 1, 2 * least)
    return done + least + bisect_right(more, seconds, key=cost)


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


def largest_size(
    size: int, bounds: tuple[float, float], price: Callable[[int], float], seconds: float
) -> int:
    """The largest pictures, in pixels, that cost at most `seconds`: whole steps of the grid from
    `size`, within `bounds`; the smallest of these, where none do."""
    least, most = bounds
    fewer, more = int((size - least) // GRID), int((most - size) // GRID)
    sizes = [size + steps * GRID for steps in range(-fewer, more + 1)]
    return max((one for one in sizes if price(one) <= seconds), default=sizes[0])
