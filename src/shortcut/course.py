"""The course of one training: prepared, trained from where it is, measured and described."""

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shortcut.budget import Budget
from shortcut.checkpoint import State, load_state, share_state
from shortcut.checks import checking_shortly, finding_table, tell_findings
from shortcut.conclusion import Outcome, conclude
from shortcut.data.cache import Keeping
from shortcut.data.samples import Source
from shortcut.data.sheet import draw_views
from shortcut.data.sources import default_cache
from shortcut.description import describing
from shortcut.disk import remove_halves, write_whole
from shortcut.errors import DataError, RecipeError
from shortcut.events import Event, Notice, Saved, heard, run_silently
from shortcut.foresight import check_reading, count_work, describe_forecast
from shortcut.guarding import guarded
from shortcut.head import fit_head
from shortcut.job import Job
from shortcut.keeping import Keeper, precision_of, restore
from shortcut.lock import locked
from shortcut.pace import Pace
from shortcut.parts import Parts
from shortcut.precision import Choice
from shortcut.preparation import prepare
from shortcut.recipe import to_yaml
from shortcut.reporting import LivePage
from shortcut.runfolder import Facts, changed_since, clear_run_folder
from shortcut.runlog import Mark, RunLog
from shortcut.settings import Recipe
from shortcut.signals import Stop
from shortcut.speed import describe_use
from shortcut.world import World


@dataclass(frozen=True)
class Run:
    """One training as a place: its folder, and what is known of it."""

    folder: Path
    """Only the first process writes there."""
    facts: Facts
    parts: Parts
    recipe: Recipe
    world: World
    stop: Stop
    other_pictures: bool = False
    """Some may be gone, or have come, since the training was interrupted."""
    notices: list[str] = field(default_factory=list)
    """What the person has been told, for the record."""

    @property
    def keeping(self) -> Keeping:
        """Where decoded pictures stay."""
        return Keeping(self.recipe.data.cache, default_cache() / "decoded")

    def noted(self, text: str) -> Notice:
        """A notice, remembered."""
        self.notices.append(text)
        return Notice(text)

    def hear(self, event: Event) -> None:
        """Remember a notice."""
        if isinstance(event, Notice):
            self.notices.append(event.text)


def begin(
    run: Run,
    source: Source,
    split: bytes,
    told: Sequence[str],
    choice: Choice | None,
    budget: Budget | None,
) -> Generator[Event, None, Outcome | None]:
    """Train from the beginning; nothing stays in the folder if that is not reached.

    Args:
        source: where the pictures are from.
        split: the content of `split.csv`.
        told: what the person should know first.
        choice: of the number format, where it was made already.
    """
    if not run.world.first:
        return _take_part(run, choice)
    folder = run.folder
    with locked(folder):
        try:
            yield Saved("run folder", folder)
            findings = yield from checking_shortly(source, run.parts)
            for line in (*told, *tell_findings(findings, run.facts.location)):
                yield run.noted(line)
            write_whole(folder / "recipe.yaml", to_yaml(run.recipe))
            write_whole(folder / "split.csv", split)
            write_whole(folder / "findings.json", finding_table(findings))
            # Last: where it stands, the others do too, and `resume` finds a run.
            write_whole(folder / "environment.json", run.facts.model_dump_json(indent=1))
            opening = check_reading(run.parts, run.recipe, run.keeping, budget) if budget else 0.0
            job = yield from _prepare(run, choice)
            work = count_work(run.parts, run.world, opening)
            pace = Pace(job, budget, work) if budget else None
            if pace:
                yield run.noted(pace.describe().text)
            elif job.tested:
                yield run.noted(describe_forecast(job, work).text)
        except BaseException:
            # Nothing has been trained: an empty run folder would only be in the way of the next.
            clear_run_folder(folder)
            raise
        return (yield from _train(run, job, pace))


