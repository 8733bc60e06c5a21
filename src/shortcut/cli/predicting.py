"""`shortcut predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.measuring import Tta, load_model
from shortcut.cli.training import Device, MaxPixels

if TYPE_CHECKING:
    from shortcut.predictor import Predictor
    from shortcut.runtime.loading import Wanted
    from shortcut.tta import TestTime

Engine = Annotated[
    Literal["auto", "openvino", "onnxruntime", "torch"],
    typer.Option(help="What runs an exported model; auto: the fastest here, measured once."),
]


def predict(
    model: Annotated[
        Path, typer.Argument(help="A run folder, a .safetensors file, or an exported model.")
    ],
    images: Annotated[
        list[Path], typer.Argument(help="Picture files or folders; `-`: standard input.")
    ],
    *,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", min=1)] = 32,
    max_pixels: MaxPixels = None,
    tta: Tta = None,
    device: Device = "auto",
    engine: Engine = "auto",
    format_: Annotated[Literal["table", "text", "json", "csv"], typer.Option("--format")] = "table",
) -> None:
    """Say what is on pictures."""
    from shortcut import console, prediction
    from shortcut.events import Progress

    classifier = load_predictor(model, device, max_pixels, tta, engine)
    files = prediction.find_pictures(images)
    answers: list[prediction.Answer] = []
    with console.Screen() as screen:
        for answer in prediction.predict_files(classifier, files, batch_size=batch_size):
            answers.append(answer)
            screen.show(Progress("predicting", len(answers), len(files)))
    if format_ == "table":
        console.print_table(
            None,
            ["picture", "label", "score"],
            [
                [str(a.file), prediction.named(a.prediction), f"{a.prediction.score:.4f}"]
                for a in answers
                if a.prediction
            ],
            right=(2,),
        )
    elif format_ == "text":
        typer.echo(prediction.as_text(answers))
    elif format_ == "json":
        typer.echo(prediction.as_json(answers))
    else:
        typer.echo(prediction.as_csv(answers, classifier.classes))
    prediction.check_errors([answer.error for answer in answers if answer.error])


def load_predictor(
    model: Path,
    device: str,
    max_pixels: int | None,
    tta: "TestTime | None",
    engine: "Wanted",
) -> "Predictor":
    """As `load_model`; or an exported model, for which torch is not imported."""
    from shortcut.data.sources import default_cache
    from shortcut.errors import RecipeError
    from shortcut.runtime.loading import is_exported, load_exported

    if not is_exported(model):
        if engine not in ("auto", "torch"):
            raise RecipeError(
                f"`--engine {engine}` runs exported models: `shortcut export` writes one."
            )
        return load_model(model, device, max_pixels, tta)
    if tta is not None:
        raise RecipeError("`--tta` is for model files of shortcut: an export asks as it was told.")
    if device not in ("auto", "cpu"):
        raise RecipeError(f"`--device {device}`: exported models run on the CPU here.")
    found = load_exported(model, engine=engine, cache=default_cache())
    found.max_pixels = max_pixels or found.max_pixels
    return found
