"""Keeps a training inside its budget of time: plans before it, looks at the clock after each
epoch."""

import math
import os
from collections.abc import Mapping, Sequence

from shortcut.budget import Budget, clock
from shortcut.costs import CLOSING, Work, measure_costs, measure_optimizers
from shortcut.data.cache import Keeping
from shortcut.data.forecast import seconds_to_read
from shortcut.data.samples import Sample
from shortcut.errors import RecipeError
from shortcut.events import EpochEnd, Notice
from shortcut.job import Job
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.planning import (
    LEVELS,
    OFTEN,
    Estimate,
    Level,
    choose_batch,
    choose_level,
    fill_time,
    forecast,
    plan_epochs,
)
from shortcut.precision import Choice, choose_precision
from shortcut.settings import Recipe
from shortcut.world import World

SETTLING = 0.1
"""Share of a budget in which epochs are counted anew: where pictures are few, the first epoch takes
longer than others, for caches and kernels."""
FEW = 3
"""Epochs that are left, when no later one makes good what a slow machine took."""
IDLE = 0.02
"""Share of a budget that may be left over in the end, before more epochs are planned."""
TELLING = 0.05
"""Share of the epochs up to which more or fewer of them are no news."""
LOOKING = 0.01
"""Share of a budget after which the rest is planned anew: after each of thousands of short epochs
it would take as long as they do."""

CHANGED = (
    "; views are changed by TrivialAugment: `--set augment.trivial_augment=0` where colour, or "
    "what is up, tells classes apart"
)


def choose_by_budget(
    recipe: Recipe, parts: Mapping[str, Sequence[Sample]], world: World, budget: Budget
) -> tuple[Recipe, Choice | None]:
    """`recipe` with the network, the sizes and the batch that suit the budget on this machine, and
    the number format that was found on the way."""
    base, size = LEVELS[0], LEVELS[0].final
    classes = len({sample.label for sample in parts["train"]})
    model = create_model(base.model, num_classes=classes).to(world.device)
    batch = recipe.train.batch_size
    choice = choose_precision(
        model, recipe.train.precision, image_size=size, batch_size=batch, device=world.device
    )
    work = count_work(parts, world)
    if not choice.images_per_second:
        return recipe, None  # nothing was timed: there is nothing to plan with, nor to keep
    rate = choice.fastest * multiply_adds(model, size)
    # As if none were stored: a budget should choose the same network the second time.
    reading = sum(forecast_reading(parts, recipe).values())
    names = {level.model for level in LEVELS}
    optimizer_seconds = measure_optimizers(names, recipe.optim, classes, world.device)
    batch = max(choose_batch(work.train, batch), 2 * world.size)
    step = batch * recipe.train.accumulate
    estimate = Estimate(rate, work, classes, step, optimizer_seconds)
    seconds = budget.left() - reading
    level = choose_level(estimate, seconds)
    # Not on a GPU: Pillow's processor would keep it waiting.
    often = estimate.epochs(level, seconds) >= OFTEN and world.device.type == "cpu"
    # A network to be compiled is tested once more, as it will be.
    planned = _at_level(recipe, level, batch, often=often)
    return planned, None if recipe.train.compile else choice


def forecast_reading(
    parts: Mapping[str, Sequence[Sample]], recipe: Recipe, keeping: Keeping | None = None
) -> dict[str, float]:
    """Seconds that reading each part will take, roughly.

    Args:
        keeping: pictures stored there take none; None: none are.
    """
    side, limit, threads = recipe.data.short_side, recipe.data.max_pixels, os.cpu_count() or 1
    return {
        part: seconds_to_read(samples, side, threads=threads, keeping=keeping, max_pixels=limit)
        for part, samples in parts.items()
    }


def check_reading(
    parts: Mapping[str, Sequence[Sample]], recipe: Recipe, keeping: Keeping, budget: Budget
) -> float:
    """Seconds of `budget` that opening the test pictures will take, at its end.

    Raises:
        RecipeError: reading leaves no time, which is said before anyone has waited for it.
    """
    reading = forecast_reading(parts, recipe, keeping)
    seconds = sum(reading.values())
    needed = budget.spent() + seconds + CLOSING
    if seconds > max(CLOSING, budget.left() - CLOSING):
        raise RecipeError(
            f"a budget of {budget.seconds:.0f} s is too short: opening the pictures takes about "
            f"{seconds:.0f} s here, the first time; give at least {2 * needed:.0f} s."
        )
    return reading.get("test", 0.0)


def count_work(parts: Mapping[str, Sequence[Sample]], world: World, opening: float = 0.0) -> Work:
    """Pictures to train on, to validate and to test, and who shares them.

    Args:
        opening: seconds to open the test pictures.
    """
    train, val, test = (len(parts.get(name, ())) for name in ("train", "val", "test"))
    return Work(train, val, test, world.size, opening)


def describe_forecast(job: Job, work: Work) -> Notice:
    """How long a training without a budget will take, in one line."""
    sizes = job.train.sizes
    return Notice(
        f"forecast: about {clock(forecast(job, work))} for {len(sizes)} epoch(s) of {sizes[0]} to "
        f"{sizes[-1]} px; `--budget` plans for the time you have"
    )


def _at_level(recipe: Recipe, level: Level, batch: int, *, often: bool) -> Recipe:
    augment: dict[str, float] = {
        "start_scale": level.start / level.tested,
        "final_scale": level.final / level.tested,
    }
    # Where left must not become right, what is upright must not be turned either.
    if often and recipe.augment.flip and recipe.augment.trivial_augment is None:
        augment["trivial_augment"] = 1.0
    return recipe.model_copy(
        update={
            "model": recipe.model.model_copy(update={"name": level.model, "stem": "standard"}),
            "data": recipe.data.model_copy(update={"image_size": level.tested}),
            "augment": recipe.augment.model_copy(update=augment),
            "train": recipe.train.model_copy(update={"batch_size": batch}),
        }
    )


