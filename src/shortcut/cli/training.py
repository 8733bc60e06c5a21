"""`shortcut train`, `shortcut resume`."""

import time
from collections.abc import Callable, Generator, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.budget import Budget, parse_duration
from shortcut.language import Lang

if TYPE_CHECKING:
    from shortcut.conclusion import Outcome
    from shortcut.events import Event
    from shortcut.settings import Recipe

    Story = Generator[Event, None, Outcome | None]

STARTED = time.monotonic()
"""When the command began: this file is read first of all."""
FLAGS = {
    "model": "model.name",
    "weights": "model.weights",
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "lr": "optim.lr",
    "opt": "optim.name",
    "image_size": "data.image_size",
    "cache": "data.cache",
    "workers": "data.workers",
    "max_pixels": "data.max_pixels",
    "seed": "seed",
    "target_accuracy": "train.target_accuracy",
    "compile_": "train.compile",
}
"""Flags that fingers know, and the settings they are short for."""

PLANNED = {
    "model.name",
    "model.stem",
    "model.weights",
    "data.image_size",
    "data.resize",
    "augment.start_scale",
    "augment.final_scale",
    "train.batch_size",
}
"""Who sets one of these, or names a recipe, has chosen: a budget then plans epochs alone."""


class Tracker(StrEnum):
    """Where curves can go. An enumeration: typer takes no list of literals."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"


Data = Annotated[
    str, typer.Argument(help="Folder, zip or tar file, CSV file, `digits`, or a known data set.")
]
RecipeName = Annotated[
    str | None, typer.Option(help="Name (`shortcut recipes`) or YAML file; else `balanced`.")
]
BudgetOption = Annotated[
    str | None, typer.Option(help="Time for all of it: 90s, 10m, 1h. Plans network and epochs.")
]
Target = Annotated[float | None, typer.Option(help="Stop when validation has shown it: 0.95.")]
Cache = Annotated[str | None, typer.Option(help="Of decoded pictures: auto, off, ram or disk.")]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, help="Larger pictures are left out; else 75 million.")
]
Compile = Annotated[
    bool | None, typer.Option("--compile", help="Try torch.compile; used where it is faster.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Any setting: optim.weight_decay=0.05.")
]
Changes = Annotated[
    Path | None,
    typer.Option("--changes", "--exclude", help="A list by `shortcut check` or `suspects`."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors and results.")]
Format = Annotated[Literal["table", "json"], typer.Option("--format", help="Of the result.")]
Track = Annotated[
    list[Tracker] | None,
    typer.Option("--track", help="Curves elsewhere too; may be given more than once."),
]


def train(
    data: Data,
    *,
    recipe: RecipeName = None,
    model: Annotated[str | None, typer.Option(help="`shortcut models` lists them.")] = None,
    weights: Annotated[str | None, typer.Option(help="none or imagenet.")] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", "-b")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    opt: Annotated[str | None, typer.Option(help="adam, adamw, muon or sgd.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    cache: Cache = None,
    workers: Annotated[int | None, typer.Option("--workers", "-j", help="Loader threads.")] = None,
    max_pixels: MaxPixels = None,
    seed: Annotated[int | None, typer.Option()] = None,
    budget: BudgetOption = None,
    target_accuracy: Target = None,
    compile_: Compile = None,
    set_: Set = None,
    changes: Changes = None,
    output: Annotated[Path | None, typer.Option(help="The run folder; must be new.")] = None,
    device: Device = "auto",
    download: Annotated[bool, typer.Option("--download", help="Fetch a named data set.")] = False,
    log_interval: Annotated[int, typer.Option(min=1, help="Steps between loss lines.")] = 20,
    track: Track = None,
    lang: Annotated[Lang, typer.Option(help="Of record.md.")] = "en",
    format_: Format = "table",
    quiet: Quiet = False,
) -> None:
    """Train a classifier on a folder of labelled photos."""
    given = {key: value for key, value in locals().items() if key in FLAGS and value is not None}
    settings, free = read_settings(recipe, given, set_ or [])
    from shortcut import runs

    if budget:
        _check_length(given, set_ or [])
    planned = Budget(parse_duration(budget), STARTED, free) if budget else None
    story = partial(runs.training, data, settings, budget=planned, changes=changes, output=output)
    story = partial(story, device=device, download=download, log_interval=log_interval, lang=lang)
    _show(story, track, format_, quiet)


def _check_length(given: dict[str, object], set_: list[str]) -> None:
    from shortcut.errors import RecipeError
    from shortcut.recipe import parse_changes

    if "epochs" in given or "train.epochs" in parse_changes(set_):
        raise RecipeError("`--epochs` and `--budget` are two lengths for one training; give one.")


def read_settings(
    recipe: str | None, given: dict[str, object], set_: list[str], usual: str = "balanced"
) -> tuple["Recipe", bool]:
    """What the person asked for, and whether a budget may plan the network too.

    Args:
        usual: the recipe where none is asked for, and no pretrained weights.
    """
    from shortcut.recipe import parse_changes, read_recipe

    changes = {FLAGS[flag]: value for flag, value in given.items()} | parse_changes(set_)
    pretrained = changes.get("model.weights", "none") != "none"
    settings = read_recipe(recipe or ("finetune" if pretrained else usual), changes)
    return settings, not (recipe or changes.keys() & PLANNED)


def resume(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    *,
    epochs: Annotated[int | None, typer.Option(min=1, help="In all; else as before.")] = None,
    accept_data_change: Annotated[
        bool, typer.Option("--accept-data-change", help="Pictures may be gone or have changed.")
    ] = False,
    device: Device = "auto",
    track: Track = None,
    lang: Annotated[Lang | None, typer.Option(help="Of record.md.")] = None,
    format_: Format = "table",
    quiet: Quiet = False,
) -> None:
    """Go on with an interrupted training as if it had never stopped."""
    from shortcut import runs

    changed = accept_data_change
    story = partial(
        runs.resuming, run, epochs=epochs, device=device, lang=lang, accept_data_change=changed
    )
    _show(story, track, format_, quiet)


def _show(
    begin: "Callable[..., Story]", track: "Sequence[str] | None", format_: str, quiet: bool
) -> None:
    """Show a story while it happens; a signal that finds nothing to lose ends it where it is."""
    from shortcut.console import Screen
    from shortcut.errors import InterruptedRunError
    from shortcut.events import Saved
    from shortcut.signals import Stop, Stopped

    stop, folder = Stop(), None
    story = begin(stop=stop)
    if track:
        from shortcut.tracking import tracked

        story = tracked(story, track)
    try:
        with stop, Screen(quiet=quiet) as screen:
            while True:
                event = next(story)
                if isinstance(event, Saved) and event.what == "run folder":
                    folder = event.path
                screen.show(event)
    except StopIteration as end:
        if end.value is not None:  # one of several processes, not the first, has nothing to say
            _print_outcome(end.value, format_)
    except Stopped as signal:
        raise InterruptedRunError(_what_is_there(folder), signal.number) from signal
    finally:
        story.close()  # whatever went wrong on the screen, what was learnt is saved


def _what_is_there(folder: Path | None) -> str:
    if folder is None or not (folder / "resume").exists():
        return "interrupted before the training began; nothing was written."
    return f"interrupted; `shortcut resume {folder}` goes on."


def _print_outcome(outcome: "Outcome", format_: str) -> None:
    from shortcut.console import print_accuracy

    parts = {outcome.chosen_by: outcome.val} | ({"test": outcome.test} if outcome.test else {})
    if format_ == "table":
        for part, scores in parts.items():
            print_accuracy(part, scores)
        return
    import json

    from shortcut.metrics import Scores

    def figures(scores: Scores) -> dict[str, object]:
        low, high = scores.interval
        return {"accuracy": scores.accuracy, "interval": [low, high], "images": scores.images}

    result = {"run": str(outcome.folder), "model": str(outcome.folder / "best.safetensors")}
    result["chosen_by"] = outcome.chosen_by
    typer.echo(json.dumps(result | {part: figures(s) for part, s in parts.items()}, indent=1))
