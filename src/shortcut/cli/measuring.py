"""`shortcut evaluate`, `shortcut predict`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.training import Data, Device, MaxPixels

if TYPE_CHECKING:
    from shortcut.classifier import Classifier

Model = Annotated[Path, typer.Argument(help="A .safetensors file from a run.")]


def evaluate(
    model: Model,
    data: Data,
    *,
    part: Annotated[
        Literal["auto", "train", "val", "test", "all"],
        typer.Option(help="auto: test if the data has it, else val, else all."),
    ] = "auto",
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", min=1)] = 64,
    device: Device = "auto",
    download: Annotated[bool, typer.Option("--download", help="Fetch a named data set.")] = False,
    max_broken: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of unreadable pictures.")
    ] = 0.01,
    max_pixels: MaxPixels = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for confusion_matrix.csv and .png.")
    ] = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
) -> None:
    """Measure a trained classifier on labelled pictures."""
    from shortcut import conclusion, console
    from shortcut.data.sources import choose_part, default_cache, reading_source
    from shortcut.evaluation import evaluating
    from shortcut.events import Notice, heard, run_silently

    classifier = _load(model, device, max_pixels)
    with console.Screen() as screen:
        reading = reading_source(data, cache=default_cache(), download=download)
        source = run_silently(heard(reading, screen.show))
        chosen, samples = choose_part(source, part)
        story = evaluating(classifier, samples, batch_size=batch_size, max_broken=max_broken)
        scores = run_silently(heard(story, screen.show))
        remarks = [f"measured on the {chosen} part of {source.name}"]
        if chosen in ("train", "all"):
            remarks.append("if the training saw these pictures, the figure says little")
        for line in (*remarks, *(f"left out: {line}" for line in scores.left_out)):
            screen.show(Notice(line))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        conclusion.save_confusion(scores, output)
    if format_ == "json":
        typer.echo(json.dumps({"part": chosen} | scores.as_dict(), indent=1, ensure_ascii=False))
    else:
        console.print_scores(scores)


def predict(
    model: Model,
    images: Annotated[
        list[Path], typer.Argument(help="Picture files or folders; `-`: standard input.")
    ],
    *,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", min=1)] = 32,
    max_pixels: MaxPixels = None,
    device: Device = "auto",
    format_: Annotated[Literal["table", "text", "json", "csv"], typer.Option("--format")] = "table",
) -> None:
    """Say what is on pictures."""
    from shortcut import console, prediction
    from shortcut.errors import DataError
    from shortcut.events import Progress

    classifier = _load(model, device, max_pixels)
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
                [str(a.file), a.prediction.label, f"{a.prediction.score:.4f}"]
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
    failed = [answer for answer in answers if answer.error]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise DataError(f"{failed[0].error}{more}")


def _load(model: Path, device: str, max_pixels: int | None) -> "Classifier":
    from shortcut.classifier import load
    from shortcut.world import find_world

    classifier = load(model, device=find_world(device).device)
    classifier.max_pixels = max_pixels or classifier.max_pixels
    return classifier
