"""Which labels are believed least, and which are contradicted."""

import csv
import io
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortcut.answers import Evaluation
from shortcut.data.samples import Sample
from shortcut.labels import rank_labels
from shortcut.metrics import read_answers
from shortcut.suspects.table import suspect_table

CLASSES = ("ant", "bee", "cow")


def evaluation(answers: np.ndarray, truths: np.ndarray) -> Evaluation:
    samples = tuple(Sample(Path(f"r/{i}.png"), CLASSES[t]) for i, t in enumerate(truths))
    return Evaluation(samples, read_answers(answers.astype(np.float32), truths), CLASSES)


def test_by_hand() -> None:
    answers = np.array(
        [
            [0.9, 0.1, 0],
            [0.8, 0.1, 0.1],
            [0.05, 0.95, 0],
            [0.4, 0.6, 0],
            [0.1, 0.9, 0],
            [0, 0.8, 0.2],
        ]
    )
    found = rank_labels(evaluation(answers, np.array([0, 0, 0, 0, 1, 1])))
    assert [one.sample.path.name for one in found] == ["2.png", "3.png"]
    assert [one.answer for one in found] == ["bee", "bee"]
    # `bee` is usually 0.85 where it is the label: 0.95 is as much, 0.6 is not.
    assert [one.contradicted for one in found] == [True, False]
    assert [round(one.of_label, 2) for one in found] == [0.05, 0.4]


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 40))
def test_the_least_believed_first_and_none_that_is_believed(seed: int, count: int) -> None:
    noise = np.random.default_rng(seed)
    answers = noise.dirichlet([0.4] * 3, count).astype(np.float32)
    truths = noise.integers(0, 3, count)
    found = rank_labels(evaluation(answers, truths))
    assert len(found) == int((answers.argmax(1) != truths).sum())
    assert [one.of_label for one in found] == sorted(one.of_label for one in found)
    assert all(one.answer != one.sample.label and one.score >= one.of_label for one in found)


def test_planted_errors_come_first() -> None:
    """Of 1,000 labels 50 are wrong; a classifier is right on 95 % and says how sure it is."""
    noise = np.random.default_rng(0)
    real = noise.integers(0, 3, 1000)
    answers = noise.dirichlet([0.1, 0.1, 0.1], 1000) * 0.2
    answers[np.arange(1000), np.where(noise.random(1000) < 0.95, real, (real + 1) % 3)] += 0.8
    wrong = noise.choice(1000, 50, replace=False)
    labels = real.copy()
    labels[wrong] = (real[wrong] + 1) % 3
    found = rank_labels(evaluation(answers, labels))
    first = {int(one.sample.path.stem) for one in found[:100]}
    assert len(first & set(wrong)) >= 45
    assert 30 < sum(one.contradicted for one in found) < 120


def test_the_list_changes_nothing_until_somebody_chooses() -> None:
    answers = np.array([[0.1, 0.9, 0.0]])
    ranked = rank_labels(evaluation(answers, np.array([0])))
    rows = list(csv.DictReader(io.StringIO(suspect_table(ranked, Path("r")).decode())))
    assert rows == [
        {
            **{"path": "0.png", "action": "keep", "class": "bee", "label": "ant"},
            **{"score": "0.9000", "score_of_label": "0.1000"},
        }
    ]