def go_on(run: Run, *, other_length: bool = False) -> Generator[Event, None, Outcome | None]:
    """Train on from the newest state in the folder, from the beginning where there is none.

    Args:
        other_length: `recipe.yaml` asks for another number of epochs than `run.recipe`.
    """
    if not run.world.first:
        return _take_part(run, None)
    with locked(run.folder):
        yield Saved("run folder", run.folder)
        remove_halves(run.folder)
        found = load_state(run.folder / "resume")
        choice = Choice(precision_of(found[0]), {}) if found else None
        if not found:
            yield run.noted("no step of it was saved: the training begins anew")
        job = yield from _prepare(run, choice)
        if found and found[0].pictures not in ("", job.pictures) and not run.other_pictures:
            raise DataError(
                f"{run.folder}: other pictures can be read than when the training was interrupted, "
                "so it would go on in another order. Put them back, or give `--accept-data-change`."
            )
        if found and other_length and len(found[0].history) > run.recipe.train.epochs:
            raise RecipeError(
                f"{run.folder} has trained {len(found[0].history)} epochs; give `--epochs` more."
            )
        if other_length:  # now: the next interruption must not bring the old one back
            write_whole(run.folder / "recipe.yaml", to_yaml(run.recipe))
        return (yield from _train(run, job, None, found))


def _take_part(run: Run, choice: Choice | None) -> None:
    """As a process that is not the first: the same training in silence, and no files."""
    job = run_silently(_prepare(run, choice))
    if state := share_state(run.world, None):
        restore(job, state)
    run_silently(guarded(job, None, run.stop))
    run.world.leave()


def _prepare(run: Run, choice: Choice | None) -> Generator[Event, None, Job]:
    story = prepare(run.recipe, run.parts, run.world, cache=default_cache(), choice=choice)
    job = yield from heard(story, run.hear)
    if run.recipe.model.weights != "none":
        yield from heard(fit_head(job), run.hear)
        run.world.align(job.measured.model)
        run.world.align(job.classifier.model)
    return job


def _train(
    run: Run,
    job: Job,
    pace: Pace | None,
    found: tuple[State, Sequence[str]] | None = None,
) -> Generator[Event, None, Outcome]:
    """Train on from what was found, keeping all; measure and describe it at the end."""
    facts = run.facts
    with RunLog(run.folder, measured_on=facts.measured_on, interval=facts.log_interval) as log:
        share_state(run.world, found[0] if found else None)
        keeper = Keeper(job, run.folder, facts, log, asked=run.recipe.train.epochs)
        if found:
            state, problems = found
            restore(job, state)
            keeper.rewind(state)
            for line in (*changed_since(facts), *problems, _where(job)):
                log.write(Notice(line))
                yield Notice(line)
        else:
            log.rewind(Mark(), ())
            for line in run.notices:  # which have been shown already
                log.write(Notice(line))
        yield from _showing_views(run, job)
        if len(job.history) < job.epochs:  # what a shorter training answered is of another model
            (run.folder / "answers.csv").unlink(missing_ok=True)
        before = job.step
        page = LivePage(job, run.folder, facts)
        yield from heard(guarded(job, keeper, run.stop, pace), page.hear)
        run.world.leave()
        # With the epochs that were trained, where a budget planned them.
        write_whole(run.folder / "recipe.yaml", to_yaml(job.recipe))
        story = _end(run, job, pace, trained=job.step > before)
        outcome = yield from heard(story, log.write)
        log.mark()
        return outcome


def _showing_views(run: Run, job: Job) -> Generator[Event, None, None]:
    """Draw some training views, where nobody has."""
    place = run.folder / "views.jpg"
    if place.exists():
        return
    # Whatever it is: a picture is no reason to end a training.
    with contextlib.suppress(Exception):
        write_whole(place, draw_views(job.train))
    if place.exists():
        yield Saved("training views", place)


def _where(job: Job) -> str:
    done = len(job.history)
    if done >= job.epochs:
        again = "measured and described again"
        return f"all {done} epochs are trained: {again}; `--epochs {2 * done}` trains on"
    if not job.step:
        return "no step of it was saved: the training begins anew"
    return f"resumed in epoch {done + 1} of {job.epochs} after {job.tally.steps} step(s)"


def _end(
    run: Run, job: Job, pace: Pace | None, *, trained: bool
) -> Generator[Event, None, Outcome]:
    if trained:
        yield describe_use(job)
    outcome = yield from conclude(job, run.folder, run.facts, run.parts, run.keeping)
    yield from describing(run.folder, run.facts.lang)
    if pace:
        yield pace.verdict()
    return outcome
