"""The end of a training: the best classifier calibrated and measured honestly, on test once."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from shortcut.answers import Evaluation, answer_table
from shortcut.calibration import fit_temperature
from shortcut.classifier import Classifier, load
from shortcut.data.cache import Keeping
from shortcut.data.ledger import count_look, describe_looks
from shortcut.data.loaders import Chosen, EvaluationLoader
from shortcut.data.samples import Sample
from shortcut.data.sources import default_cache
from shortcut.disk import write_whole
from shortcut.errors import DataError
from shortcut.evaluation import answering, describing_features, evaluating
from shortcut.events import Event, Measured, Notice, Saved
from shortcut.familiarity import ENOUGH, FLAGGED, MOST_KNOWN, Familiarity, fit
from shortcut.job import Job
from shortcut.metrics import Scores, at_temperature, read_answers
from shortcut.models.stages import feature_widths
from shortcut.runfolder import Facts


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
    job: Job, folder: Path, facts: Facts, parts: Mapping[str, Sequence[Sample]], keeping: Keeping
) -> Generator[Event, None, Outcome]:
    """Measure `best.safetensors` in full precision on val, and once on test; write both down.

    Args:
        parts: the samples by part, as in `split.csv`.
        keeping: where decoded test pictures stay.

    Raises:
        ResourceError: if a file cannot be written.
        ModelError: if `best.safetensors` is gone or damaged.
    """
    best = load(folder / "best.safetensors", device=job.classifier.device)
    best, val = yield from _calibrate(best, job, facts.measured_on)
    measured = {facts.measured_on: val}
    yield _measured(facts.measured_on, val.scores)
    best = replace(best, familiarity=(yield from _familiarise(best, job)))
    if "test" in parts and facts.measured_on == "val":
        test = yield from _look_at_test(best, parts["test"], job, keeping)
        measured |= {"test": test} if test else {}
    figures = {
        "train_images": len(job.train.labels),
        "machine": f"{facts.system}, {facts.cpus} cores, {job.precision.describe()}",
        "val_accuracy": val.scores.accuracy,
        "val_images": val.scores.images,
    }
    test = measured["test"].scores if "test" in measured and facts.measured_on == "val" else None
    if test:
        figures |= {"test_accuracy": test.accuracy, "test_images": test.images}
    best = replace(best, metrics=best.metrics | figures)
    best.save(folder / "best.safetensors")
    yield Saved("model", folder / "best.safetensors")
    write_whole(folder / "answers.csv", answer_table(measured, Path(facts.data_root)))
    return Outcome(folder, best, val.scores, test, facts.measured_on)


def _calibrate(
    best: Classifier, job: Job, part: str
) -> Generator[Event, None, tuple[Classifier, Evaluation]]:
    """The classifier with scores that fit the pictures that chose it, and what it answers there."""
    best = replace(best, temperature=1.0, familiarity=None)  # it may have been concluded before
    answers, truths, _ = yield from answering(best, job.val)
    temperature = fit_temperature(answers, truths)
    fitted = at_temperature(answers, temperature) if temperature != 1.0 else answers
    before, after = (
        Evaluation(tuple(job.val.samples), read_answers(given, truths), best.classes)
        for given in (answers, fitted)
    )
    if temperature != 1.0:
        off = [found.scores.calibration_error for found in (before, after)]
        yield Notice(
            f"scores calibrated on {part} (temperature {temperature:.2f}): there they were off by "
            f"{off[0]:.1%} and are by {off[1]:.1%}, on average"
        )
    return replace(best, temperature=temperature), after


def _familiarise(best: Classifier, job: Job) -> Generator[Event, None, Familiarity | None]:
    """What makes it tell pictures that are unlike those of the training, as evaluation sees
    them."""
    val, train = _some_of(job.val, job), job.train
    if len(val.labels) < ENOUGH:
        return None
    plain = EvaluationLoader(
        train.pictures, train.labels, train.preprocess, job.val.batch_size, train.threads
    )
    known = _some_of(plain, job)
    total = len(known.labels) + len(val.labels)
    features = yield from describing_features(best, known, 0, total)
    others = yield from describing_features(best, val, len(features), total)
    found = fit(features, others, feature_widths(best.model)[0])
    if found:
        yield Notice(
            f"known from {len(features):,} training pictures what is like them: pictures as far "
            f"off as 1 in {1 / FLAGGED:.0f} of val are called `unlike anything seen in training`"
        )
    return found


def _some_of(batches: EvaluationLoader, job: Job) -> EvaluationLoader:
    """At most MOST_KNOWN of the pictures, drawn by the seed, in their order."""
    draw = np.random.default_rng((job.recipe.seed, len(batches.labels)))
    places = np.sort(draw.permutation(len(batches.labels))[:MOST_KNOWN]).tolist()
    labels = [batches.labels[place] for place in places]
    return replace(batches, pictures=Chosen(batches.pictures, places), labels=labels, samples=())


def _look_at_test(
    best: Classifier, samples: Sequence[Sample], job: Job, keeping: Keeping
) -> Generator[Event, None, Evaluation | None]:
    try:
        limit = job.recipe.data.max_broken
        threads = max(1, job.val.threads)
        story = evaluating(best, samples, threads=threads, max_broken=limit, keeping=keeping)
        test = yield from story
    except DataError as error:
        # After hours of training the test pictures are no reason to lose the rest.
        yield Notice(f"test was not measured: {error}")
        return None
    for line in test.left_out:
        yield Notice(f"left out of test: {line}")
    yield _measured("test", test.scores)
    if (looks := count_look(samples, default_cache(), "train")) > 1:
        yield Notice(describe_looks(looks))
    return test


def _measured(part: str, scores: Scores) -> Measured:
    return Measured(part, scores.correct, scores.images, scores.accuracy, scores.interval)