class Pace:
    """The plan of one training, held against the clock."""

    def __init__(self, job: Job, budget: Budget, work: Work) -> None:
        """Measure this machine's steps and set the number of epochs and their sizes.

        Raises:
            RecipeError: not even one epoch of the smallest pictures fits.
        """
        side, augment = job.recipe.data.image_size, job.recipe.augment
        self.job, self.budget, self.work = job, budget, work
        self.start = round(side * augment.start_scale)
        self.final = round(side * augment.final_scale)
        self.largest = side
        """That the last may become."""
        sizes = self.start, self.largest
        self.costs = measure_costs(job, sizes)
        job.tested = {size: work.processes / self.costs.training(size) for size in sizes}
        self._refuse_too_little()
        epochs = plan_epochs(self.start, self.final, work, self.costs, self._for_epochs())
        self._plan(0, epochs)
        self.told = epochs
        """To the person, last."""
        self.forecast = budget.spent() + self.left()
        """Seconds from the start to the end, as planned before the first epoch."""
        self.looked = budget.spent()
        """At the clock, last."""

    def describe(self) -> Notice:
        """The plan in one line."""
        recipe, sizes = self.job.recipe, self.job.train.sizes
        changed = CHANGED if recipe.augment.trivial_augment else ""
        return Notice(
            f"plan: {recipe.model.name}, {len(sizes)} epoch(s) of {sizes[0]} to {sizes[-1]} px in "
            f"batches of {recipe.train.batch_size}, measured at {recipe.data.image_size} px; "
            f"forecast {clock(self.forecast)} of {clock(self.budget.seconds)}{changed}"
        )

    def adjust(self, epoch: EpochEnd) -> Notice | None:
        """After an epoch: believe what it took, and plan the rest anew; says so where that makes
        more epochs, or fewer."""
        now, done, before = self.budget.spent(), epoch.epoch, len(self.job.train.sizes)
        factor = (now - self.looked) / self.work.epoch(epoch.image_size, self.costs)
        self.costs = self.costs.scaled(_believed(factor, before - done))
        self.looked = now
        due = done in (1, before) or now - self.planned >= LOOKING * self.budget.seconds
        if not due or (after := self._length(done, before)) == done:
            return None
        self._plan(done, after)
        return self._told_anew(after)

    def left(self) -> float:
        """Seconds from now to the last file, as planned."""
        sizes = self.job.train.sizes[len(self.job.history) :]
        epochs = sum(self.work.epoch(size, self.costs) for size in sizes)
        return epochs + self.work.ending(self.costs)

    def verdict(self) -> Notice:
        """What the run took, against the budget and the forecast; to be asked for at its end."""
        took = self.budget.spent()
        return Notice(
            f"ended after {clock(took)} of {clock(self.budget.seconds)}; the first forecast was "
            f"off by {took / self.forecast - 1:+.1%}"
        )

    def _told_anew(self, epochs: int) -> Notice | None:
        """A number of epochs that a person would call another one."""
        before = self.told
        if abs(epochs - before) <= TELLING * before:
            return None
        self.told = epochs
        pace = "slower" if epochs < before else "faster"
        return Notice(f"{pace} than planned: {epochs} epochs instead of {before}")

    def _for_epochs(self) -> float:
        """Seconds from now to the last epoch's end."""
        return self.budget.left() - self.work.ending(self.costs)

    def _length(self, done: int, epochs: int) -> int:
        """Epochs in all: counted anew in the first tenth of the time; later only where even the
        smallest pictures would take too long, or even the largest leave time over."""
        seconds, whole, rest = self._for_epochs(), self.budget.seconds, epochs - done
        least, most = (self.work.epoch(size, self.costs) for size in (self.start, self.largest))
        settling = done == 1 or self.looked < SETTLING * whole
        # Half an epoch more than another one takes, or noise would add it and take it away again.
        idle = seconds - rest * most > IDLE * whole and seconds > (rest + 1.5) * least
        if settling or idle:
            sizes = self.start, self.final
            rest = plan_epochs(*sizes, self.work, self.costs, seconds, done) - done
            rest = max(rest, math.ceil(seconds / most))
        # The last even where there is no time: without it the learning rate would not come down.
        return done + max(min(1, epochs - done), min(rest, int(seconds / least)))

    def _plan(self, done: int, epochs: int) -> None:
        self.planned = self.budget.spent()
        bounds = (self.start, self.final, self.largest)
        seconds = self._for_epochs()
        sizes = fill_time(done, epochs, bounds, self.work, self.costs, seconds)
        past = [epoch.image_size for epoch in self.job.history]
        self.job.plan(past + sizes[done:])

    def _refuse_too_little(self) -> None:
        least, seconds = self.work.epoch(self.start, self.costs), self._for_epochs()
        if least > seconds:
            raise RecipeError(
                f"a budget of {self.budget.seconds:.0f} s is too short: one epoch of {self.start} "
                f"px takes {least:.1f} s here, and reading and measuring take their time; give at "
                f"least {1.2 * (self.budget.seconds + least - seconds):.0f} s."
            )


def _believed(factor: float, left: int) -> float:
    """Of an epoch that took `factor` times what was planned, with `left` to come: it may have met a
    busy machine, so half of what it says. All of it where there is no time to find out: too late is
    worse than too early."""
    return factor if factor > 1 and left <= FEW else factor**0.5
