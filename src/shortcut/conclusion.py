"""The end of a training: the best classifier calibrated and measured honestly, on test once."""

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from shortcut.answers import Evaluation, answer_table
from shortcut.calibration import fit_temperature
from shortcut.classifier import Classifier, load
from shortcut.data.augment import GRID
from shortcut.data.cache import Keeping, read_pictures
from shortcut.data.folders import printable
from shortcut.data.ledger import count_look, describe_looks
from shortcut.data.loaders import Chosen, EvaluationLoader
from shortcut.data.samples import Sample
from shortcut.data.sources import default_cache
from shortcut.disk import write_whole
from shortcut.errors import DataError
from shortcut.evaluation import describing_features, evaluating, looking, measuring
from shortcut.events import Event, Measured, Notice, Saved
from shortcut.familiarity import ENOUGH, FLAGGED, MOST_KNOWN, Familiarity, Features, fit
from shortcut.job import Job
from shortcut.metrics import Scores, at_temperature, read_answers
from shortcut.models.stages import feature_widths
from shortcut.precision import EXACT
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
    # It may have been concluded before.
    best = replace(best, preprocess=job.val.preprocess, temperature=1.0, familiarity=None)
    pictures = job.val
    if job.adaptable and facts.measured_on == "val":
        best, pictures = yield from _suit(best, job, keeping)
    best, val, features = yield from _calibrate(best, pictures, job, facts.measured_on)
    yield _measured(facts.measured_on, val.scores)
    if facts.measured_on == "test":
        yield from _counting(parts["val"])
    best = replace(best, familiarity=(yield from _familiarise(best, job, features)))
    test = None
    if "test" in parts and facts.measured_on == "val":
        test = yield from _look_at_test(best, parts["test"], job, keeping)
    part, decisive = ("test", test) if test else (facts.measured_on, val)
    yield from _described_guess(part, decisive.scores)
    figures = {
        "train_images": len(job.train.labels),
        "machine": f"{facts.system}, {facts.cpus} cores, {job.precision.describe()}",
        "val_accuracy": val.scores.accuracy,
        "val_images": val.scores.images,
    }
    if test:
        figures |= {"test_accuracy": test.scores.accuracy, "test_images": test.scores.images}
    best = replace(best, metrics=best.metrics | figures)
    best.save(folder / "best.safetensors")
    yield Saved("model", folder / "best.safetensors")
    measured = {facts.measured_on: val} | ({"test": test} if test else {})
    write_whole(folder / "answers.csv", answer_table(measured, Path(facts.data_root)))
    return Outcome(folder, best, val.scores, test.scores if test else None, facts.measured_on)


def _suit(
    best: Classifier, job: Job, keeping: Keeping
) -> Generator[Event, None, tuple[Classifier, EvaluationLoader]]:
    """The classifier as it is to be asked, and the val pictures for that.

    Where a budget let its pictures be smaller or larger than those that go with the size it was to
    be asked in, another may suit it better (arXiv:1906.06423): val decides between the two.
    """
    usual, epoch = job.val, job.best
    view = usual.preprocess
    fitting = round(view.image_size * job.recipe.augment.final_scale)
    learnt = epoch.image_size if epoch else fitting
    size = round(view.image_size * learnt / fitting / GRID) * GRID
    if epoch is None or learnt == fitting or size == view.image_size:
        return best, usual
    other = replace(view, image_size=size, resize=round(view.resize * size / view.image_size))
    # From the files, as it will be: what is in memory was resized for another size.
    read = yield from read_pictures(
        usual.samples,
        other.resize,
        threads=os.cpu_count() or 1,
        keeping=keeping,
        max_pixels=best.max_pixels,
    )
    if read.samples != usual.samples:  # some are gone by now, and others are no comparison
        return best, usual
    batches = replace(usual, pictures=read.pictures, preprocess=other)
    adapted = replace(best, preprocess=other)
    loss = (yield from measuring(adapted, batches, EXACT)).loss
    if loss >= epoch.val_loss:
        return best, usual
    yield Notice(
        f"asked at {size} px, not at {view.image_size}: it learned from {learnt} px in the end, "
        f"and {view.image_size} go with {fitting} (val loss {loss:.3f}, not {epoch.val_loss:.3f})"
    )
    return adapted, batches


