"""`shortcut export`: a model goes to where it is needed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.loading import Model
from shortcut.cli.measuring import parse_share
from shortcut.language import Lang

if TYPE_CHECKING:
    from shortcut.exporting import Export

Form = Literal["text", "json"]
TORCHVISION = "torchvision"


Target = Annotated[
    Literal["openvino", "onnx", "torch-program", "triton", "torchvision"],
    typer.Option(help="Whose format."),
]
NumberFormat = Annotated[
    Literal["fp32", "bf16", "int8"], typer.Option(help="Number format; int8 is by NNCF.")
]
Raw = Annotated[bool, typer.Option("--raw", help="The graph takes a decoded picture of any size.")]
Pictures = Annotated[
    str | None, typer.Option(help="Labelled pictures to check it on; else val of the run.")
]
CheckedPart = Annotated[
    Literal["auto", "train", "val", "test", "all"], typer.Option(help="Of the data; auto: val.")
]
MinAgreement = Annotated[
    str, typer.Option(help="Share of equal best answers below which it is not exported.")
]
Output = Annotated[
    Path | None,
    typer.Option(help="A folder; for torchvision a file: .safetensors, or .pth for a pickle."),
]


def export(
    model: Model,
    *,
    to: Target,
    precision: NumberFormat = "fp32",
    raw: Raw = False,
    data: Pictures = None,
    part: CheckedPart = "auto",
    min_agreement: MinAgreement = "99%",
    output: Output = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing export.")] = False,
    lang: Annotated[Lang, typer.Option(help="Of the page.")] = "en",
    format_: Annotated[Form, typer.Option("--format")] = "text",
) -> None:
    """Write a model for other programs, and prove that it answers as before.

    openvino and onnx run without torch, and faster; `shortcut predict` takes them too. torchvision
    gets the plain weights, nothing else.
    """
    from shortcut import console
    from shortcut.events import heard, run_silently

    if to == TORCHVISION:
        agreement = {"min-agreement": min_agreement}
        _refuse_idle(precision, {"data": data, "part": part, "raw": raw, "lang": lang} | agreement)
        _to_torchvision(model, output, force, format_)
        return
    from shortcut.exporting import exporting

    with console.Screen() as screen:
        story = exporting(
            *(model, to),
            precision=precision,
            raw=raw,
            data=data,
            part=part,
            output=output,
            min_agreement=_agreement(min_agreement),
            force=force,
            lang=lang,
        )
        done = run_silently(heard(story, screen.show))
    if format_ == "json":
        typer.echo(json.dumps(done.as_dict(), indent=1, ensure_ascii=False))
    else:
        _print(done)


def _agreement(text: str) -> float:
    """`99%` as 0.99; `none`, whatever it answers, as 0."""
    if text == "none":
        return 0.0
    return 1.0 if text in ("100%", "1") else parse_share(text)


def _print(done: "Export") -> None:
    from shortcut import console
    from shortcut.exporting.page import parity_tables, verdict
    from shortcut.language import speak

    say = speak("en")
    for table in parity_tables(done.parity, say):
        console.print_table(table.title, table.columns, table.rows, right=(1, 2))
    console.print_line(verdict(done.parity, say, kept=True))
    console.print_line(f"try it: shortcut predict {done.file} a.jpg")


IDLE = {"data": None, "part": "auto", "raw": False, "lang": "en", "min-agreement": "99%"}
"""What does nothing for torchvision, and what stands there if nobody asks."""


def _refuse_idle(precision: str, given: Mapping[str, object]) -> None:
    from shortcut.errors import RecipeError

    if precision != "fp32":
        raise RecipeError("`--to torchvision` writes the weights as they are: float32.")
    for option, value in given.items():
        if value != IDLE[option]:
            raise RecipeError(
                f"`--{option}` has no effect with `--to torchvision`: it writes weights only."
            )


def _to_torchvision(model: Path, output: Path | None, force: bool, format_: Form) -> None:
    from shortcut import console
    from shortcut.classifier import load
    from shortcut.formats.torchvision import export_torchvision
    from shortcut.runfolder import find_model

    file = find_model(model)
    classifier = load(file)
    wanted = output or Path(f"{file.stem}-{TORCHVISION}.safetensors")
    path = export_torchvision(classifier, wanted, force=force)
    name, outputs = classifier.network, len(classifier.classes)
    if format_ == "json":
        typer.echo(json.dumps({"network": name, "classes": outputs, "output": str(path)}, indent=1))
        return
    console.print_line(f"{path}: for torchvision.models.{name}(num_classes={outputs})")
