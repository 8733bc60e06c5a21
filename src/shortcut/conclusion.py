"""The end of a training: measure the best classifier honestly, draw, and write the record."""

import contextlib
import csv
import io
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from shortcut.calibration import fit_temperature
from shortcut.classifier import Classifier, load
from shortcut.data.cache import Keeping
from shortcut.data.samples import Sample
from shortcut.disk import write_whole
from shortcut.errors import DataError, DecodeError
from shortcut.evaluation import answering, evaluating
from shortcut.events import Event, Measured, Notice, Saved
from shortcut.job import Job
from shortcut.metrics import Scores, at_temperature, count_answers, scores_of
from shortcut.record import PredictedFile, Record, render_record
from shortcut.runfolder import Facts

FILES = {
    "best.safetensors": "the best classifier: weights, classes, preprocessing, recipe, figures",
    "last.safetensors": "the classifier after the last epoch",
    "kept/": "each improvement, named by its figures",
    "resume/": "the exact state, for `shortcut resume`",
    "recipe.yaml": "every setting",
    "split.csv": "which picture was in which part",
    "environment.json": "data, machine, versions, command",
    "log.txt": "what happened, line by line",
    "events.jsonl": "the same for programs",
    "results.csv": "a row an epoch",
    "curves.png": "loss, accuracy and learning rate",
    "confusion_matrix.png": "what was taken for what",
    "confusion_matrix.csv": "the same as numbers",
}


@dataclass(frozen=True)
class Outcome:
    """What a training gave."""

    folder: Path
    classifier: Classifier
    """The best one, as saved in `best.safetensors`."""
    val: Scores
    """On the pictures that chose it."""
    test: Scores | None
    """On the test part, looked at once; None where there is none, or where it did the choosing."""
    chosen_by: Literal["val", "test"] = "val"
    """The part of the data that `val` is of."""


def conclude(
    job: Job,
    folder: Path,
    facts: Facts,
    parts: dict[str, Sequence[Sample]],
    notices: Sequence[str],
    *,
    keeping: Keeping,
) -> Generator[Event, None, Outcome]:
    """Measure `best.safetensors` in full precision on val, and once on test; write pictures and
    record.

    Args:
        parts: the samples by part, as in `split.csv`.
        notices: what the person was told, for the record's remarks.
        keeping: where decoded test pictures stay.

    Raises:
        ResourceError: if a file cannot be written.
        ModelError: if `best.safetensors` is gone or damaged.
    """
    best = load(folder / "best.safetensors", device=job.classifier.device)
    best, val = yield from _calibrate(best, job, facts.measured_on)
    yield _measured(facts.measured_on, val)
    test = None
    if "test" in parts and facts.measured_on == "val":
        test = yield from _look_at_test(best, parts["test"], job, keeping)
    best = replace(best, metrics=best.metrics | _figures(val, test))
    best.save(folder / "best.safetensors")
    yield Saved("model", folder / "best.safetensors")

    # Here, not above: matplotlib takes a second that nobody should wait for before the first step.
    from shortcut.report.charts import draw_curves

    draw_curves(job.history, folder / "curves.png", title=folder.name, part=facts.measured_on)
    yield Saved("curves", folder / "curves.png")
    save_confusion(test or val, folder)
    yield Saved("confusion matrix", folder / "confusion_matrix.png")
    predictions = predict_some(best, parts["test"] if test else parts["val"])
    outcome = Outcome(folder, best, val, test, facts.measured_on)
    record = _record(job, outcome, facts, parts)
    record = replace(record, predictions=predictions, notices=notices)
    write_whole(folder / "record.md", render_record(record, facts.lang))
    yield Saved("record", folder / "record.md")
    return outcome


