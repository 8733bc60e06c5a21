"""Measuring a classifier on labelled pictures. Labels are matched by name, never by position."""

from collections.abc import Collection, Generator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from shortcut.answers import Evaluation
from shortcut.classifier import Classifier
from shortcut.data.cache import Keeping, check_broken, read_pictures
from shortcut.data.loaders import EvaluationLoader
from shortcut.data.samples import Sample
from shortcut.errors import DataError
from shortcut.events import Event, Progress, run_silently
from shortcut.metrics import Scores, count_answers, counts_length, read_answers, scores_of
from shortcut.precision import Precision
from shortcut.predictor import Predictor, check_squares
from shortcut.world import ALONE, World


def evaluate(
    classifier: Predictor,
    samples: Sequence[Sample],
    *,
    batch_size: int = 64,
    threads: int = 2,
    max_broken: float = 0.01,
) -> Scores:
    """Measure `classifier` on every readable sample, in full precision; see `evaluating`."""
    story = evaluating(
        classifier, samples, batch_size=batch_size, threads=threads, max_broken=max_broken
    )
    return run_silently(story).scores


def evaluating(
    classifier: Predictor,
    samples: Sequence[Sample],
    *,
    batch_size: int = 64,
    threads: int = 2,
    readers: int | None = None,
    max_broken: float = 0.01,
    keeping: Keeping | None = None,
) -> Generator[Event, None, Evaluation]:
    """Measure `classifier` on every readable sample; yields progress.

    Args:
        threads: how many prepare pictures, each with a batch ahead in memory.
        readers: how many open files, before that; None: as many.
        keeping: where decoded pictures stay; None: in memory.
        max_broken: unreadable files are left out, and named in the result, while their share is
            below this.

    Raises:
        DataError: a label that the classifier does not know, no samples, or too many unreadable
        files.
        RecipeError: an export that takes whole pictures.
    """
    check_squares(classifier, "measuring")
    label_positions(samples, classifier.classes)
    read = yield from read_pictures(
        samples,
        classifier.preprocess.resize,
        threads=readers or threads,
        keeping=keeping,
        max_pixels=classifier.max_pixels,
    )
    check_broken(read, max_broken)
    labels = label_positions(read.samples, classifier.classes)
    loader = EvaluationLoader(read.pictures, labels, classifier.preprocess, batch_size, threads)
    answers, truths, distances = yield from answering(classifier, loader)
    return Evaluation(
        tuple(read.samples),
        read_answers(answers, truths),
        classifier.classes,
        left_out=tuple(read.broken),
        probabilities=answers,
        distances=distances,
    )


def measure(classifier: Classifier, batches: EvaluationLoader, precision: Precision) -> Scores:
    """Scores over batches whose labels are positions in the classifier's classes; each picture
    counts once."""
    return run_silently(measuring(classifier, batches, precision))


def measuring(
    classifier: Classifier, batches: EvaluationLoader, precision: Precision, world: World = ALONE
) -> Generator[Event, None, Scores]:
    """As `measure`, with a `Progress` after each batch.

    The processes of `world` share the batches; each picture counts once, and each process gets the
    scores of all.
    """
    done, total = 0, len(batches.labels)
    counts = np.zeros(counts_length(len(classifier.classes)))
    for batch in batches.part(world.rank, world.size):
        if batch is not None:
            answers = classifier.answer(batch.images, precision)
            counts += count_answers(answers.numpy(), batch.labels.numpy())
        done = min(total, done + batches.batch_size * world.size)
        yield Progress("measuring", done, total)
    # But for the losses and scores these are whole numbers below 2^53: exact in float64.
    return scores_of(world.sum(torch.from_numpy(counts)).numpy(), classifier.classes)


Judged = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32] | None]


def answering(classifier: Predictor, batches: EvaluationLoader) -> Generator[Event, None, Judged]:
    """Answers in full precision, (N, classes) probabilities, the truths, (N,), and how unlike those
    of the training pictures are, (N,) as `Predictor.judge_pixels` gives it."""
    answers, distances = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
    for done, batch in enumerate(batches, 1):
        given, far = classifier.judge_pixels(batch.images.numpy())
        answers.append(given)
        distances += [] if far is None else [far]
        yield Progress("measuring", done, len(batches))
    whole = np.concatenate(distances) if distances else None
    return np.concatenate(answers), np.array(batches.labels), whole


def looking(
    classifier: Classifier, batches: EvaluationLoader, kept: Collection[int]
) -> Generator[Event, None, tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]]:
    """As `answering`, of a classifier that knows nothing of its pictures yet: answers, truths, and
    (n, D) features as `Classifier.look` gives them, of the pictures at the places `kept`."""
    answers, found = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
    for done, batch in enumerate(batches, 1):
        given, features = classifier.look(batch.images)
        answers.append(given.numpy())
        found.append(features[[place in kept for place in batch.indices]])
        yield Progress("measuring", done, len(batches))
    return np.concatenate(answers), np.array(batches.labels), np.concatenate(found)


def describing_features(
    classifier: Classifier, batches: EvaluationLoader
) -> Generator[Event, None, NDArray[np.float32]]:
    """(N, D) features as `Classifier.look` gives them."""
    found: list[NDArray[np.float32]] = []
    for done, batch in enumerate(batches, 1):
        found.append(classifier.look(batch.images)[1])
        yield Progress("features", done, len(batches))
    return np.concatenate(found)


def label_positions(samples: Sequence[Sample], classes: Sequence[str]) -> list[int]:
    """The position in `classes` of each sample's label, matched by name.

    Raises:
        DataError: if there are no samples, or a label is not among `classes`.
    """
    if not samples:
        raise DataError("there are no pictures to measure.")
    positions = {name: i for i, name in enumerate(classes)}
    unknown = sorted({sample.label for sample in samples} - positions.keys())
    if unknown:
        raise DataError(
            f"the pictures have classes that the model does not know: {', '.join(unknown[:5])}. "
            f"It knows: {', '.join(classes[:10])}."
        )
    return [positions[sample.label] for sample in samples]
