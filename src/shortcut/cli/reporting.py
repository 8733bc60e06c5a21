"""`shortcut report`."""

from pathlib import Path
from typing import Annotated

import typer

from shortcut.cli.training import Quiet
from shortcut.language import Lang


def report(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    *,
    lang: Annotated[Lang | None, typer.Option(help="Else the one of the training.")] = None,
    quiet: Quiet = False,
) -> None:
    """Draw a run's report, record and pictures anew; of one that still runs, how far it is."""
    from shortcut import console
    from shortcut.description import describing
    from shortcut.events import heard, run_silently

    with console.Screen(quiet=quiet) as screen:
        run_silently(heard(describing(run, lang), screen.show))