def _calibrate(
    best: Classifier, job: Job, part: str
) -> Generator[Event, None, tuple[Classifier, Scores]]:
    """The classifier with scores that fit the pictures that chose it, and what it reaches there."""
    best = replace(best, temperature=1.0)  # it may have been concluded before
    answers, truths = yield from answering(best, job.val)
    temperature = fit_temperature(answers, truths)
    fitted = at_temperature(answers, temperature) if temperature != 1.0 else answers
    before, after = (scores_of(count_answers(a, truths), best.classes) for a in (answers, fitted))
    if temperature != 1.0:
        yield Notice(
            f"scores calibrated on {part} (temperature {temperature:.2f}): there they were off by "
            f"{before.calibration_error:.1%} and are by {after.calibration_error:.1%}, on average"
        )
    return replace(best, temperature=temperature), after


def _look_at_test(
    best: Classifier, samples: Sequence[Sample], job: Job, keeping: Keeping
) -> Generator[Event, None, Scores | None]:
    try:
        limit = job.recipe.data.max_broken
        threads = max(1, job.val.threads)
        story = evaluating(best, samples, threads=threads, max_broken=limit, keeping=keeping)
        test = (yield from story).scores
    except DataError as error:
        # After hours of training the test pictures are no reason to lose the rest.
        yield Notice(f"test was not measured: {error}")
        return None
    for line in test.left_out:
        yield Notice(f"left out of test: {line}")
    yield _measured("test", test)
    return test


def save_confusion(scores: Scores, folder: Path) -> None:
    """Write the confusion matrix as `confusion_matrix.csv` and `.png` into `folder`.

    Raises:
        ResourceError: if they cannot be written.
    """
    from shortcut.report.charts import draw_confusion

    draw_confusion(scores, folder / "confusion_matrix.png")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["truth \\ answer", *scores.classes])
    for name, row in zip(scores.classes, scores.confusion.tolist(), strict=True):
        writer.writerow([name, *row])
    write_whole(folder / "confusion_matrix.csv", table.getvalue())


def predict_some(
    classifier: Classifier, samples: Sequence[Sample], count: int = 5
) -> list[PredictedFile]:
    """Predictions for `count` pictures, evenly spread over `samples`; unreadable ones are passed
    over."""
    predicted: list[PredictedFile] = []
    chosen = np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(int)
    for sample in (samples[position] for position in chosen):
        with contextlib.suppress(DecodeError):
            answer = classifier.predict(sample.path)
            predicted.append(
                PredictedFile(sample.path.name, sample.label, answer.label, answer.score)
            )
    return predicted


def _record(job: Job, outcome: Outcome, facts: Facts, parts: dict[str, Sequence[Sample]]) -> Record:
    best = outcome.classifier
    # What could be read, not what was there.
    counts = {"train": len(job.train.labels), facts.measured_on: outcome.val.images}
    if outcome.test:
        counts["test"] = outcome.test.images
    elif "test" in parts:
        counts["test"] = len(parts["test"])
    return Record(
        run=outcome.folder.name,
        started=datetime.fromisoformat(facts.started),
        seconds=sum(epoch.seconds for epoch in job.history),
        data_name=facts.data_name,
        data_kind=facts.data_kind,
        classes=best.classes,
        counts=counts,
        validated_on=facts.measured_on,
        recipe=job.recipe,
        network=best.network,
        stem=best.stem,
        parameters=sum(parameter.numel() for parameter in best.model.parameters()),
        machine=f"{facts.system}, {facts.cpus} cores, {job.precision.describe()}",
        history=job.history,
        val=outcome.val,
        test=outcome.test,
        files=FILES,
        predictions=(),
        notices=(),
    )


def _measured(part: str, scores: Scores) -> Measured:
    return Measured(part, scores.correct, scores.images, scores.accuracy, scores.interval)


def _figures(val: Scores, test: Scores | None) -> dict[str, float | int | str]:
    figures: dict[str, float | int | str] = {"val_accuracy": val.accuracy, "val_images": val.images}
    if test is not None:
        figures |= {"test_accuracy": test.accuracy, "test_images": test.images}
    return figures
