"""Answers for files and folders, in order, in batches; a file that cannot be read gets its reason
instead."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shortcut.data.decode import largest_file
from shortcut.data.folders import list_pictures
from shortcut.data.preprocess import Pixels
from shortcut.errors import DataError, DecodeError
from shortcut.predictor import Prediction, Predictor

STANDARD_INPUT = Path("-")
PIECE = 2**20
"""Bytes of standard input that are read at once."""


@dataclass(frozen=True)
class Answer:
    """What came of one file: a prediction, or the reason why there is none."""

    file: Path
    prediction: Prediction | None
    error: str | None = None


def predict_files(
    classifier: Predictor, files: Sequence[str | Path], *, batch_size: int = 32
) -> Iterator[Answer]:
    """Classify files, and every picture below folders; yields one answer a file, in order.

    `-` is the picture on standard input.

    Raises:
        DataError: before the first answer, if a path does not exist or a folder holds no pictures.
    """
    paths = find_pictures(files)
    # Whole pictures take memory, and are asked about one by one anyway.
    together = 1 if classifier.raw else batch_size
    for start in range(0, len(paths), together):
        yield from _answer(classifier, paths[start : start + together])


def find_pictures(files: Sequence[str | Path]) -> list[Path]:
    """The files themselves and every picture below those that are folders, in order.

    Raises:
        DataError: if a path does not exist or a folder holds no pictures.
    """
    paths = [path for file in files for path in _expand(Path(file))]
    if paths.count(STANDARD_INPUT) > 1:
        raise DataError("standard input can be read but once: give `-` a single time.")
    return paths


def read_pixels(classifier: Predictor, path: Path) -> Pixels:
    """A file, or `-` for standard input, as `Predictor.pixels` gives it.

    Raises:
        DecodeError: if it cannot be read as a picture.
    """
    given = _standard_input(classifier.max_pixels) if path == STANDARD_INPUT else path
    return classifier.pixels(given)


def check_errors(errors: Sequence[str]) -> None:
    """The first of the reasons why files have no answer, and how many more there are, as an error.

    Raises:
        DataError: there is one.
    """
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise DataError(f"{errors[0]}{more}")


def named(prediction: Prediction) -> str:
    """The label; where the classifier is not sure, or knows nothing like the picture, that."""
    if prediction.unlike:
        return f"unlike anything seen in training (perhaps {prediction.label})"
    return prediction.label if prediction.sure else f"not sure (perhaps {prediction.label})"


def as_text(answers: Sequence[Answer]) -> str:
    """The cats-and-dogs tutorial's sentence, a line a file; with the file's name where there are
    several."""
    lines: list[str] = []
    for answer in answers:
        prefix = f"{answer.file}: " if len(answers) > 1 else ""
        if answer.prediction is None:
            lines.append(f"{prefix}{answer.error}")
        else:
            best = answer.prediction
            said = f"this picture might be: {named(best)} , score: {best.score:.2f}"
            lines.append(f"{prefix}{said}")
    return "\n".join(lines)


def as_json(answers: Sequence[Answer]) -> str:
    """A list of objects with `file`, `label`, `sure`, `unlike`, `distance`, `score`, `scores`, or
    `file` and `error`; `distance` is null where the classifier knows nothing of it."""
    return json.dumps([_record(answer) for answer in answers], indent=1, ensure_ascii=False)


def as_csv(answers: Sequence[Answer], classes: Sequence[str]) -> str:
    """A table with the columns file, label, sure, unlike, score, one for each class, error."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["file", "label", "sure", "unlike", "score", *classes, "error"])
    for answer in answers:
        best = answer.prediction
        if best is None:
            table.writerow([answer.file, *[""] * 4, *[""] * len(classes), answer.error])
        else:
            scores = [f"{best.scores[name]:.6f}" for name in classes]
            unlike = None if best.distance is None else best.unlike
            flags = ({True: "yes", False: "no", None: ""}[flag] for flag in (best.sure, unlike))
            facts = best.label, *flags, f"{best.score:.6f}"
            table.writerow([answer.file, *facts, *scores, ""])
    return out.getvalue().rstrip("\n")


def as_record(prediction: Prediction) -> dict[str, object]:
    """For JSON: `label`, `sure`, `unlike`, `distance`, `score`, `scores`; `unlike` and `distance`
    are None where the classifier knows nothing of it."""
    return {
        "label": prediction.label,
        "sure": prediction.sure,
        "unlike": None if prediction.distance is None else prediction.unlike,
        "distance": prediction.distance,
        "score": prediction.score,
        "scores": prediction.scores,
    }


def _record(answer: Answer) -> dict[str, object]:
    file: dict[str, object] = {"file": str(answer.file)}
    if answer.prediction is None:
        return file | {"error": answer.error}
    return file | as_record(answer.prediction)


def _expand(path: Path) -> list[Path]:
    if path == STANDARD_INPUT:
        return [path]
    if path.is_dir():
        pictures = list_pictures(path)
        if not pictures:
            raise DataError(f"{path}: no pictures in this folder.")
        return pictures
    if not path.exists():
        where = str(path).partition(":")[0].lower()
        web = " Web addresses are not opened: download the picture." * (where in ("http", "https"))
        raise DataError(f"{path}: no such file or folder.{web}")
    return [path]


def _answer(classifier: Predictor, paths: Sequence[Path]) -> Iterator[Answer]:
    """One batch: what can be read goes through the network together."""
    read = {}
    errors: dict[Path, str] = {}
    for path in paths:
        try:
            read[path] = read_pixels(classifier, path)
        except DecodeError as error:
            errors[path] = str(error)
    predictions = dict(zip(read, classifier.predict_pixels(list(read.values())), strict=True))
    for path in paths:
        yield Answer(path, predictions.get(path), errors.get(path))


def _standard_input(max_pixels: int | None) -> bytes:
    """All of it, or more than a picture may have: it may never end."""
    most, read = largest_file(max_pixels), io.BytesIO()
    # In pieces: to ask for that much at once would take the memory for it, whatever comes.
    while read.tell() <= most and (piece := sys.stdin.buffer.read(PIECE)):
        read.write(piece)
    return read.getvalue()
