"""`shortcut summary`, `shortcut diagram`: a network as a table and as a picture."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.language import Lang

if TYPE_CHECKING:
    from shortcut.networks import FoundNetwork
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
    from shortcut import console
    from shortcut.networks import find_network
    from shortcut.summary import stage_column, stage_table, summarize

    _refuse_idle(style, format_, depth=depth, memory=batch > 1 or train)
    given = [find_network(name, classes=classes, image_size=image_size) for name in networks]
    if style == "stages":
        columns = [stage_column(found.name, found.model, found.image_size) for found in given]
        _tell_of_small_stems(given)
        _print([asdict(column) for column in columns], stage_table(columns, lang), format_)
        return
    made = [
        (name, summarize(found.model, found.image_size, batch=batch, train=train))
        for name, found in zip(networks, given, strict=True)
    ]
    _tell_of_small_stems(given)
    if format_ == "json":
        _print_json([{"network": name} | one.as_dict() for name, one in made])
    elif format_ == "csv":
        _print_csv([row for name, one in made for row in _csv_rows(name, one, style)])
    else:
        for name, one in made:
            if len(made) > 1:
                console.print_line(name)
            _print_summary(one, style, format_, depth, lang)


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


def _refuse_idle(style: Style, format_: Form, *, depth: int | None, memory: bool) -> None:
    """An option without effect is a misunderstanding: say so instead of passing over it."""
    from shortcut.errors import RecipeError

    if depth is not None and style != "tree":
        raise RecipeError(f"`--depth` has no effect on `--style {style}`: it folds the tree.")
    if depth is not None and format_ in ("json", "csv"):
        raise RecipeError(f"`--depth` has no effect on `--format {format_}`, which has every row.")
    if memory and style != "tree":
        raise RecipeError(f"`--batch` and `--train` have no effect on `--style {style}`.")
    if memory and format_ == "csv":
        raise RecipeError("`--batch` and `--train` have no effect on `--format csv`: try json.")


def _tell_of_small_stems(given: Sequence["FoundNetwork"]) -> None:
    from shortcut import console
    from shortcut.events import Notice
    from shortcut.models.variants import SMALL_PICTURE

    names = dict.fromkeys(f"`{found.name}`" for found in given if found.small_stem)
    if names:
        with console.Screen() as screen:
            screen.show(
                Notice(
                    f"{', '.join(names)}: with the stem for pictures of {SMALL_PICTURE} pixels and "
                    "less, a 3x3 convolution and no pooling"
                )
            )


def _print_summary(
    summary: "Summary", style: Style, format_: Form, depth: int | None, lang: Lang
) -> None:
    from shortcut.summary import layer_table, render_layers, tree_table

    if style == "tree":
        _print([], tree_table(summary, depth=depth, lang=lang), format_)
    elif format_ == "table":
        typer.echo(render_layers(summary))
    else:
        _print([], layer_table(summary), format_)


def _csv_rows(name: str, summary: "Summary", style: Style) -> Iterator[dict[str, object]]:
    """For programs: whole names and plain numbers; of shapes and windows `64x56x56`."""
    from shortcut.summary import layer_records

    if style == "layers":
        yield from ({"network": name} | record for record in layer_records(summary))
        return
    for row in summary.rows:
        record = {"network": name} | asdict(row)
        yield {
            key: "x".join(map(str, value)) if isinstance(value, tuple) else value
            for key, value in record.items()
        }


def _print(records: Sequence[Mapping[str, object]], table: "Table", format_: Form) -> None:
    from shortcut import console

    if format_ == "json":
        _print_json(records)
    elif format_ == "csv":
        typer.echo(table.as_csv())
    elif format_ == "markdown":
        typer.echo(table.as_markdown())
    else:
        console.print_table(None, table.columns, list(table.lines()), right=table.right)
        for remark in table.remarks:
            console.print_line(remark)


def _print_json(records: Sequence[Mapping[str, object]]) -> None:
    typer.echo(json.dumps(records, indent=1, ensure_ascii=False))


def _print_csv(records: Sequence[Mapping[str, object]]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    typer.echo(out.getvalue(), nl=False)
