"""Whole stories: train on a folder, go on after an interruption. They call the verbs in their
order.

`training` and `resuming` are generators of events that return an `Outcome`; `train` and `resume`
run one to its end in silence.
"""

import contextlib
import shutil
from collections.abc import Generator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal, TypeVar

from shortcut.checkpoint import State, load_state, optimizer_tensors, restore_optimizer, save_state
from shortcut.conclusion import Outcome, conclude
from shortcut.data.samples import Sample, Source
from shortcut.data.sources import default_cache, read_source
from shortcut.data.splits import carve_validation, read_split, write_split
from shortcut.errors import DataError, ModelError, ShortcutError
from shortcut.events import EpochEnd, Event, Notice, Saved
from shortcut.job import Job
from shortcut.precision import Precision
from shortcut.preparation import prepare
from shortcut.recipe import read_recipe, to_yaml
from shortcut.report.charts import draw_curves
from shortcut.runfolder import (
    Facts,
    gather_facts,
    keep_improvement,
    make_run_folder,
    read_facts,
    write_text,
)
from shortcut.runlog import RunLog
from shortcut.settings import Recipe
from shortcut.training import fit
from shortcut.world import World, find_world

Lang = Literal["en", "zh"]
Parts = dict[str, Sequence[Sample]]
T = TypeVar("T")


def train(
    data: str | Path,
    recipe: Recipe | str = "default",
    *,
    output: str | Path | None = None,
    device: str = "auto",
    download: bool = False,
    log_interval: int = 20,
    lang: Lang = "en",
) -> Outcome:
    """Train a classifier on labelled pictures and write its run folder; see `training`."""
    story = training(
        data,
        read_recipe(recipe) if isinstance(recipe, str) else recipe,
        output=output,
        device=device,
        download=download,
        log_interval=log_interval,
        lang=lang,
    )
    return _run(story)


def resume(run: str | Path, *, device: str = "auto", lang: Lang | None = None) -> Outcome:
    """Go on with an interrupted run from its last whole epoch; see `resuming`."""
    return _run(resuming(run, device=device, lang=lang))


