"""`shortcut compare`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.training import Device, Format, Quiet
from shortcut.language import Lang, speak

if TYPE_CHECKING:
    from shortcut.comparison import Contest


Output = Annotated[
    Path | None, typer.Option(help="An .html file: the pictures that they disagree on.")
]


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders, or model files; the first against the others.")
    ],
    *,
    data: Annotated[
        str | None, typer.Option(help="Labelled pictures; else those that the runs held back.")
    ] = None,
    part: Annotated[
        Literal["auto", "train", "val", "test", "all"], typer.Option(help="Of --data.")
    ] = "auto",
    output: Output = None,
    device: Device = "auto",
    download: Annotated[bool, typer.Option("--download", help="Fetch a named data set.")] = False,
    lang: Annotated[Lang, typer.Option(help="Of the page and the tables.")] = "en",
    format_: Format = "table",
    quiet: Quiet = False,
) -> None:
    """Is one trained classifier really better than another? On the same pictures, by McNemar."""
    from shortcut import console
    from shortcut.comparison import comparing, find_entries, render_page
    from shortcut.data.sources import check_outside
    from shortcut.disk import write_whole
    from shortcut.events import Notice, Saved, heard, run_silently
    from shortcut.pages import check_ending

    say = speak(lang)
    check_ending(output)
    entries = find_entries(runs, device=device)
    roots = [entry.facts.data_root for entry in entries if entry.facts]
    for root in (*roots, data):
        if output and root:
            check_outside(output, root)
    with console.Screen(quiet=quiet) as screen:
        story = comparing(entries, data, part=part, download=download)
        found = run_silently(heard(story, screen.show))
        for remark in found.remarks:
            screen.show(Notice(say(*remark)))
        if output:
            write_whole(output, render_page(found, lang))
            screen.show(Saved("page", output))
    if format_ == "json":
        facts = found.as_dict() | {"page": str(output) if output else None}
        typer.echo(json.dumps(facts, indent=1))
    else:
        _print_tables(found, lang)


def _print_tables(found: "Contest", lang: Lang) -> None:
    from shortcut import console
    from shortcut.comparison import result_tables, verdict

    say = speak(lang)
    for table in result_tables(found, say):
        numbers = range(table.text_columns, len(table.columns))
        console.print_table(table.title, table.columns, table.rows, right=numbers)
        console.print_line("")
    first = found.entries[0].name
    for entry, comparison in zip(found.entries[1:], found.comparisons, strict=True):
        console.print_line(verdict(first, entry.name, comparison, say))
