"""`shortcut models`, `shortcut recipes`."""

import json
from typing import Annotated, Literal

import typer

Format = Annotated[Literal["table", "json"], typer.Option("--format")]


def models(format_: Format = "table") -> None:
    """List the networks."""
    from shortcut import console
    from shortcut.models.variants import VARIANTS, count_parameters

    rows = [
        {
            "name": name,
            "block": variant.block.__name__,
            "layers": list(variant.layers),
            "parameters": count_parameters(name),
            "stem": variant.stem or "by picture size",
            "paper": variant.paper,
        }
        for name, variant in VARIANTS.items()
    ]
    if format_ == "json":
        typer.echo(json.dumps(rows, indent=1))
        return
    cells = [[_cell(value) for value in row.values()] for row in rows]
    console.print_table(None, list(rows[0]), cells, right=(3,))


def recipes(format_: Format = "table") -> None:
    """List the shipped recipes and what each reaches, where, how fast."""
    from shortcut import console
    from shortcut.recipe import list_recipes

    found = list_recipes()
    if format_ == "json":
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    console.print_table(None, ["recipe", "what it reaches"], [[*row] for row in found.items()])


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
