"""Whole stories: train on a folder, go on after an interruption. They call the verbs in their
order.

`training` and `resuming` are generators of events that return an `Outcome`; `train` and `resume`
run one to its end in silence.
"""

import contextlib
import time
from collections.abc import Callable, Generator
from pathlib import Path

from shortcut.budget import Budget
from shortcut.checkpoint import load_state
from shortcut.conclusion import Outcome, conclude
from shortcut.data.cache import Keeping
from shortcut.data.samples import Source
from shortcut.data.sources import default_cache, read_source
from shortcut.data.splits import read_split, write_split
from shortcut.errors import DataError, ModelError, NumbersError, ResourceError, ShortcutError
from shortcut.events import EpochEnd, Event, Notice, Saved, heard, run_silently
from shortcut.head import fit_head
from shortcut.job import Job
from shortcut.keeping import keep_epoch, keep_interrupted, restore
from shortcut.language import Lang
from shortcut.pace import Pace, choose_by_budget, count_work, describe_forecast
from shortcut.precision import Choice, Precision
from shortcut.preparation import Parts, choose_parts, prepare
from shortcut.recipe import read_recipe, to_yaml
from shortcut.remarks import describe_data, remark
from shortcut.runfolder import (
    Facts,
    clear_run_folder,
    gather_facts,
    make_run_folder,
    read_facts,
    write_text,
)
from shortcut.runlog import RunLog
from shortcut.settings import Recipe
from shortcut.speed import describe_bound, describe_use
from shortcut.training import fit
from shortcut.world import find_world


def train(
    data: str | Path,
    recipe: Recipe | str | Path | None = None,
    *,
    budget: float | None = None,
    output: str | Path | None = None,
    device: str = "auto",
    download: bool = False,
    log_interval: int = 20,
    lang: Lang = "en",
) -> Outcome:
    """Train a classifier on labelled pictures and write its run folder; see `training`.

    Args:
        recipe: None takes `balanced`.
        budget: seconds for all of it, from this call to the last file written. Without a recipe it
            plans network, sizes and epochs, with one the epochs alone.
    """
    planned = Budget(budget, time.monotonic(), free=recipe is None) if budget else None
    recipe = "balanced" if recipe is None else recipe
    story = training(
        data,
        recipe if isinstance(recipe, Recipe) else read_recipe(recipe),
        budget=planned,
        output=output,
        device=device,
        download=download,
        log_interval=log_interval,
        lang=lang,
    )
    return run_silently(story)


def resume(run: str | Path, *, device: str = "auto", lang: Lang | None = None) -> Outcome:
    """Go on with an interrupted run from its last whole epoch; see `resuming`."""
    return run_silently(resuming(run, device=device, lang=lang))


def training(
    data: str | Path,
    recipe: Recipe,
    *,
    budget: Budget | None = None,
    output: str | Path | None = None,
    device: str = "auto",
    download: bool = False,
    log_interval: int = 20,
    lang: Lang = "en",
) -> Generator[Event, None, Outcome]:
    """Train on `data` by `recipe`; yields what happens, returns the outcome.

    Args:
        data: a folder, a CSV file, `digits`, or the name of a known data set.
        budget: network, sizes and epochs are then planned for this machine.
        output: the run folder; None makes `runs/NETWORK-DATA`.
        device: `auto`, `cpu`, `cuda`, `mps`.
        download: a named data set may be fetched from the network.
        log_interval: steps between two loss lines in `log.txt`.
        lang: language of `record.md`.

    Raises:
        ShortcutError: whatever a user can cause; nothing is left behind if no epoch was begun.
    """
    source = read_source(data, cache=default_cache(), download=download)
    parts, measured_on = choose_parts(source, recipe)
    world = find_world(device)
    of_data = source.name, source.kind, source.root
    facts = gather_facts(*of_data, measured_on=measured_on, lang=lang, log_interval=log_interval)
    choice = None
    if budget and budget.free and recipe.model.weights == "none":
        recipe, choice = choose_by_budget(recipe, parts, world, budget)
    name = f"{recipe.model.name}-{source.name}"
    _refuse_inside(Path(output or "runs") / name, source)
    notices: list[str] = []
    folder = make_run_folder(Path(output) if output else None, name)
    try:
        yield Saved("run folder", folder)
        yield _noted(notices, describe_data(source, parts, world))
        for line in remark(source, parts, recipe, measured_on, planned=budget is not None):
            yield _noted(notices, line)
        write_text(folder / "recipe.yaml", to_yaml(recipe))
        write_text(folder / "environment.json", facts.model_dump_json(indent=1))
        write_split(folder / "split.csv", _as_written(parts, measured_on), source.root)
        story = prepare(recipe, parts, world, cache=default_cache(), choice=choice)
        job = yield from heard(story, _remember(notices))
        if recipe.model.weights != "none":
            yield from heard(fit_head(job), _remember(notices))
        pace = Pace(job, budget, count_work(parts)) if budget else None
        if pace:
            yield _noted(notices, pace.describe().text)
        elif job.tested:
            yield _noted(notices, describe_forecast(job, count_work(parts)).text)
    except BaseException:
        # Nothing has been trained: an empty run folder would only be in the way of the next try.
        clear_run_folder(folder)
        raise
    return (yield from _go(job, folder, facts, parts, notices, pace))