def training(
    data: str | Path,
    recipe: Recipe,
    *,
    output: str | Path | None = None,
    device: str = "auto",
    download: bool = False,
    log_interval: int = 20,
    lang: Lang = "en",
) -> Generator[Event, None, Outcome]:
    """Train on `data` by `recipe`; yields what happens, returns the outcome.

    Args:
        data: a folder, a CSV file, `digits`, or the name of a known data set.
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
    folder = make_run_folder(Path(output) if output else None, f"{recipe.model.name}-{source.name}")
    facts = gather_facts(
        source.name,
        source.kind,
        source.root,
        measured_on=measured_on,
        lang=lang,
        log_interval=log_interval,
    )
    notices: list[str] = []
    try:
        yield Saved("run folder", folder)
        if measured_on == "test":
            yield _noted(
                notices, "accuracy is measured on the test part, which also chooses the best epoch"
            )
        yield _noted(notices, _describe(source, parts, world))
        write_text(folder / "recipe.yaml", to_yaml(recipe))
        write_text(folder / "environment.json", facts.model_dump_json(indent=1))
        write_split(folder / "split.csv", _as_written(parts, measured_on), source.root)
        job = yield from _heard(prepare(recipe, parts, world, cache=default_cache()), notices)
    except BaseException:
        # Nothing has been trained: an empty run folder would only be in the way of the next try.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return (yield from _go(job, folder, facts, parts, notices))


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
    parts: Parts = {"train": written["train"], "val": written[facts.measured_on]}
    if facts.measured_on == "val" and "test" in written:
        parts["test"] = written["test"]
    state = load_state(folder / "resume")
    if state is None:
        raise ModelError(
            f"{folder}: no epoch was finished, so there is nothing to go on from; train anew."
        )
    precision = Precision(**state.precision)
    notices: list[str] = []
    world = find_world(device)
    story = prepare(recipe, parts, world, cache=default_cache(), precision=precision)
    job = yield from _heard(story, notices)
    _restore(job, state)
    yield _noted(notices, f"resumed after epoch {len(job.history)}")
    return (yield from _go(job, folder, facts, parts, notices))


def choose_parts(source: Source, recipe: Recipe) -> tuple[Parts, Literal["val", "test"]]:
    """Which samples train, which are measured each epoch (`val`), and which wait for the end
    (`test`).

    Returns:
        The parts, and where `val` comes from: `test` if the recipe measures on the test part.

    Raises:
        DataError: there are no training pictures.
    """
    given = source.parts
    train = given.get("train", given.get("all", ()))
    if not train:
        raise DataError(f"{source.root}: no train part; found {', '.join(given)}.")
    if recipe.data.validation == "test" and "test" in given:
        return {"train": train, "val": given["test"]}, "test"
    parts: Parts = {"train": train, "val": given.get("val", ())}
    if "val" not in given:
        fraction, seed = recipe.data.val_fraction, recipe.seed
        parts["train"], parts["val"] = carve_validation(train, fraction=fraction, seed=seed)
    if "test" in given:
        parts["test"] = given["test"]
    return parts, "val"


def _go(
    job: Job, folder: Path, facts: Facts, parts: Parts, notices: list[str]
) -> Generator[Event, None, Outcome]:
    """Train, keeping what each epoch gave; measure and describe it at the end."""
    log = RunLog(folder, measured_on=facts.measured_on, interval=facts.log_interval)
    with log:
        for line in notices:
            log.write(Notice(line))
        try:
            for event in fit(job):
                log.write(event)
                if isinstance(event, EpochEnd):
                    _keep(job, folder, facts, event)
                yield event
        except BaseException:
            # Ctrl-C, a closed terminal, NaN: what was learnt since the last epoch is worth a file.
            with contextlib.suppress(ShortcutError):
                job.measured.save(folder / "last.safetensors")
                if job.history:
                    _draw(job, folder, facts)
            raise
        ending = conclude(job, folder, facts, parts, notices)
        return (yield from _logged(ending, log))


def _keep(job: Job, folder: Path, facts: Facts, epoch: EpochEnd) -> None:
    metrics = {"epoch": epoch.epoch, "val_accuracy": epoch.val_accuracy}
    measured = replace(
        job.measured, metrics=metrics, created=facts.started, version=facts.versions["shortcut"]
    )
    measured.save(folder / "last.safetensors")
    if epoch.improved:
        measured.save(folder / "best.safetensors")
        keep_improvement(folder, folder / "best.safetensors", epoch, job.recipe.train.keep)
    averaged = {} if job.averaged is None else job.averaged.state_dict()
    state = State(
        model=job.classifier.model.state_dict(),
        optimizer=optimizer_tensors(job.optimizer),
        averaged=averaged,
        step=job.step,
        history=tuple(job.history),
        precision=asdict(job.precision),
    )
    save_state(folder / "resume", state)


def _draw(job: Job, folder: Path, facts: Facts) -> None:
    part = facts.measured_on
    draw_curves(job.history, folder / "curves.png", title=folder.name, part=part)


def _restore(job: Job, state: State) -> None:
    job.classifier.model.load_state_dict(state.model)
    restore_optimizer(job.optimizer, state.optimizer)
    if job.averaged is not None:
        job.averaged.load_state_dict(state.averaged)
    job.step = state.step
    job.history = list(state.history)


def _run(story: Generator[Event, None, Outcome]) -> Outcome:
    while True:
        try:
            next(story)
        except StopIteration as end:
            return end.value


def _heard(story: Generator[Event, None, T], notices: list[str]) -> Generator[Event, None, T]:
    """Pass a story on and remember its notices."""
    while True:
        try:
            event = next(story)
        except StopIteration as end:
            return end.value
        if isinstance(event, Notice):
            notices.append(event.text)
        yield event


def _logged(story: Generator[Event, None, T], log: RunLog) -> Generator[Event, None, T]:
    """Pass a story on and write it to the log."""
    while True:
        try:
            event = next(story)
        except StopIteration as end:
            return end.value
        log.write(event)
        yield event


def _noted(notices: list[str], text: str) -> Notice:
    notices.append(text)
    return Notice(text)


def _describe(source: Source, parts: Parts, world: World) -> str:
    counts = ", ".join(f"{part} {len(samples):,}" for part, samples in parts.items())
    classes = len(source.classes)
    return (
        f"{source.name}: {classes} classes by {source.kind}; {counts} pictures; {world.describe()}"
    )


def _as_written(parts: Parts, measured_on: str) -> Parts:
    """The parts under the names that the data gives them."""
    return {measured_on if part == "val" else part: samples for part, samples in parts.items()}
