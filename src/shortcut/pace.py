"""Keeps a training inside its budget of time: plans before it, looks at the clock after each epoch
and, in a long last one, on the way."""

import math

from shortcut.budget import Budget, clock
from shortcut.costs import Work, measure_costs
from shortcut.errors import RecipeError
from shortcut.events import EpochEnd, Notice, Step
from shortcut.job import Job
from shortcut.planning import fill_time, largest_size, plan_epochs

SETTLING = 0.1
"""Share of a budget in which epochs are counted anew: where pictures are few, the first epoch takes
longer than others, for caches and kernels."""
FEW = 3
"""Epochs that are left, when no later one makes good what a slow machine took."""
IDLE = 0.02
"""Share of a budget that may be left over in the end, before more epochs are planned."""
LONG = 0.05
"""Share of a budget from which on the last epoch is too long to hope for the best."""
GLANCES = (1 / 2, 3 / 4)
"""Shares of its steps after which its pictures may become others."""
LEAST = 3 / 4
"""They become smaller by this factor at most, or larger by its inverse: norms have to get used to
another size."""
TELLING = 0.05
"""Share of the epochs up to which more or fewer of them are no news."""
LOOKING = 0.01
"""Share of a budget after which the rest is planned anew: after each of thousands of short epochs
it would take as long as they do."""

CHANGED = (
    "; views are changed by TrivialAugment: `--set augment.trivial_augment=0` where colour, or "
    "what is up, tells classes apart"
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
        job.adaptable = budget.free
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
        self.share = 0.0
        """Of the epoch under way that was trained then."""
        self.usual = self.final
        """Size of the last epoch before any glance."""

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
        done, before = epoch.epoch, len(self.job.train.sizes)
        share = self.share if done == before else 0.0  # it may have gone back to an earlier epoch
        now = self._look(self.work.rest(epoch.image_size, self.costs, share), before - done)
        self.share = 0.0
        due = done in (1, before) or now - self.planned >= LOOKING * self.budget.seconds
        if not due or (after := self._length(done, before)) == done:
            return None
        self._plan(done, after)
        return self._told_anew(after)

    def glance(self, step: Step) -> None:
        """On the way through a long last epoch, which no later one makes good: let the pictures of
        its other steps be as large as time allows."""
        share, size = step.step / step.steps, self.job.train.sizes[-1]
        if not is_glance(step) or self.work.epoch(size, self.costs) < LONG * self.budget.seconds:
            return
        if not 0.0 < self.share < share:  # the first glance; or it went back and begins anew
            self.share, self.usual = 0.0, size
        whole, rest = (self.work.rest(size, self.costs, part) for part in (self.share, share))
        self._look(whole - rest, 0)
        self.share = share
        bounds = max(self.start, LEAST * self.usual), min(self.largest, self.usual / LEAST)

        def price(size: int) -> float:
            return self.work.rest(size, self.costs, share)

        fitting = largest_size(size, bounds, price, self._for_epochs())
        self.job.plan([*self.job.train.sizes[:-1], fitting])

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

    def _look(self, planned: float, left: int) -> float:
        """At the clock: believe what took so long since the last time, with `left` epochs to come;
        the seconds spent."""
        now = self.budget.spent()
        self.costs = self.costs.scaled(_believed((now - self.looked) / planned, left))
        self.looked = now
        return now

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


def is_glance(step: Step) -> bool:
    """Whether it is a step of the last epoch after which plans may change."""
    return step.epoch == step.epochs and step.step in (int(part * step.steps) for part in GLANCES)


def _believed(factor: float, left: int) -> float:
    """Of an epoch that took `factor` times what was planned, with `left` to come: it may have met a
    busy machine, so half of what it says. All of it where there is no time to find out: too late is
    worse than too early."""
    return factor if factor > 1 and left <= FEW else factor**0.5
