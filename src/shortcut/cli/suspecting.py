"""`shortcut suspects`."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.budget import parse_duration
from shortcut.cli.training import Device, Quiet, Set
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
    from shortcut.errors import RecipeError
    from shortcut.recipe import parse_changes, read_recipe
    from shortcut.runfolder import is_run
    from shortcut.signals import Stop
    from shortcut.suspects import suspecting

    if is_run(Path(data)) and (folds != FOLDS or recipe or budget or set_):
        raise RecipeError(
            f"{data} is a finished run, and nothing is trained for it: `--folds`, `--recipe`, "
            "`--budget` and `--set` have no effect."
        )
    stop = Stop()
    story = suspecting(
        data,
        read_recipe(recipe or ("balanced" if budget else "fast"), parse_changes(set_ or [])),
        folds=folds,
        budget=parse_duration(budget) / folds if budget else None,
        free=recipe is None,
        output=output,
        lang=lang,
        device=device,
        stop=stop,
    )
    _show(story, stop, format_, quiet)


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
