"""What is decided or told of a training before its pictures are read: the network for a budget, and
how long it will all take."""

import os
from collections.abc import Mapping, Sequence

from shortcut.budget import Budget, clock
from shortcut.costs import CLOSING, Work, measure_optimizers
from shortcut.data.cache import Keeping
from shortcut.data.forecast import seconds_to_read
from shortcut.data.samples import Sample
from shortcut.errors import RecipeError
from shortcut.events import Notice
from shortcut.job import Job
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.planning import LEVELS, OFTEN, Estimate, Level, choose_batch, choose_level, forecast
from shortcut.precision import Choice, choose_precision
from shortcut.settings import Recipe
from shortcut.world import World


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
