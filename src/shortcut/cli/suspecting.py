"""`shortcut suspects`."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.budget import parse_duration
from shortcut.cli.training import Device, Quiet, Set, read_settings
from shortcut.language import Lang

if TYPE_CHECKING:
    from shortcut.events import Event
    from shortcut.signals import Stop
    from shortcut.suspects import Suspects

GOES_ON = "interrupted, nothing is lost; the same command goes on."
FOLDS = 4
LISTED = 20
"""Rows on the terminal; the page and the list have them all."""


def suspects(
    data: Annotated[
        str, typer.Argument(help="As for `train`; or a finished run folder: its val and test.")
    ],
    *,
    folds: Annotated[int, typer.Option(min=2, help="Trainings, each on all but one part.")] = FOLDS,
    recipe: Annotated[
        str | None, typer.Option(help="Of each training; else `fast`, or what --budget plans.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Time for all trainings together: 20m, 2h.")
    ] = None,
    set_: Set = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder; else suspects/NAME. The same goes on.")
    ] = None,
    lang: Annotated[Lang, typer.Option(help="Of the page.")] = "en",
    device: Device = "auto",
    format_: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
    quiet: Quiet = False,
) -> None:
    """Rank the labels that are most likely wrong, by classifiers that did not learn from them."""
    from shortcut.signals import Stop
    from shortcut.suspects import suspecting

    _refuse_idle(data, asked=folds != FOLDS or bool(recipe or budget or set_), set_=set_ or [])
    usual = "balanced" if budget else "fast"
    settings, free = read_settings(recipe, {}, set_ or [], usual)
    stop = Stop()
    story = suspecting(
        data,
        settings,
        folds=folds,
        budget=parse_duration(budget) / folds if budget else None,
        free=free,
        output=output,
        lang=lang,
        device=device,
        stop=stop,
    )
    _show(story, stop, format_, quiet)


def _refuse_idle(data: str, *, asked: bool, set_: list[str]) -> None:
    """Settings that would have no effect."""
    from shortcut.errors import RecipeError
    from shortcut.runfolder import is_run

    if asked and is_run(Path(data)):
        raise RecipeError(
            f"{data} is a finished run, and nothing is trained for it: `--folds`, `--recipe`, "
            "`--budget` and `--set` have no effect."
        )
    if any(change.startswith("data.val_fraction") for change in set_):
        raise RecipeError("`data.val_fraction` has no effect: each fold is a val part in turn.")


def _show(
    story: "Generator[Event, None, Suspects]", stop: "Stop", format_: str, quiet: bool
) -> None:
    from shortcut import console
    from shortcut.data.splits import portable_path
    from shortcut.errors import InterruptedRunError
    from shortcut.events import heard, run_silently
    from shortcut.signals import Stopped

    try:
        with stop, console.Screen(quiet=quiet) as screen:
            found = run_silently(heard(story, screen.show))
    except Stopped as signal:
        raise InterruptedRunError(GOES_ON, signal.number) from None
    except InterruptedRunError as stopped:  # a training, whose advice is for itself alone
        raise InterruptedRunError(GOES_ON, stopped.exit_code - 128) from None
    if format_ == "json":
        typer.echo(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
        return
    rows = [
        (
            *(portable_path(one.sample.path, found.root), one.sample.label, one.answer),
            f"{one.score:.3f}",
        )
        for one in found.ranked[:LISTED]
    ]
    if rows:
        console.print_table(None, ["picture", "label", "rather", "score"], rows, right=(3,))
    if len(found.ranked) > LISTED:
        console.print_line(f"the {LISTED} least believed of {len(found.ranked):,}")
    known = f"the networks agree with {found.accuracy:.1%} of {found.images:,} labels"
    if found.guessed:
        console.print_line(f"{known}, not surely more than by guessing: this says nothing yet")
        return
    console.print_line(
        f"{known}; {found.contradicted:,} are contradicted with confidence; the networks may be "
        "wrong too"
    )
