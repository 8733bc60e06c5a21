"""`shortcut verify-resume`."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer


def verify_resume(
    recipe: Annotated[str, typer.Argument(help="Name (`shortcut recipes`) or YAML file.")],
    data: Annotated[str, typer.Argument(help="As for `train`.")] = "digits",
    *,
    epochs: Annotated[int, typer.Option(min=1)] = 2,
    stops: Annotated[int, typer.Option(min=1, help="By SIGTERM and SIGKILL in turn.")] = 4,
    seed: Annotated[int, typer.Option(help="Decides after which steps.")] = 0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="As for `train`.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    format_: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False,
) -> None:
    """Train twice on this machine, once with interruptions, and compare every bit.

    Number formats are a matter of speed: where the recipe leaves the choice to a self-test, float32
    is taken, since two tests may choose differently.
    """
    from shortcut import console
    from shortcut.errors import InterruptedRunError, NumbersError
    from shortcut.events import heard, run_silently
    from shortcut.proof import check_length, verifying
    from shortcut.recipe import parse_changes, read_recipe
    from shortcut.signals import Stop, Stopped

    settings = read_recipe(recipe, parse_changes(set_ or []) | {"train.epochs": epochs})
    options = ["--recipe", recipe, "--epochs", str(epochs), "--device", device]
    options += [word for change in set_ or [] for word in ("--set", change)]
    if settings.train.precision == "auto":
        options += ["--set", "train.precision=fp32"]
    check_length(data, settings, stops)
    try:
        with (
            Stop(),
            tempfile.TemporaryDirectory(prefix="shortcut-") as folder,
            console.Screen(quiet=quiet) as screen,
        ):
            story = verifying(data, options, Path(folder), stops=stops, seed=seed)
            proof = run_silently(heard(story, screen.show))
    except Stopped as signal:
        said = "interrupted; both trainings are gone, nothing is left of them."
        raise InterruptedRunError(said, signal.number) from signal
    if format_ == "json":
        typer.echo(json.dumps(asdict(proof) | {"equal": not proof.differences}, indent=1))
    if proof.differences:
        raise NumbersError(f"the runs differ: {'; '.join(proof.differences)}.")
    if format_ == "table":
        console.print_line(
            "equal to the last bit: weights, optimizer, averages, figures and log of "
            f"{proof.steps} steps, {len(proof.stops)} times interrupted"
        )
