"""`shortcut explain`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.loading import Model, load_model
from shortcut.cli.training import Device, Format, MaxPixels

if TYPE_CHECKING:
    from shortcut.explanation import Explained, Method


def explain(
    model: Model,
    images: Annotated[
        list[Path], typer.Argument(help="Picture files or folders; `-`: standard input.")
    ],
    *,
    output: Annotated[Path, typer.Option(help="Folder for a PNG each.")] = Path("explained"),
    class_: Annotated[
        str | None, typer.Option("--class", help="Explain this class; else the answer.")
    ] = None,
    method: Annotated[
        Literal["both", "grad-cam", "occlusion"],
        typer.Option(help="grad-cam: one look; occlusion: finer, some 140 looks a picture."),
    ] = "both",
    max_pixels: MaxPixels = None,
    device: Device = "auto",
    format_: Format = "table",
) -> None:
    """Show where on pictures the answer was seen.

    Maps are of the square that the network sees, as it is; the mirror image has no say in them.
    They show what was used, not whether that is a good reason.
    """
    from shortcut import console
    from shortcut.errors import ModelError
    from shortcut.events import heard, run_silently
    from shortcut.explanation import METHODS, explaining
    from shortcut.prediction import check_errors
    from shortcut.runtime.loading import is_exported

    if is_exported(model):
        raise ModelError(
            f"`{model}` is an export: `shortcut serve` shows where it saw its answer; `explain` "
            "takes the model file that it was made of."
        )
    methods = METHODS if method == "both" else (method,)
    classifier = load_model(model, device, max_pixels)
    with console.Screen() as screen:
        story = explaining(classifier, images, output, wanted=class_, methods=methods)
        explained = run_silently(heard(story, screen.show))
    if format_ == "json":
        typer.echo(json.dumps([one.as_dict() for one in explained], indent=1, ensure_ascii=False))
    else:
        _print_table(explained, methods)
    check_errors([one.error for one in explained if one.error])


def _print_table(explained: Sequence["Explained"], methods: Sequence["Method"]) -> None:
    from shortcut import console

    rows = [
        [
            *(str(one.file), one.target, f"{one.score:.4f}"),
            *(_where(one, method) for method in methods),
            str(one.plate),
        ]
        for one in explained
        if one.prediction
    ]
    console.print_table(None, ["picture", "label", "score", *methods, "file"], rows, right=(2,))


def _where(one: "Explained", method: "Method") -> str:
    if spot := one.spots[method]:
        return str(spot)
    return "nothing speaks for it" if method == "grad-cam" else "no place matters by itself"
