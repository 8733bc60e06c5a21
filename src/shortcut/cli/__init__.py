"""The command line: one small file a group of commands. Each parses, calls one public function,
shows."""

import contextlib
import os
import sys
import traceback
from typing import Annotated

import typer

from shortcut.cli import (
    checking,
    comparing,
    explaining,
    exporting,
    listing,
    looking,
    measuring,
    predicting,
    reporting,
    serving,
    splitting,
    suspecting,
    training,
    verifying,
    weights,
)
from shortcut.errors import ShortcutError

app = typer.Typer(
    name="shortcut",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes 0.2 s to load, half of what `--help` may take
    help="From a folder of photos to a trained, honestly measured image classifier.",
)
app.command("check")(checking.check)
app.command("split")(splitting.split)
app.command("suspects")(suspecting.suspects)
app.command("train")(training.train)
app.command("resume")(training.resume)
app.command("verify-resume")(verifying.verify_resume)
app.command("evaluate")(measuring.evaluate)
app.command("val", hidden=True)(measuring.evaluate)
app.command("predict")(predicting.predict)
app.command("report")(reporting.report)
app.command("compare")(comparing.compare)
app.command("explain")(explaining.explain)
app.command("summary")(looking.summary)
app.command("diagram")(looking.diagram)
app.command("import-weights")(weights.import_weights)
app.command("export")(exporting.export)
app.command("serve")(serving.serve)
app.command("models")(listing.models)
app.command("recipes")(listing.recipes)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"shortcut {version('shortcut')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Say it and end.")
    ] = False,
) -> None:
    """Options that stand before the command."""
    if debug:
        os.environ["SHORTCUT_DEBUG"] = "1"


def main() -> None:
    """Run a command; errors become one line and an exit code, Ctrl-C becomes 130."""
    try:
        app()
    except ShortcutError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        _complain(f"{error.filename or 'the system'}: {error.strerror}.")
        sys.exit(5)


def _complain(text: str) -> None:
    from shortcut.console import error_line

    if os.environ.get("SHORTCUT_DEBUG"):
        with contextlib.suppress(OSError):  # its terminal may be closed
            traceback.print_exc()
    if (rank := os.environ.get("RANK", "0")) != "0":
        text = f"process {rank}: {text}"  # of those that torchrun started
    error_line(text)
