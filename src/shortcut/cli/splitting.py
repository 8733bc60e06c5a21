"""`shortcut split`."""

import json
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.training import Data, Quiet

if TYPE_CHECKING:
    from shortcut.data.samples import Sample
    from shortcut.division import Division
    from shortcut.events import Event

Share = Annotated[float, typer.Option(min=0, max=0.9)]


def split(
    data: Data,
    *,
    test: Share = 0.2,
    val: Share = 0.1,
    folds: Annotated[int, typer.Option(min=0, help="Divisions, each with another val.")] = 0,
    group_by: Annotated[
        list[str] | None,
        typer.Option(help="folder, name:EXPRESSION, column:NAME or time:SECONDS; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option()] = 0,
    anew: Annotated[
        bool, typer.Option("--anew", help="Parts that are there do not count.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Folder for the tables.")] = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
    quiet: Quiet = False,
) -> None:
    """Divide pictures into parts, copies and groups on one side: a table for `train`."""
    from shortcut import console
    from shortcut.data import sources
    from shortcut.data.groups import parse_rule
    from shortcut.division import Plan, dividing, name_divisions
    from shortcut.events import heard, run_silently

    rules = [parse_rule(text) for text in group_by or []]
    plan, folder = Plan(test, val, folds, seed), output or Path("splits")
    sources.check_outside(folder, data)
    with console.Screen(quiet=quiet) as screen:
        source = run_silently(heard(sources.reading_source(data), screen.show))
        places = [folder / f"{name}.csv" for name in name_divisions(source, plan)]
        _refuse(data, places)
        story = dividing(source, plan, rules=rules, anew=anew)
        divisions = run_silently(heard(story, screen.show))
        for division, place in zip(divisions, places, strict=True):
            run_silently(heard(_write(division, place), screen.show))
    written = dict(zip(places, divisions, strict=True))
    if format_ == "json":
        typer.echo(json.dumps([_facts(*entry) for entry in written.items()], indent=1))
    else:
        for place, division in written.items():
            _print_table(place, division)


def _write(division: "Division", place: Path) -> "Generator[Event]":
    from shortcut.disk import write_whole
    from shortcut.events import Saved

    write_whole(place, (yield from division.table(place.parent)))
    yield Saved("split", place)


def _refuse(data: str, places: Sequence[Path]) -> None:
    """Before pictures are looked at: a table names files, and is never replaced."""
    from shortcut.data.archives import is_archive
    from shortcut.errors import DataError, ResourceError

    if is_archive(Path(data)):
        raise DataError(f"{data}: is an archive; unpack it, for the table names every file.")
    for place in places:
        if place.exists():
            raise ResourceError(
                f"{place}: is there already, and what was trained on it must not change meaning; "
                "remove it, or give another folder with `--output`."
            )


def _facts(place: Path, division: "Division") -> dict[str, object]:
    parts = {part: dict(_counts(samples)) for part, samples in division.parts.items()}
    groups = len({division.groups[s.path] for samples in division.parts.values() for s in samples})
    return {"file": str(place), "parts": parts, "groups": groups}


def _counts(samples: "Sequence[Sample]") -> Counter[str]:
    return Counter(sample.label for sample in samples)


def _print_table(place: Path, division: "Division") -> None:
    from shortcut import console

    counts = {part: _counts(samples) for part, samples in division.parts.items()}
    classes = sorted(set[str]().union(*counts.values()))
    rows = [[label, *(f"{counts[part][label]:,}" for part in counts)] for label in classes]
    rows.append(["all", *(f"{counts[part].total():,}" for part in counts)])
    console.print_table(str(place), ["class", *counts], rows, right=range(1, len(counts) + 1))
