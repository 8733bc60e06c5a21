"""Labels in the order of how little a classifier that did not learn from them believes them.

This is the ranking by self-confidence of confident learning (Northcutt et al. 2021,
arXiv:1911.00068, section 3.2). A label is contradicted with confidence where another class is at
least as probable as it usually is for pictures that bear its name (section 3.1): the better the
classifier, the more of these are wrong.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shortcut.answers import Evaluation
from shortcut.data.changes import COLUMNS
from shortcut.data.samples import Sample
from shortcut.data.splits import portable_path


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


def suspect_table(suspects: Sequence[Suspect], root: Path) -> bytes:
    """A list of changes that changes nothing yet, as CSV text: every `action` is `keep`; `drop`
    leaves the picture out of a training, `move` gives it to `class`."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow([*COLUMNS, "label", "score", "score_of_label"])
    for one in suspects:
        path = portable_path(one.sample.path, root)
        scores = f"{one.score:.4f}", f"{one.of_label:.4f}"
        writer.writerow([path, "keep", one.answer, one.sample.label, *scores])
    return table.getvalue().encode("utf-8", "surrogateescape")