def _calibrate(
    best: Classifier, pictures: EvaluationLoader, job: Job, part: str
) -> Generator[Event, None, tuple[Classifier, Evaluation, Features]]:
    """The classifier with scores that fit the pictures that chose it, what it answers there, and
    features of some of them."""
    kept = set(_drawn(len(pictures.labels), job))
    answers, truths, features = yield from looking(best, pictures, kept)
    temperature = fit_temperature(answers, truths)
    fitted = at_temperature(answers, temperature) if temperature != 1.0 else answers
    before, after = (
        Evaluation(tuple(pictures.samples), read_answers(given, truths), best.classes)
        for given in (answers, fitted)
    )
    if temperature != 1.0:
        off = [found.scores.calibration_error for found in (before, after)]
        yield Notice(
            f"scores calibrated on {part} (temperature {temperature:.2f}): there they were off by "
            f"{off[0]:.1%} and are by {off[1]:.1%}, on average"
        )
    return replace(best, temperature=temperature), after, features


def _familiarise(
    best: Classifier, job: Job, others: Features
) -> Generator[Event, None, Familiarity | None]:
    """What makes it tell pictures that are unlike those of the training, as evaluation sees them;
    where it is asked in another size than planned, nearly so: those in memory are resized again.

    Args:
        others: features of pictures that took no part in the training.
    """
    if len(others) < ENOUGH:
        yield Notice(
            f"what is unlike anything seen in training will not be told: that takes {ENOUGH} "
            f"validation pictures, and there are {len(others)}; where they are carved off, `--set "
            "data.val_fraction=0.25` gives more"
        )
        return None
    train = job.train
    places = _drawn(len(train.labels), job)
    known = EvaluationLoader(
        Chosen(train.pictures, places),
        [train.labels[place] for place in places],
        best.preprocess,
        job.val.batch_size,
        train.threads,
    )
    features = yield from describing_features(best, known)
    found = fit(features, others, feature_widths(best.model)[0])
    if found:
        yield Notice(
            f"known from {len(features):,} training pictures what is like them: pictures as far "
            f"off as 1 in {1 / FLAGGED:.0f} of val are called `unlike anything seen in training`"
        )
    return found


def _drawn(count: int, job: Job) -> list[int]:
    """Places of at most MOST_KNOWN of so many pictures, drawn by the seed, in order."""
    draw = np.random.default_rng((job.recipe.seed, count))
    return sorted(draw.permutation(count)[:MOST_KNOWN].tolist())


def _look_at_test(
    best: Classifier, samples: Sequence[Sample], job: Job, keeping: Keeping
) -> Generator[Event, None, Evaluation | None]:
    try:
        limit = job.recipe.data.max_broken
        story = evaluating(
            best,
            samples,
            threads=max(1, job.val.threads),
            readers=os.cpu_count(),  # these files are opened for the first time
            max_broken=limit,
            keeping=keeping,
        )
        test = yield from story
    except DataError as error:
        # After hours of training the test pictures are no reason to lose the rest.
        yield Notice(f"test was not measured: {error}")
        return None
    for line in test.left_out:
        yield Notice(f"left out of test: {line}")
    yield _measured("test", test.scores)
    yield from _counting(samples)
    return test


def _counting(tests: Sequence[Sample]) -> Generator[Event, None, None]:
    """A training that measured on test pictures, at the end or after every epoch, is one look."""
    if (looks := count_look(tests, default_cache(), "train")) > 1:
        yield Notice(describe_looks(looks)[0])


def _described_guess(part: str, scores: Scores) -> Iterator[Notice]:
    if scores.guessed:
        name, share = scores.most_frequent
        yield Notice(
            f"{part} accuracy is not surely above what always saying `{printable(name)}` would "
            f"reach, {share:.1%}"
        )


def _measured(part: str, scores: Scores) -> Measured:
    return Measured(part, scores.correct, scores.images, scores.accuracy, scores.interval)
