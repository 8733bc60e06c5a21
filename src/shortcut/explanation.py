"""Explaining pictures: each is read, answered, mapped and drawn on a plate of its own."""

import difflib
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from shortcut.classifier import Classifier
from shortcut.data.folders import printable
from shortcut.data.preprocess import Pixels
from shortcut.data.sources import check_outside
from shortcut.errors import DataError, DecodeError, RecipeError
from shortcut.events import Event, Notice, Progress, Saved
from shortcut.heat import Heat, Spot, find_spot
from shortcut.heatmaps import grad_cam, map_cells, occluding
from shortcut.prediction import STANDARD_INPUT, find_pictures, named, read_pixels
from shortcut.predictor import Prediction
from shortcut.report.overlay import draw_plate

Method = Literal["grad-cam", "occlusion"]
METHODS: tuple[Method, ...] = ("grad-cam", "occlusion")
NOTICEABLE = 0.01
"""A probability; if no cover takes away more, no place matters by itself, and what the map would
show is noise."""
LONGEST_STEM, LONGEST_CLASS = 150, 50
"""Bytes of a file's name and of a class in that of a plate: a system takes 255, and a file that is
being written is called a little longer."""


@dataclass(frozen=True)
class Explained:
    """What came of one file: an answer and where it was seen, or the reason why there is none."""

    file: Path
    prediction: Prediction | None = None
    target: str = ""
    """The class that was explained: the answer, unless another was asked for."""
    spots: dict[Method, Spot | None] = field(default_factory=dict)
    """None: nothing speaks for the class, or no place matters by itself."""
    plate: Path | None = None
    error: str | None = None

    @property
    def score(self) -> float:
        """Probability of `target`, 0 to 1."""
        return self.prediction.scores[self.target] if self.prediction else 0.0

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        if self.prediction is None:
            return {"file": str(self.file), "error": self.error}
        return {
            "file": str(self.file),
            "label": self.prediction.label,
            "sure": self.prediction.sure,
            "score": self.prediction.score,
            "explained": {"label": self.target, "score": self.score},
            "maps": {name: asdict(spot) if spot else None for name, spot in self.spots.items()},
            "plate": str(self.plate),
        }


def explaining(
    classifier: Classifier,
    files: Sequence[str | Path],
    output: Path,
    *,
    wanted: str | None = None,
    methods: Sequence[Method] = METHODS,
) -> Generator[Event, None, list[Explained]]:
    """Explain files, and every picture below folders, `-` being standard input: a PNG each in
    `output`. Yields progress.

    A file that cannot be read gets its reason instead.

    Args:
        wanted: the class to explain; None: the answer for each picture.

    Raises:
        RecipeError: no such class; the nearest is offered.
        DataError: a path does not exist, a folder holds no pictures, or `output` lies where the
            pictures are.
        ResourceError: a plate cannot be written.
    """
    if wanted is not None:
        _check_class(wanted, classifier.classes)
    paths = find_pictures(files)
    _check_place(output, files, paths)
    if classifier.mirror_below:
        yield Notice("maps are of pictures as they are; of unsure ones the mirror image has a say")
    cells = "{} x {}".format(*map_cells(classifier))
    explained: list[Explained] = []
    plates = _plates(paths, output, printable(wanted or ""))
    for number, (path, plate) in enumerate(zip(paths, plates, strict=True)):
        yield Progress("explaining", number, len(paths))
        try:
            pixels = read_pixels(classifier, path)
        except DecodeError as error:
            explained.append(Explained(path, error=str(error)))
            continue
        (prediction,) = classifier.predict_pixels([pixels])
        target = wanted or prediction.label
        position = classifier.classes.index(target)
        story = _mapping(classifier, pixels, position, methods)
        maps = yield from _within(story, number, len(paths))
        spots: dict[Method, Spot | None] = {name: find_spot(heat) for name, heat in maps.items()}
        explained.append(Explained(path, prediction, target, spots, plate))
        _draw(explained[-1], pixels, maps, cells)
    yield Progress("explaining", len(paths), len(paths))
    yield Saved("explanations", output)
    return explained


def _mapping(
    classifier: Classifier, pixels: Pixels, target: int, methods: Sequence[Method]
) -> Generator[Progress, None, dict[Method, Heat]]:
    maps: dict[Method, Heat] = {}
    if "grad-cam" in methods:
        maps["grad-cam"] = grad_cam(classifier, [pixels], [target])[0]
    if "occlusion" in methods:
        falls = yield from occluding(classifier, pixels, target)
        maps["occlusion"] = falls if falls.max() >= NOTICEABLE else np.zeros_like(falls)
    return maps


def _within(
    story: Generator[Progress, None, dict[Method, Heat]], number: int, pictures: int
) -> Generator[Progress, None, dict[Method, Heat]]:
    """The progress of one picture as part of that of all."""
    while True:
        try:
            event = next(story)
        except StopIteration as end:
            return end.value
        done = number * event.total + event.done
        if event.done < event.total:
            yield Progress("explaining", done, pictures * event.total)


def _draw(one: Explained, pixels: Pixels, maps: dict[Method, Heat], cells: str) -> None:
    if one.prediction is None or one.plate is None:
        return
    panels: list[tuple[str, Heat]] = []
    for method, heat in maps.items():
        if method == "grad-cam":
            facts = f"{cells} cells" if heat.any() else "nothing speaks for it"
        elif heat.any():
            facts = f"the score falls by up to {heat.max():.2f}"
        else:
            facts = "no place matters by itself"
        panels.append((f"{method}: {facts}", heat))
    answer = f"{named(one.prediction)}, {one.prediction.score:.4f}"
    if one.target != one.prediction.label:
        answer = f"explained: {one.target}, {one.score:.4f} (the answer: {answer})"
    title = "standard input" if one.file == STANDARD_INPUT else one.file.name
    draw_plate(pixels, panels, one.plate, title=title, answer=answer)


def _check_class(wanted: str, classes: Sequence[str]) -> None:
    if wanted in classes:
        return
    near = difflib.get_close_matches(wanted, classes, 1, cutoff=0.6)
    known = ", ".join(classes[:10]) + ", ..." * (len(classes) > 10)
    hint = f"Did you mean `{near[0]}`?" if near else f"It knows: {known}."
    raise RecipeError(f"the model has no class `{wanted}`. {hint}")


def _check_place(output: Path, files: Sequence[str | Path], paths: Sequence[Path]) -> None:
    """Nothing is written among the pictures: the folder of a file that was given is one too."""
    for file in files:
        check_outside(output, file)
    beside = {path.absolute().parent.resolve() for path in paths if path != STANDARD_INPUT}
    if output.absolute().resolve() in beside:
        raise DataError(
            f"{output} is where the pictures lie, and nothing is written there; give `--output` "
            "another place."
        )


def _plates(paths: Sequence[Path], output: Path, wanted: str) -> list[Path]:
    """A file for each picture, with the class that was asked for in its name; names that are there
    already, in large or small letters, get a number."""
    name = _cut(wanted, LONGEST_CLASS).replace("/", "_")
    kind = f"explained-{name}" if wanted else "explained"
    taken: set[str] = set()
    plates: list[Path] = []
    for path in paths:
        stem = "standard-input" if path == STANDARD_INPUT else printable(path.stem)
        stem = _cut(stem, LONGEST_STEM)
        name, number = f"{stem}-{kind}.png", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{kind}-{number}.png"
        taken.add(name.casefold())
        plates.append(output / name)
    return plates


def _cut(text: str, length: int) -> str:
    """The first so many bytes of it."""
    return text.encode()[:length].decode(errors="ignore")
