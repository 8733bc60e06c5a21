"""k trainings, so that every picture is answered by one that did not learn from it. It has a say in
which epoch of that one is the best, as validation pictures have."""

import hashlib
import os
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from shortcut.answers import Evaluation, joined, read_answer_table
from shortcut.budget import Budget
from shortcut.classifier import load
from shortcut.data.samples import Source
from shortcut.data.splits import split_table
from shortcut.disk import write_whole
from shortcut.division import Division, Plan, dividing
from shortcut.errors import ResourceError
from shortcut.events import Event, Notice
from shortcut.runfolder import is_run, read_facts
from shortcut.runs import resuming, training
from shortcut.settings import Recipe
from shortcut.signals import Stop


def crossvalidating(
    source: Source,
    recipe: Recipe,
    output: Path,
    *,
    folds: int = 4,
    budget: float | None = None,
    free: bool = False,
    device: str = "auto",
    stop: Stop | None = None,
) -> Generator[Event, None, Evaluation]:
    """Divide what is not test into folds, copies on one side, and train on all but one in turn.

    Each training has a run folder in `output`, so all of it can be interrupted: those that are
    finished are not trained again, the one under way goes on.

    Args:
        budget: seconds for each training.
        free: the budget plans network, sizes and batches as well, not epochs alone.

    Returns:
        What was answered to each picture of train and val.

    Raises:
        DataError: too few pictures, or whatever is wrong with the data.
        ResourceError: `output` holds the trainings of something else, or of the data as it was.
    """
    stop = stop or Stop()
    # Each fold is a val part: there is nothing to carve off.
    data = recipe.data.model_copy(update={"val_fraction": None})
    recipe = recipe.model_copy(update={"data": data})
    # With all pictures: answers to a folder as it was must not be read as answers to it as it is.
    pictures = hashlib.sha256(split_table(source.parts, source.root)).hexdigest()
    asked = (str(source.root.absolute()), folds, recipe.model_dump_json(), budget, free, pictures)
    _claim(output / "asked.txt", "\n".join(map(str, asked)))
    found: list[Evaluation] = []
    divisions: list[Division] = []
    if not all(_is_done(output / f"fold-{number}") for number in range(1, folds + 1)):
        divisions = yield from dividing(source, Plan(test=0, folds=folds, seed=recipe.seed))
    for number in range(1, folds + 1):
        folder = output / f"fold-{number}"
        yield Notice(f"fold {number} of {folds}")
        if _is_done(folder):
            pass
        elif is_run(folder):
            yield from resuming(folder, device=device, stop=stop)
        else:
            planned = Budget(budget, time.monotonic(), free=free) if budget else None
            table = yield from _write_table(divisions[number - 1], output)
            yield from training(
                table, recipe, budget=planned, output=folder, device=device, stop=stop
            )
        found.append(_read(folder, source))
    return joined(found)


def _claim(file: Path, asked: str) -> None:
    if file.exists() and file.read_text("utf-8") != asked:
        raise ResourceError(
            f"{file.parent}: holds trainings of other pictures, labels or settings; give "
            "`--output` another place."
        )
    write_whole(file, asked)


def _is_done(folder: Path) -> bool:
    return (folder / "report.html").exists() and (folder / "answers.csv").exists()


def _read(folder: Path, source: Source) -> Evaluation:
    """The answers of a fold, with the samples as `source` has them."""
    known = {os.path.realpath(s.path): s for part in source.parts.values() for s in part}
    root, classes = Path(read_facts(folder).data_root), load(folder / "best.safetensors").classes
    found = read_answer_table(folder / "answers.csv", root, classes)["val"]
    samples = tuple(known[os.path.realpath(sample.path)] for sample in found.samples)
    return replace(found, samples=samples)


def _write_table(division: Division, output: Path) -> Generator[Event, None, Path]:
    """Without the test part, which nobody is to look at for this."""
    place = output / f"{division.name}.csv"
    parts = {part: chosen for part, chosen in division.parts.items() if part != "test"}
    write_whole(place, (yield from replace(division, parts=parts).table(output)))
    return place
