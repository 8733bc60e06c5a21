"""`shortcut evaluate`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shortcut.cli.foreign import describe_unlike, find_foreign, judging_unlike
from shortcut.cli.loading import AnyModel, Engine, Tta, load_predictor
from shortcut.cli.training import Data, Device, MaxPixels

if TYPE_CHECKING:
    from shortcut.answers import Evaluation
    from shortcut.data.samples import Source
    from shortcut.metrics import Scores
    from shortcut.predictor import Predictor

Part = Annotated[
    Literal["auto", "train", "val", "test", "all"],
    typer.Option(help="auto: test if the data has it, else val, else all."),
]
Download = Annotated[bool, typer.Option("--download", help="Fetch a named data set.")]
MaxBroken = Annotated[
    float, typer.Option(min=0, max=1, help="Largest share of unreadable pictures.")
]
MaxError = Annotated[
    str | None,
    typer.Option(help="2%: be `not sure` below the score that this asks for; none: never."),
]
Foreign = Annotated[
    Path | None,
    typer.Option(help="Folder of other pictures: how well the model tells them from these."),
]
Output = Annotated[
    Path | None, typer.Option(help="Folder for pictures: confusion matrix, reliability.")
]


def evaluate(
    model: AnyModel,
    data: Data,
    *,
    part: Part = "auto",
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", min=1)] = 64,
    device: Device = "auto",
    engine: Engine = "auto",
    download: Download = False,
    max_broken: MaxBroken = 0.01,
    max_pixels: MaxPixels = None,
    max_error: MaxError = None,
    tta: Tta = None,
    foreign: Foreign = None,
    output: Output = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
) -> None:
    """Measure a trained classifier on labelled pictures."""
    from shortcut import console
    from shortcut.data import sources
    from shortcut.evaluation import evaluating
    from shortcut.events import Notice, heard, run_silently

    share = _share_of_errors(max_error, tta)
    if output is not None:
        sources.check_outside(output, data)
    classifier = load_predictor(model, device, max_pixels, tta, engine)
    if share:
        _check_keepable(classifier)
    strangers = find_foreign(classifier, foreign) if foreign else []
    with console.Screen() as screen:
        reading = sources.reading_source(data, cache=sources.default_cache(), download=download)
        source = run_silently(heard(reading, screen.show))
        chosen, samples = sources.choose_part(source, part)
        story = evaluating(classifier, samples, batch_size=batch_size, max_broken=max_broken)
        found = run_silently(heard(story, screen.show))
        limited = _set_limit(classifier, found, share, model) if share else ()
        looks = _count_looks(source, chosen)
        for line in (*_remarks(chosen, source.name, found, looks, tta), *limited):
            screen.show(Notice(line))
        judging = judging_unlike(classifier, found, strangers, batch_size)
        unlike = run_silently(heard(judging, screen.show))
    if output is not None:
        _draw(found.scores, output)
    facts = {"part": chosen} | ({"tta": tta} if tta else {})
    _print(facts, found, found.with_limit(classifier.sure_from), unlike, format_)


def _count_looks(source: "Source", part: str) -> int:
    """How many times the test pictures have been measured on, with this time."""
    from shortcut.data.ledger import count_look
    from shortcut.data.sources import default_cache

    tests = source.parts.get("test", ())
    if part not in ("test", "all") or not tests:
        return 0
    return count_look(tests, default_cache(), "evaluate")


def _remarks(part: str, name: str, found: "Evaluation", looks: int, tta: str | None) -> list[str]:
    """What to know of the figures."""
    from shortcut.data.ledger import describe_looks

    remarks = [f"measured on the {part} part of {name}" + (f", with `--tta {tta}`" if tta else "")]
    if looks > 1:
        remarks.append(describe_looks(looks)[0])
    if part in ("train", "all"):
        remarks.append("if the training saw these pictures, the figure says little")
    return remarks + [f"left out: {line}" for line in found.scores.left_out]


def _print(
    facts: dict[str, str],
    found: "Evaluation",
    limit: dict[str, float],
    unlike: dict[str, object],
    format_: str,
) -> None:
    from shortcut import console

    if format_ == "json":
        whole = facts | found.scores.as_dict() | limit | unlike
        typer.echo(json.dumps(whole, indent=1, ensure_ascii=False))
        return
    console.print_scores(found.scores)
    if limit:
        console.print_line(describe_limit(limit))
    for line in describe_unlike(unlike, found.scores.images):
        console.print_line(line)


def _share_of_errors(max_error: str | None, tta: str | None) -> float | None:
    from shortcut.errors import RecipeError

    if max_error and tta:
        raise RecipeError(
            "give `--max-error` or `--tta`, not both: the limit is kept in the model, for answers "
            "without `--tta`."
        )
    return parse_share(max_error) if max_error else None


def parse_share(text: str) -> float:
    """`2%` or `0.02` as 0.02; `none`, whatever is wrong, as 1."""
    from shortcut.errors import RecipeError

    if text == "none":
        return 1.0
    try:
        share = float(text.rstrip("% ")) / (100 if text.rstrip().endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise RecipeError(f"`{text}` is no share of answers; give one like 2% or 0.02, or `none`.")
    return share


def describe_limit(limit: dict[str, float]) -> str:
    """How many pictures are answered, and how many of these wrongly, in one line."""
    answered, images = int(limit["answered"]), int(limit["images"])
    line = f"sure of {answered:,} of {images:,} pictures ({answered / images:.1%})"
    if not answered:
        return line
    return f"{line}, {int(limit['wrong']):,} of these wrong ({limit['wrong'] / answered:.2%})"


def _check_keepable(classifier: "Predictor") -> None:
    """A limit is kept in the file."""
    from shortcut.classifier import Classifier
    from shortcut.errors import RecipeError

    if not isinstance(classifier, Classifier):
        raise RecipeError(
            "`--max-error`: set the limit in the model file of shortcut, and export it anew."
        )


def _set_limit(
    classifier: "Predictor", found: "Evaluation", share: float, model: Path
) -> Iterator[str]:
    """Store in the model file from which score on it is sure; says what came of it."""
    from shortcut.calibration import find_limit
    from shortcut.classifier import Classifier
    from shortcut.errors import DataError
    from shortcut.runfolder import find_model

    if share == 1.0:
        classifier.sure_from = 0.0
    else:
        limit = find_limit(found.answers.scores, found.answers.right, share)
        if limit is None:
            raise DataError(
                f"no score of these {found.scores.images:,} pictures is high enough for at most "
                f"{share:.2%} of errors; nothing is kept. Give more pictures, or allow more errors."
            )
        classifier.sure_from = limit.score
        yield f"sure from a score of {limit.score:.4f} on, for at most {share:.2%} of errors; kept"
        yield "what follows is of the pictures that chose it: check it on others"
    assert isinstance(classifier, Classifier)
    classifier.save(find_model(model))


def _draw(scores: "Scores", output: Path) -> None:
    from shortcut.description import save_confusion
    from shortcut.report.reliability import draw_reliability

    output.mkdir(parents=True, exist_ok=True)
    save_confusion(scores, output)
    draw_reliability(scores, output / "reliability.png")