def resuming(
    run: str | Path, *, device: str = "auto", lang: Lang | None = None
) -> Generator[Event, None, Outcome]:
    """Go on with the run in folder `run`; a finished one is only measured and described again.

    Raises:
        ModelError: not a run folder, or none of its states can be read.
        DataError: pictures of its split are gone.
    """
    folder = Path(run)
    facts = read_facts(folder)
    if lang is not None:
        facts = facts.model_copy(update={"lang": lang})
    recipe = read_recipe(folder / "recipe.yaml")
    written = read_split(folder / "split.csv", Path(facts.data_root))
    if not {"train", facts.measured_on} <= written.keys():
        raise DataError(f"{folder}: split.csv has no train or no {facts.measured_on} pictures.")
    parts: Parts = {"train": written["train"], "val": written[facts.measured_on]}
    if facts.measured_on == "val" and "test" in written:
        parts["test"] = written["test"]
    state = load_state(folder / "resume")
    if state is None:
        raise ModelError(
            f"{folder}: no epoch was finished, so there is nothing to go on from; train anew."
        )
    choice = Choice(Precision(**state.precision), {})
    notices: list[str] = []
    world = find_world(device)
    yield Saved("run folder", folder)
    story = prepare(recipe, parts, world, cache=default_cache(), choice=choice)
    job = yield from heard(story, _remember(notices))
    restore(job, state)
    yield _noted(notices, f"resumed after epoch {len(job.history)}")
    return (yield from _go(job, folder, facts, parts, notices))


def _go(
    job: Job,
    folder: Path,
    facts: Facts,
    parts: Parts,
    notices: list[str],
    pace: Pace | None = None,
) -> Generator[Event, None, Outcome]:
    """Train, keeping what each epoch gave; measure and describe it at the end."""
    log = RunLog(
        folder,
        measured_on=facts.measured_on,
        interval=facts.log_interval,
        history=job.history,
    )
    with log:
        for line in notices:
            log.write(Notice(line))
        story = _train_and_conclude(job, folder, facts, parts, notices, pace)
        return (yield from heard(story, log.write))


def _train_and_conclude(
    job: Job,
    folder: Path,
    facts: Facts,
    parts: Parts,
    notices: list[str],
    pace: Pace | None,
) -> Generator[Event, None, Outcome]:
    begun = len(job.history)
    try:
        for event in fit(job):
            if isinstance(event, EpochEnd):
                if pace:
                    pace.adjust(event)
                    write_text(folder / "recipe.yaml", to_yaml(job.recipe))
                keep_epoch(job, folder, facts, event)
            yield event
            if isinstance(event, EpochEnd) and event.epoch == begun + 1:
                yield describe_bound(job)
    except NumbersError:
        raise  # the weights may be spoilt: what the last epoch left is better
    except BaseException as error:
        # Ctrl-C, a closed terminal: what was learnt since the last epoch is worth a file.
        with contextlib.suppress(ShortcutError):
            keep_interrupted(job, folder, facts)
        _explain_memory(error, job)
        raise
    if len(job.history) > begun:
        yield describe_use(job)
    keeping = Keeping(job.recipe.data.cache, default_cache() / "decoded")
    outcome = yield from conclude(job, folder, facts, parts, notices, keeping=keeping)
    if pace:
        yield pace.verdict()
    return outcome


def _explain_memory(error: BaseException, job: Job) -> None:
    """Say of an allocation that failed what to do; pass over any other error."""
    words = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in words or "can't allocate" in words:
        half = max(2, job.recipe.train.batch_size // 2)
        raise ResourceError(f"out of memory; try `--batch-size {half}`.") from error


def _refuse_inside(folder: Path, source: Source) -> None:
    """A run folder among class folders would be the next training's newest class."""
    if source.root.is_dir() and folder.resolve().is_relative_to(source.root.resolve()):
        raise DataError(
            f"the run folder would lie in the data folder {source.root}; "
            "start elsewhere, or give `--output` a place outside it."
        )


def _remember(notices: list[str]) -> Callable[[Event], None]:
    """Adds the text of each notice to `notices`."""
    return lambda event: notices.append(event.text) if isinstance(event, Notice) else None


def _noted(notices: list[str], text: str) -> Notice:
    notices.append(text)
    return Notice(text)


def _as_written(parts: Parts, measured_on: str) -> Parts:
    """The parts under the names that the data gives them."""
    return {measured_on if part == "val" else part: samples for part, samples in parts.items()}
