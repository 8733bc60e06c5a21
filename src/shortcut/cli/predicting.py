"""`shortcut predict`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from shortcut.cli.loading import AnyModel, Engine, Tta, load_predictor
from shortcut.cli.training import Device, MaxPixels


def predict(
    model: AnyModel,
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
