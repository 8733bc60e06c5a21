"""What a classifier answered to each picture that it was measured on, as a table that stays with a
run."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortcut.data.samples import Sample
from shortcut.data.splits import base_of, portable_path
from shortcut.errors import ModelError
from shortcut.metrics import Answers, Scores, scores_of

COLUMNS = ("path", "split", "class", "answer", "score", "score_of_class", "rank")


@dataclass(frozen=True)
class Evaluation:
    """What came of measuring a classifier, picture by picture."""

    samples: tuple[Sample, ...]
    """Those that could be read."""
    answers: Answers
    """In the same order."""
    classes: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """One line for each file that could not be read."""
    probabilities: NDArray[np.float32] | None = None
    """(N, classes), of which a table keeps no more than `answers`."""
    distances: NDArray[np.float32] | None = None
    """(N,) how unlike those of the training pictures are; None where nobody knows."""

    @cached_property
    def scores(self) -> Scores:
        """What follows of all of them."""
        found = scores_of(self.answers.count(len(self.classes)), self.classes)
        return replace(found, left_out=self.left_out)

    def with_limit(self, sure_from: float) -> dict[str, float]:
        """How many pictures score `sure_from` or more, and how many of these answers are wrong;
        nothing where there is no limit."""
        if not sure_from:
            return {}
        answered = self.answers.scores >= sure_from
        wrong = int((answered & ~self.answers.right).sum())
        facts = {"sure_from": sure_from, "answered": int(answered.sum()), "wrong": wrong}
        return facts | {"images": len(self.samples)}


def joined(found: Sequence[Evaluation]) -> Evaluation:
    """All pictures of several evaluations, whose classes are the same."""
    answers = [one.answers for one in found]
    return Evaluation(
        tuple(sample for one in found for sample in one.samples),
        Answers(
            np.concatenate([one.truths for one in answers]),
            np.concatenate([one.called for one in answers]),
            np.concatenate([one.scores for one in answers]),
            np.concatenate([one.of_truth for one in answers]),
            np.concatenate([one.ranks for one in answers]),
        ),
        found[0].classes,
    )


def answer_table(parts: Mapping[str, Evaluation], root: Path) -> bytes:
    """As CSV text: a row a picture, its path as in `split.csv`, the best answer and its
    probability, that of its class, and how many classes were likelier.

    Args:
        parts: by name, `val` or `test`.
    """
    table = io.StringIO()
    # csv leaves a lone carriage return bare before Python 3.13, and then cannot read it back.
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for part, found in parts.items():
        given = found.answers
        for place, sample in enumerate(found.samples):
            names = sample.label, found.classes[given.called[place]]
            # As text a float32 has just the digits that tell it from its neighbours.
            facts = str(given.scores[place]), str(given.of_truth[place]), given.ranks[place]
            writer.writerow([portable_path(sample.path, root), part, *names, *facts])
    return table.getvalue().encode("utf-8", "surrogateescape")


def read_answer_table(file: Path, root: Path, classes: Sequence[str]) -> dict[str, Evaluation]:
    """What `answer_table` wrote, by part.

    Args:
        root: where the pictures lie now.
        classes: names in the order of the classifier.

    Raises:
        ModelError: the table cannot be read, or is not of this classifier.
    """
    try:
        text = file.read_bytes().decode("utf-8", "surrogateescape")
        head, *rows = csv.reader(io.StringIO(text, newline=""))
        if tuple(head) != COLUMNS:
            raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
        parts = {part: [row for row in rows if row[1] == part] for _, part, *_ in rows}
        return {part: _evaluation(chosen, root, classes) for part, chosen in parts.items()}
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror}).") from error
    except (ValueError, IndexError, KeyError, csv.Error) as error:
        raise ModelError(f"{file}: is damaged ({error}); `shortcut resume` writes it.") from error


def _evaluation(rows: Sequence[Sequence[str]], root: Path, classes: Sequence[str]) -> Evaluation:
    positions = {name: place for place, name in enumerate(classes)}
    base = base_of(root)
    paths, _, truths, called, scores, of_truth, ranks = zip(*rows, strict=True)
    samples = tuple(Sample(base / path, label) for path, label in zip(paths, truths, strict=True))
    answers = Answers(
        np.array([positions[name] for name in truths], np.int64),
        np.array([positions[name] for name in called], np.int64),
        np.array(scores, np.float32),
        np.array(of_truth, np.float32),
        np.array(ranks, np.int64),
    )
    return Evaluation(samples, answers, tuple(classes))
