"""Measuring a classifier on labelled pictures. Labels are matched by name, never by position."""

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from shortcut.classifier import Classifier
from shortcut.data.cache import Keeping, check_broken, read_pictures
from shortcut.data.loaders import EvaluationLoader
from shortcut.data.samples import Sample
from shortcut.errors import DataError
from shortcut.events import Event, Progress, run_silently
from shortcut.metrics import NEAR, Scores, confusion_matrix
from shortcut.precision import EXACT, Precision
from shortcut.world import ALONE, World


def evaluate(
    classifier: Classifier,
    samples: Sequence[Sample],
    *,
    batch_size: int = 64,
    threads: int = 2,
    max_broken: float = 0.01,
) -> Scores:
    """Measure `classifier` on every readable sample, in full precision; see `evaluating`."""
    return run_silently(
        evaluating(
            classifier, samples, batch_size=batch_size, threads=threads, max_broken=max_broken
        )
    )


def evaluating(
    classifier: Classifier,
    samples: Sequence[Sample],
    *,
    batch_size: int = 64,
    threads: int = 2,
    max_broken: float = 0.01,
    keeping: Keeping | None = None,
) -> Generator[Event, None, Scores]:
    """Measure `classifier` on every readable sample; yields progress, returns the scores.

    Args:
        threads: how many prepare pictures.
        keeping: where decoded pictures stay; None: in memory.
        max_broken: unreadable files are left out, and named in the result, while their share is
            below this.

    Raises:
        DataError: a label that the classifier does not know, no samples, or too many unreadable
        files.
    """
    label_positions(samples, classifier.classes)
    read = yield from read_pictures(
        samples,
        classifier.preprocess.resize,
        threads=threads,
        keeping=keeping,
        max_pixels=classifier.max_pixels,
    )
    check_broken(read, max_broken)
    labels = label_positions(read.samples, classifier.classes)
    loader = EvaluationLoader(read.pictures, labels, classifier.preprocess, batch_size, threads)
    scores = yield from measuring(classifier, loader, EXACT)
    return replace(scores, left_out=read.broken)


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
    count, total = len(classifier.classes), len(batches.labels)
    confusion = np.zeros((count, count), np.int64)
    loss, near, done = 0.0, 0, 0
    for batch in batches.part(world.rank, world.size):
        if batch is not None:
            answers = classifier.answer(batch.images, precision)
            logs = answers.clamp_min(1e-12).log()
            loss += float(F.nll_loss(logs, batch.labels, reduction="sum"))
            confusion += confusion_matrix(batch.labels.numpy(), answers.argmax(1).numpy(), count)
            best = answers.topk(min(NEAR, count), dim=1).indices
            near += int((best == batch.labels[:, None]).sum())
        done = min(total, done + batches.batch_size * world.size)
        yield Progress("measuring", done, total)
    # Counts are whole numbers below 2^53: exact in float64.
    figures = torch.tensor([loss, near, *confusion.flatten().tolist()], dtype=torch.float64)
    loss, near, *counts = world.sum(figures).tolist()
    confusion = np.array(counts).astype(np.int64).reshape(count, count)
    known = int(near) if count > NEAR else None
    return Scores(classifier.classes, confusion, loss / max(1, total), near=known)


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
