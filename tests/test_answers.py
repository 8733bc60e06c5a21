"""What was answered, as a table: it comes back as it was."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut.answers import Evaluation, answer_table, read_answer_table
from shortcut.data.samples import Sample
from shortcut.errors import ModelError
from shortcut.metrics import count_answers, read_answers, scores_of

CLASSES = ("ant", 'b"e,e', "cow\r")


def evaluate(root: Path, seed: int, count: int, part: str = "test") -> Evaluation:
    noise = np.random.default_rng(seed)
    answers = noise.dirichlet([0.3] * 3, count).astype(np.float32)
    truths = noise.integers(0, 3, count)
    names = [f"{part}/{i}\n{CLASSES[t][:2]}.png" for i, t in enumerate(truths)]
    samples = tuple(Sample(root / n, CLASSES[t]) for n, t in zip(names, truths, strict=True))
    return Evaluation(samples, read_answers(answers, truths), CLASSES, probabilities=answers)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 30))
def test_a_table_comes_back_to_the_last_bit(
    seed: int, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("run")
    root = folder / "photos"
    root.mkdir()
    parts = {part: evaluate(root, seed, count, part) for part in ("val", "test")}
    (folder / "answers.csv").write_bytes(answer_table(parts, root))
    read = read_answer_table(folder / "answers.csv", root, CLASSES)
    assert list(read) == ["val", "test"]
    for part, found in read.items():
        assert found.samples == parts[part].samples
        for name in ("truths", "called", "scores", "of_truth", "ranks"):
            one, other = (getattr(e.answers, name) for e in (found, parts[part]))
            assert one.dtype == other.dtype and (one == other).all()
        probabilities = parts[part].probabilities
        assert probabilities is not None
        counted = scores_of(count_answers(probabilities, found.answers.truths), CLASSES)
        assert found.scores.as_dict() == counted.as_dict()


def test_how_many_answers_are_sure() -> None:
    found = evaluate(Path("photos"), 0, 200)
    assert found.with_limit(0.0) == {}
    limit = found.with_limit(0.9)
    sure = found.answers.scores >= 0.9
    assert limit == {
        **{"sure_from": 0.9, "answered": int(sure.sum()), "images": 200},
        "wrong": int((found.answers.called != found.answers.truths)[sure].sum()),
    }


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"rank"', '"place"'),
        lambda text: text[: len(text) // 2] + "\n",
        lambda text: text.replace('"ant"', '"elephant"'),
        lambda text: text.replace('"test"', '"test","more"', 1),
        lambda text: "",
        None,
    ],
)
def test_what_is_no_such_table_is_told(spoil, tmp_path: Path) -> None:
    found = evaluate(tmp_path, 1, 20)
    file = tmp_path / "answers.csv"
    if spoil:
        file.write_text(spoil(answer_table({"test": found}, tmp_path).decode()), "utf-8")
    with pytest.raises(ModelError, match=r"answers\.csv: (is damaged|cannot be read)"):
        read_answer_table(file, tmp_path, CLASSES)
