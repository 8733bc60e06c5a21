"""Labels in the order of how little a classifier that did not learn from them believes them.

This is the ranking by self-confidence of confident learning (Northcutt et al. 2021,
arXiv:1911.00068, section 3.2). A label is contradicted with confidence where another class is at
least as probable as it usually is for pictures that bear its name (section 3.1): the better the
classifier, the more of these are wrong.
"""

from dataclasses import dataclass

import numpy as np

from shortcut.answers import Evaluation
from shortcut.data.samples import Sample


@dataclass(frozen=True)
class Suspect:
    """One label, and what speaks against it."""

    sample: Sample
    answer: str
    """What the classifier says instead."""
    score: float
    """Probability of the answer, 0 to 1."""
    of_label: float
    """Probability of the label."""
    contradicted: bool
    """Whether the answer is as probable as it usually is where it is the label."""


def rank_labels(found: Evaluation) -> list[Suspect]:
    """Every picture whose answer is not its label, the least believed label first.

    Args:
        found: answers of classifiers that were not trained on these pictures.
    """
    answers = found.answers
    usual = [
        float(answers.of_truth[answers.truths == place].mean())
        if (answers.truths == place).any()
        else 1.0
        for place in range(len(found.classes))
    ]
    order = np.argsort(answers.of_truth, kind="stable")
    return [
        Suspect(
            found.samples[i],
            found.classes[answers.called[i]],
            float(answers.scores[i]),
            float(answers.of_truth[i]),
            bool(answers.scores[i] >= usual[answers.called[i]]),
        )
        for i in order
        if not answers.right[i]
    ]
