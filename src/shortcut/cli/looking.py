"""`shortcut summary`, `shortcut diagram`: a network as a table and as a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.language import Lang

if TYPE_CHECKING:
    from shortcut.summary import Summary, Table

Style = Literal["tree", "layers", "stages"]
Form = Literal["table", "json", "csv", "markdown"]
Detail = Literal["stages", "blocks", "layers"]
Theme = Literal["light", "dark"]


def summary(
    networks: Annotated[
        list[str], typer.Argument(help="Names (`shortcut models`) or .safetensors files.")
    ],
    *,
    style: Annotated[
        Style, typer.Option(help="Nested modules, a line a layer, or the paper's Table 1.")
    ] = "tree",
    classes: Annotated[int | None, typer.Option(min=1, help="Of networks by name.")] = None,
    image_size: Annotated[int | None, typer.Option(min=8, max=4096, help="Pixels.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="Fold the tree below this.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pictures, for the memory.")] = 1,
    train: Annotated[bool, typer.Option("--train", help="Memory of training.")] = False,
    lang: Annotated[Lang, typer.Option()] = "en",
    format_: Annotated[Form, typer.Option("--format")] = "table",
) -> None:
    """Show what a network is made of."""
    from shortcut.networks import find_network
    from shortcut.summary import stage_column, stage_table, summarize

    _refuse_idle(style, depth=depth, memory=batch > 1 or train)
    given = [find_network(name, classes=classes, image_size=image_size) for name in networks]
    if style == "stages":
        columns = [stage_column(found.name, found.model, found.image_size) for found in given]
        records = [asdict(column) for column in columns]
        _print(records, stage_table(columns, lang), format_)
        return
    made = {
        found.file or found.name: summarize(found.model, found.image_size, batch=batch, train=train)
        for found in given
    }
    if format_ == "json":
        _print([{"network": name} | one.as_dict() for name, one in made.items()], None, format_)
        return
    for name, one in made.items():
        _print_summary(name if len(made) > 1 else None, one, style, format_, depth, lang)


def diagram(
    networks: Annotated[
        list[str], typer.Argument(help="Names (`shortcut models`) or .safetensors files.")
    ],
    *,
    output: Annotated[Path, typer.Option(help="A new file: .svg, .png or .pdf.")],
    detail: Annotated[
        Detail, typer.Option(help="A box a stage, equal blocks once, or every layer.")
    ] = "blocks",
    theme: Annotated[Theme, typer.Option(help="For which ground.")] = "light",
    lang: Annotated[Lang, typer.Option()] = "en",
    classes: Annotated[int | None, typer.Option(min=1, help="Of networks by name.")] = None,
    image_size: Annotated[int | None, typer.Option(min=8, max=4096, help="Pixels.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Draw networks side by side: blocks, shortcuts, sizes."""
    from shortcut import console
    from shortcut.diagram import draw_diagram
    from shortcut.errors import ResourceError

    if output.exists() and not force:
        raise ResourceError(f"`{output}` exists. Name another file, or replace it with `--force`.")
    draw_diagram(
        networks,
        output,
        detail=detail,
        theme=theme,
        lang=lang,
        classes=classes,
        image_size=image_size,
    )
    console.print_line(str(output))


def _refuse_idle(style: Style, *, depth: int | None, memory: bool) -> None:
    """An option without effect is a misunderstanding: say so instead of passing over it."""
    from shortcut.errors import RecipeError

    if style == "tree":
        return
    if depth is not None:
        raise RecipeError(f"`--depth` has no effect on `--style {style}`: it folds the tree.")
    if memory:
        raise RecipeError(f"`--batch` and `--train` have no effect on `--style {style}`.")


def _print_summary(
    name: str | None, summary: "Summary", style: Style, format_: Form, depth: int | None, lang: Lang
) -> None:
    from shortcut import console
    from shortcut.summary import layer_table, render_layers, tree_table

    if name is not None:
        console.print_line(name)
    if style == "tree":
        _print([], tree_table(summary, depth=depth, lang=lang), format_)
    elif format_ == "table":
        typer.echo(render_layers(summary))
    else:
        _print([], layer_table(summary), format_)


def _print(records: Sequence[Mapping[str, object]], table: "Table | None", format_: Form) -> None:
    from shortcut import console

    if format_ == "json" or table is None:
        typer.echo(json.dumps(records, indent=1, ensure_ascii=False))
    elif format_ == "csv":
        typer.echo(table.as_csv())
    elif format_ == "markdown":
        typer.echo(table.as_markdown())
    else:
        console.print_table(None, table.columns, list(table.lines()), right=table.right)
        for remark in table.remarks:
            console.print_line(remark)
