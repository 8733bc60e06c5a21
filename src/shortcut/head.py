"""The last layer fitted to cached features: where the network starts from trained weights, seconds
of logistic regression do what epochs would.

A random last layer sends large, meaningless gradients into trained layers and distorts them;
fitting it first keeps them (linear probing, then fine-tuning: arXiv:2202.10054).
"""

import copy
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from shortcut.classifier import Classifier
from shortcut.data.loaders import EvaluationLoader
from shortcut.events import Event, Notice, Progress
from shortcut.job import Job
from shortcut.precision import EXACT

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

STRENGTHS = (0.01, 0.1, 1.0, 10.0)
"""Inverse weights of the penalty on large weights; validation chooses."""
Features = NDArray[np.float32]


def fit_head(job: Job) -> Generator[Event, None, None]:
    """Replace the last layer by the logistic regression on the features of the layers before it.

    The pictures are seen as evaluation sees them, once; of `STRENGTHS` the one with the best
    accuracy on validation is taken, the stronger penalty where two are equal.
    """
    model, train = job.classifier.model, job.train
    plain = EvaluationLoader(
        train.pictures, train.labels, train.preprocess, job.val.batch_size, train.threads
    )
    known = yield from _features(job.classifier, plain, "features of train")
    unknown = yield from _features(job.classifier, job.val, "features of val")
    scale = float(known.std()) or 1.0
    fits = [_fit(known / scale, train.labels, strength) for strength in STRENGTHS]
    truth = np.asarray(job.val.labels)
    right = [float(fit.score(unknown / scale, truth)) for fit in fits]
    best = int(np.argmax(right))
    weight, bias = _rows(fits[best])
    with torch.no_grad():
        model.fc.weight.copy_(torch.from_numpy(weight / scale))
        model.fc.bias.copy_(torch.from_numpy(bias))
        if job.averaged is not None:
            job.averaged.module.load_state_dict(copy.deepcopy(model.state_dict()))
    yield Notice(
        f"last layer fitted to the features of {len(train.labels):,} pictures: validation accuracy "
        f"{right[best]:.4f} before the first epoch"
    )


@torch.inference_mode()
def _pooled(classifier: Classifier, images: torch.Tensor) -> Features:
    """(N, H, W, 3) uint8 -> (N, C), as they enter the last layer."""
    model = classifier.model
    maps = model.features(EXACT.place(classifier.normalise(images.to(classifier.device))))
    return model.avgpool(maps).flatten(1).float().cpu().numpy()


def _features(
    classifier: Classifier, batches: EvaluationLoader, what: str
) -> Generator[Event, None, Features]:
    classifier.model.eval()
    found: list[Features] = []
    done = 0
    for batch in batches:
        found.append(_pooled(classifier, batch.images))
        done += len(batch.labels)
        yield Progress(what, done, len(batches.labels))
    return np.concatenate(found)


def _fit(features: Features, labels: Sequence[int], strength: float) -> "LogisticRegression":
    # Here, not above: scikit-learn takes two seconds at the start of every command.
    from sklearn.linear_model import LogisticRegression

    # A fit that has not quite converged is a good start all the same.
    return LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(features, labels)


def _rows(fit: "LogisticRegression") -> tuple[Features, Features]:
    """A row of weights and a bias for each class; for two, scikit-learn has one row for both."""
    weight, bias = np.asarray(fit.coef_), np.asarray(fit.intercept_)
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight.astype(np.float32), bias.astype(np.float32)
