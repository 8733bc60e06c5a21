"""`shortcut models`, `shortcut recipes`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.training import Device

if TYPE_CHECKING:
    from shortcut.models.catalogue import Entry

Format = Annotated[Literal["table", "json"], typer.Option("--format")]


def models(
    names: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None,
    *,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time training and predicting here: minutes for all.")
    ] = False,
    device: Device = "auto",
    format_: Format = "table",
) -> None:
    """List the networks: size, work, published accuracy, paper."""
    from shortcut import console
    from shortcut.models.catalogue import describe_models

    entries = describe_models(names)
    speeds = _measure(entries, device) if measure else {}
    if format_ == "json":
        rows = [asdict(entry) | speeds.get(entry.name, {}) for entry in entries]
        typer.echo(json.dumps(rows, indent=1))
        return
    head = ["name", "parameters", "multiply-adds", "at px", "V1 top-1", "V2 top-1", "year", "paper"]
    cells = [_cells(entry) for entry in entries]
    right = [1, 2, 3, 4, 5, 6]
    if measure:
        head[4:4] = ["train/s", "predict/s"]
        for entry, row in zip(entries, cells, strict=True):
            row[4:4] = [f"{speed:,.1f}" for speed in speeds[entry.name].values()]
        right += [7, 8]
    console.print_table(None, head, cells, right=right)
    if measure:
        console.print_line(
            "train/s, predict/s: pictures a second here, 8 at a time, made of random numbers: "
            "forward and backward in the fastest number format, forward alone in float32."
        )
    console.print_line(
        "V1, V2: ImageNet top-1 accuracy in %, as torchvision states it of its weights."
    )


def recipes(format_: Format = "table") -> None:
    """List the shipped recipes and what each reaches, where, how fast."""
    from shortcut import console
    from shortcut.recipe import list_recipes

    found = list_recipes()
    if format_ == "json":
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    console.print_table(None, ["recipe", "what it reaches"], [[*row] for row in found.items()])


def _cells(entry: "Entry") -> list[str]:
    billions = entry.multiply_adds / 1e9
    return [
        entry.name,
        f"{entry.parameters:,}",
        f"{billions:.2f} x 10^9" if billions >= 1 else f"{1000 * billions:.0f} x 10^6",
        str(entry.image_size),
        *("" if top1 is None else f"{top1:.2f}" for top1 in (entry.top1_v1, entry.top1_v2)),
        "" if entry.year is None else str(entry.year),
        entry.paper,
    ]


def _measure(entries: Sequence["Entry"], device: str) -> dict[str, dict[str, float]]:
    from shortcut import console
    from shortcut.events import Progress
    from shortcut.models import create_model
    from shortcut.speed import measure_speed
    from shortcut.world import find_world

    where = find_world(device).device
    speeds: dict[str, dict[str, float]] = {}
    with console.Screen() as screen:
        for done, entry in enumerate(entries):
            screen.show(Progress(f"timing {entry.name}", done, len(entries)))
            model = create_model(entry.name, num_classes=entry.classes)
            speed = measure_speed(model, image_size=entry.image_size, device=where)
            speeds[entry.name] = {
                "train_images_per_second": speed.train,
                "predict_images_per_second": speed.predict,
            }
    return speeds
