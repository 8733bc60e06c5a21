"""Whole stories: train on a folder, go on after an interruption. They call the verbs in their
order.

`training` and `resuming` are generators of events that return an `Outcome`; `train` and `resume`
run one to its end in silence. Where `torchrun` started several processes all of them tell the same
story, and only the first has an outcome.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Generator
from pathlib import Path

from shortcut.budget import Budget
from shortcut.conclusion import Outcome
from shortcut.course import Run, begin, go_on
from shortcut.data.changes import apply_changes, describe_changes
from shortcut.data.samples import Source
from shortcut.data.sources import check_outside, default_cache, find_again, reading_source
from shortcut.data.splits import read_split, read_table, split_table
from shortcut.errors import DataError
from shortcut.events import Event, run_silently
from shortcut.foresight import choose_by_budget
from shortcut.language import Lang
from shortcut.parts import Parts, choose_parts
from shortcut.recipe import read_recipe
from shortcut.remarks import describe_data, remark
from shortcut.runfolder import Facts, find_launched, gather_facts, make_run_folder, read_facts
from shortcut.settings import Recipe
from shortcut.signals import Stop
from shortcut.world import World, find_world


def train(
    data: str | Path,
    recipe: Recipe | str | Path | None = None,
    *,
    budget: float | None = None,
    changes: str | Path | None = None,
    output: str | Path | None = None,
    device: str = "auto",
    download: bool = False,
    log_interval: int = 20,
    lang: Lang = "en",
) -> Outcome | None:
    """Train a classifier on labelled pictures and write its run folder; see `training`.

    Args:
        recipe: None takes `balanced`.
        budget: seconds for all of it, from this call to the last file written. Without a recipe it
            plans network, sizes and epochs, with one the epochs alone.

    Returns:
        What it gave; None in processes of `torchrun` that are not the first: they only took part.
    """
    planned = Budget(budget, time.monotonic(), free=recipe is None) if budget else None
    recipe = "balanced" if recipe is None else recipe
    with Stop() as stop:
        story = training(
            data,
            recipe if isinstance(recipe, Recipe) else read_recipe(recipe),
            budget=planned,
            changes=changes,
            output=output,
            device=device,
            download=download,
            log_interval=log_interval,
            lang=lang,
            stop=stop,
        )
        return run_silently(story)


def resume(
    run: str | Path,
    *,
    epochs: int | None = None,
    device: str = "auto",
    lang: Lang | None = None,
    accept_data_change: bool = False,
) -> Outcome | None:
    """Go on with an interrupted run as if it had never stopped; see `resuming` and `train`."""
    changed = accept_data_change
    with Stop() as stop:
        story = resuming(
            run, epochs=epochs, device=device, lang=lang, accept_data_change=changed, stop=stop
        )
        return run_silently(story)


def training(
    data: str | Path,
    recipe: Recipe,
    *,
    budget: Budget | None = None,
    changes: str | Path | None = None,
    output: str | Path | None = None,
    device: str = "auto",
    download: bool = False,
    log_interval: int = 20,
    lang: Lang = "en",
    stop: Stop | None = None,
) -> Generator[Event, None, Outcome | None]:
    """Train on `data` by `recipe`; yields what happens, returns the outcome.

    Args:
        data: a folder, a zip or tar file, a CSV file, `digits`, or the name of a known data set.
        budget: network, sizes and epochs are then planned for this machine.
        changes: a list of pictures to do without, or under another label, as `shortcut check` and
            `shortcut suspects` write it.
        output: the run folder; None makes `runs/NETWORK-DATA`.
        device: `auto`, `cpu`, `cuda`, `mps`.
        download: a named data set may be fetched from the network.
        log_interval: steps between two loss lines in `log.txt`.
        lang: language of `record.md`.
        stop: looked at after each step.

    Raises:
        ShortcutError: whatever a user can cause; nothing is left behind if no step was taken.
    """
    world, stop, place = find_world(device), stop or Stop(), Path(output) if output else None
    location, asked = _as_given(data), _digest(data, recipe, budget, changes)
    if started := _launched_before(place, world, asked):
        return (yield from _resuming(started, world, stop))
    with world.in_turn():  # what the first of a machine unpacks or fetches, its others find
        source, told = yield from _find_source(data, changes, download=download)
    parts, measured_on = choose_parts(source, recipe)
    choice = None
    if budget and budget.free and recipe.model.weights == "none" and world.first:
        recipe, choice = choose_by_budget(recipe, parts, world, budget)
    recipe = Recipe.model_validate_json(world.share(recipe.model_dump_json().encode()))
    split = split_table(_as_written(parts, measured_on), source.root)
    world.agree("pictures", hashlib.sha256(split).digest())
    facts = gather_facts(
        *(source.name, source.kind, source.root),
        measured_on=measured_on,
        lang=lang,
        log_interval=log_interval,
        launch=world.launch,
        asked=asked,
        location=location,
        download=download,
    )
    name = f"{recipe.model.name}-{source.name}"
    told = [describe_data(source, parts, world), *told]
    told += remark(source, parts, recipe, measured_on, planned=budget is not None)
    check_outside(Path(output or "runs") / name, source.root)
    folder = make_run_folder(place, name, world.launch) if world.first else Path()
    run = Run(folder, facts, parts, recipe, world, stop)
    return (yield from begin(run, source, split, told, choice, budget))


def resuming(
    run: str | Path,
    *,
    epochs: int | None = None,
    device: str = "auto",
    lang: Lang | None = None,
    accept_data_change: bool = False,
    stop: Stop | None = None,
) -> Generator[Event, None, Outcome | None]:
    """Go on with the run in folder `run`; a finished one is only measured and described again.

    Args:
        epochs: how many there shall be in all, another number than the run began with; sizes and
            learning rates of those to come are those of a run of that length.
        accept_data_change: pictures may be gone or have changed since the run began.

    Raises:
        ModelError: not a run folder, none of its states can be read, or they are of another recipe.
        DataError: pictures of its split are gone or have changed.
        RecipeError: the run's recipe allows no such number of epochs.
        ResourceError: another process works in it.
    """
    world, stop, changed = find_world(device), stop or Stop(), accept_data_change
    story = _resuming(Path(run), world, stop, epochs=epochs, lang=lang, changed=changed)
    return (yield from story)


def _find_source(
    data: str | Path, changes: str | Path | None, *, download: bool
) -> Generator[Event, None, tuple[Source, list[str]]]:
    """Without what is to be left out, and what the person should know of that."""
    source = yield from reading_source(data, cache=default_cache(), download=download)
    if not changes:
        return source, []
    source, counts = apply_changes(source, Path(changes))
    return source, [describe_changes(counts, Path(changes))]


def _resuming(
    folder: Path,
    world: World,
    stop: Stop,
    *,
    epochs: int | None = None,
    lang: Lang | None = None,
    changed: bool = False,
) -> Generator[Event, None, Outcome | None]:
    facts_text, recipe_text, split = b"", b"", b""
    if world.first:
        facts = read_facts(folder)
        facts_text = facts.model_dump_json().encode()
        length = {} if epochs is None else {"train.epochs": epochs}
        recipe_text = read_recipe(folder / "recipe.yaml", length).model_dump_json().encode()
        split = read_table(folder / "split.csv")
    facts = Facts.model_validate_json(world.share(facts_text))
    recipe = Recipe.model_validate_json(world.share(recipe_text))
    with world.in_turn():  # each machine may have a cache of its own
        root = find_again(facts.data_root, facts.location, download=facts.download)
    name = str(folder / "split.csv")
    written = read_split(world.share(split), root, name=name, changed=changed)
    if lang is not None:
        facts = facts.model_copy(update={"lang": lang})
    if not {"train", facts.measured_on} <= written.keys():
        raise DataError(f"{folder}: split.csv has no train or no {facts.measured_on} pictures.")
    parts: Parts = {"train": written["train"], "val": written[facts.measured_on]}
    if facts.measured_on == "val" and "test" in written:
        parts["test"] = written["test"]
    place = Run(folder, facts, parts, recipe, world, stop, other_pictures=changed)
    return (yield from go_on(place, other_length=epochs is not None))


def _launched_before(output: Path | None, world: World, asked: str) -> Path | None:
    """The run folder that these processes had made when `torchrun` started them anew."""
    found = find_launched(output, world.launch, asked) if world.first else None
    shared = world.share(os.fsencode(found or ""))
    return Path(os.fsdecode(shared)) if shared else None


def _digest(
    data: str | Path, recipe: Recipe, budget: Budget | None, changes: str | Path | None
) -> str:
    """Of what a training is asked to do, to know it again."""
    time_ = str(budget.seconds) if budget else ""
    whole = "\n".join((_as_given(data), recipe.model_dump_json(), time_, str(changes or "")))
    return hashlib.sha256(os.fsencode(whole)).hexdigest()


def _as_given(data: str | Path) -> str:
    """A path in full, for whoever goes on in another folder; a name as it is."""
    path = Path(data).expanduser()
    with contextlib.suppress(OSError):
        if path.exists():
            return str(path.absolute())
    return str(data)


def _as_written(parts: Parts, measured_on: str) -> Parts:
    """The parts under the names that the data gives them."""
    return {measured_on if part == "val" else part: samples for part, samples in parts.items()}
