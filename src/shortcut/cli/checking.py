"""`shortcut check`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.training import Data, MaxPixels, Quiet
from shortcut.language import Lang, speak

if TYPE_CHECKING:
    from shortcut.checks import Checked
    from shortcut.events import Event


def check(
    data: Data,
    *,
    output: Annotated[
        Path | None, typer.Option(help="The page; else checks/NAME.html, replaced each time.")
    ] = None,
    write_exclusions: Annotated[
        Path | None, typer.Option(help="A list of pictures for `train --exclude`.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if there is anything to mend or look at.")
    ] = False,
    max_pixels: MaxPixels = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a named data set.")] = False,
    lang: Annotated[Lang, typer.Option(help="Of the page and the table.")] = "en",
    format_: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
    quiet: Quiet = False,
) -> None:
    """Look at every picture before training: unreadable, doubled, leaking, odd ones."""
    from shortcut import console
    from shortcut.checks import checking
    from shortcut.data.sources import check_outside, default_cache
    from shortcut.events import heard, run_silently
    from shortcut.pages import check_ending

    check_ending(output)
    check_outside(output or Path("checks"), data)
    if write_exclusions:
        check_outside(write_exclusions, data, "--write-exclusions")
    with console.Screen(quiet=quiet) as screen:
        story = checking(data, cache=default_cache(), download=download, max_pixels=max_pixels)
        checked = run_silently(heard(story, screen.show))
        page = output or Path("checks") / f"{checked.source.name}.html"
        for event in _write(checked, page, write_exclusions, lang):
            screen.show(event)
    if format_ == "json":
        facts = checked.as_dict() | {"page": str(page)}
        typer.echo(json.dumps(facts, indent=1, ensure_ascii=False))
    else:
        _print_table(checked, lang)
    if strict and not checked.is_clean:
        raise typer.Exit(1)


def _write(
    checked: "Checked", page: Path, exclusions: Path | None, lang: Lang
) -> "Iterator[Event]":
    from shortcut.checks import render_page
    from shortcut.data.changes import exclusion_table
    from shortcut.disk import write_whole
    from shortcut.events import Progress, Saved

    yield Progress("drawing the page", 0, 0)
    write_whole(page, render_page(checked, lang))
    yield Progress("drawing the page", 1, 1)
    yield Saved("page", page)
    if exclusions:
        write_whole(exclusions, exclusion_table(checked.exclusions, checked.source.root))
        yield Saved(f"{len(checked.exclusions):,} exclusions", exclusions)


def _print_table(checked: "Checked", lang: Lang) -> None:
    from shortcut import console
    from shortcut.checks.wording import LEVELS, SURE

    say = speak(lang)
    if checked.findings:
        columns = [
            "",
            say("found", "数量"),
            say("what", "发现"),
            say("how sure", "把握"),
            say("what to do", "怎么办"),
        ]
        rows = [
            [
                say(*LEVELS[finding.kind.level]),
                f"{finding.count:,}",
                say(*finding.kind.title),
                say(*SURE[finding.kind.sure]),
                say(*finding.kind.advice),
            ]
            for finding in checked.findings
        ]
        console.print_table(None, columns, rows, right=(1,))
    images = f"{checked.pictures:,}"
    name, verdict = checked.source.name, say(*checked.verdict)
    console.print_line(
        say(f"{name}, {images} pictures: {verdict}", f"{name}，{images} 张图片：{verdict}")
    )
