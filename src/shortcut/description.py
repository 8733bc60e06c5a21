"""What a person looks at, made of what a run folder holds: curves, confusion matrix, record.

Nothing here needs the training: a finished run can be described anew, in another language as well,
and one that still runs as far as it is.
"""

import csv
import io
from collections.abc import Generator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shortcut.answers import Evaluation, read_answer_table
from shortcut.classifier import Classifier, load
from shortcut.disk import write_whole
from shortcut.events import Event, Saved
from shortcut.language import Lang
from shortcut.metrics import Scores
from shortcut.recipe import read_recipe
from shortcut.record import PredictedFile, Record, render_record
from shortcut.reporting import writing_progress, writing_report
from shortcut.runfolder import Facts, read_facts
from shortcut.runlog import read_events

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILES = {
    "best.safetensors": "the best classifier: weights, classes, preprocessing, recipe, figures",
    "last.safetensors": "the classifier after the last epoch",
    "kept/": "each improvement, named by its figures",
    "resume/": "the exact state, for `shortcut resume`",
    "recipe.yaml": "every setting",
    "split.csv": "which picture was in which part",
    "findings.json": "what the short check of the data found",
    "environment.json": "data, machine, versions, command",
    "log.txt": "what happened, line by line",
    "events.jsonl": "the same for programs",
    "results.csv": "a row an epoch",
    "views.jpg": "some training pictures: as they are measured, then as epochs are to see them",
    "curves.png": "loss, accuracy and learning rate",
    "confusion_matrix.png": "what was taken for what",
    "confusion_matrix.csv": "the same as numbers",
    "answers.csv": "what was answered to each picture of val and test",
    "report.html": "all of this on one page, with pictures",
}


def describing(folder: Path, lang: Lang | None = None) -> Generator[Event, None, None]:
    """Draw and write all that is made for people; of a run that is not finished, how far it is.

    Args:
        lang: None takes the language of the run.

    Raises:
        ModelError: not a run folder, no epoch is over yet, or a file in it is damaged.
        ResourceError: if a file cannot be written.
    """
    facts = read_facts(folder)
    lang = lang or facts.lang
    if not (folder / "answers.csv").exists():
        yield from writing_progress(folder, facts, lang)
        return
    best = load(folder / "best.safetensors")
    measured = read_answer_table(folder / "answers.csv", Path(facts.data_root), best.classes)
    record = _record(folder, facts, best, measured)
    # Here, not above: matplotlib takes a second that nobody should wait for before the first step.
    from shortcut.report.charts import draw_curves
    from shortcut.report.drawing import as_svg

    places = {"title": folder.name, "part": record.validated_on}
    curves = draw_curves(record.history, folder / "curves.png", **places)
    yield Saved("curves", folder / "curves.png")
    matrix = save_confusion(record.test or record.val, folder)
    yield Saved("confusion matrix", folder / "confusion_matrix.png")
    write_whole(folder / "record.md", render_record(record, lang))
    yield Saved("record", folder / "record.md")
    yield from writing_report(
        *(folder, facts, lang),
        record=record,
        best=best,
        measured=measured,
        drawings=(as_svg(curves), as_svg(matrix, tight=True)),
    )


def save_confusion(scores: Scores, folder: Path) -> "Figure":
    """Write the confusion matrix as `confusion_matrix.csv` and `.png` into `folder`; returns the
    drawing.

    Raises:
        ResourceError: if they cannot be written.
    """
    from shortcut.report.charts import draw_confusion

    figure = draw_confusion(scores, folder / "confusion_matrix.png")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["truth \\ answer", *scores.classes])
    for name, row in zip(scores.classes, scores.confusion.tolist(), strict=True):
        writer.writerow([name, *row])
    write_whole(folder / "confusion_matrix.csv", table.getvalue())
    return figure


def _record(
    folder: Path, facts: Facts, best: Classifier, measured: Mapping[str, Evaluation]
) -> Record:
    history, notices = read_events(folder)
    return Record(
        run=folder.resolve().name,
        started=datetime.fromisoformat(facts.started),
        seconds=sum(epoch.seconds for epoch in history),
        data_name=facts.data_name,
        data_kind=facts.data_kind,
        classes=best.classes,
        counts=_counts(best, measured),
        validated_on=facts.measured_on,
        recipe=read_recipe(folder / "recipe.yaml"),
        preprocess=best.preprocess,
        network=best.network,
        stem=best.stem,
        parameters=sum(parameter.numel() for parameter in best.model.parameters()),
        machine=str(best.metrics.get("machine", f"{facts.system}, {facts.cpus} cores")),
        history=history,
        val=measured[facts.measured_on].scores,
        test=measured["test"].scores if len(measured) > 1 else None,
        files=FILES,
        predictions=_some(list(measured.values())[-1]),
        notices=notices,
    )


def _counts(best: Classifier, measured: Mapping[str, Evaluation]) -> dict[str, int]:
    """What could be read, not what was there."""
    counts = {part: len(found.samples) for part, found in measured.items()}
    return {"train": int(best.metrics.get("train_images", 0)), **counts}


def _some(found: Evaluation, count: int = 5) -> list[PredictedFile]:
    """Evenly spread."""
    chosen = np.linspace(0, len(found.samples) - 1, min(count, len(found.samples))).astype(int)
    answers = found.answers
    return [
        PredictedFile(
            found.samples[i].path.name,
            found.samples[i].label,
            found.classes[answers.called[i]],
            float(answers.scores[i]),
        )
        for i in chosen
    ]
