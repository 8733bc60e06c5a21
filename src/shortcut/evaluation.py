"""Measuring a classifier on labelled pictures. Labels are matched by name, never by position."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from shortcut.classifier import Classifier
from shortcut.data.cache import check_broken, read_all
from shortcut.data.loaders import Batch, EvaluationLoader
from shortcut.data.samples import Sample
from shortcut.errors import DataError
from shortcut.metrics import Scores, confusion_matrix
from shortcut.precision import EXACT, Precision


def evaluate(
    classifier: Classifier,
    samples: Sequence[Sample],
    *,
    batch_size: int = 64,
    threads: int = 2,
    max_broken: float = 0.01,
) -> Scores:
    """Measure `classifier` on every readable sample, in full precision.

    Args:
        threads: how many prepare pictures.
        max_broken: unreadable files are left out, and named in the result, while their share is
            below this.

    Raises:
        DataError: a label that the classifier does not know, no samples, or too many unreadable
        files.
    """
    label_positions(samples, classifier.classes)
    read = read_all(samples, classifier.preprocess.resize, threads)
    check_broken(read, max_broken)
    labels = label_positions(read.samples, classifier.classes)
    loader = EvaluationLoader(read.pictures, labels, classifier.preprocess, batch_size, threads)
    return replace(measure(classifier, loader, EXACT), left_out=read.broken)


@torch.inference_mode()
def measure(classifier: Classifier, batches: Iterable[Batch], precision: Precision) -> Scores:
    """Scores over batches whose labels are positions in the classifier's classes; each picture
    counts once."""
    classifier.model.eval()
    count = len(classifier.classes)
    confusion = np.zeros((count, count), np.int64)
    loss = 0.0
    for batch in batches:
        images = precision.place(classifier.normalise(batch.images.to(classifier.device)))
        with precision.autocast(classifier.device):
            outputs = classifier.model(images)
        probabilities = classifier.model.probabilities(outputs).cpu()
        loss += float(
            F.nll_loss(probabilities.clamp_min(1e-12).log(), batch.labels, reduction="sum")
        )
        confusion += confusion_matrix(batch.labels.numpy(), probabilities.argmax(1).numpy(), count)
    return Scores(classifier.classes, confusion, loss / max(1, int(confusion.sum())))


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
