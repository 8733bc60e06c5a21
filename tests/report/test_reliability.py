"""The reliability diagram is a picture of what was counted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shortcut.metrics import Scores, count_answers, scores_of
from shortcut.report.reliability import draw_reliability


def some_scores() -> Scores:
    noise = np.random.default_rng(0)
    answers = noise.dirichlet(np.ones(3), 500).astype(np.float32)
    truths = np.array([noise.choice(3, p=row / row.sum()) for row in answers.astype(float)])
    return scores_of(count_answers(answers, truths), ("a", "b", "c"))


def test_a_picture_of_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_reliability(some_scores(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (900, 1050)
        assert len(image.convert("RGB").getcolors(10**6) or []) > 10


def test_scores_without_it_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not counted"):
        draw_reliability(
            Scores(("a", "b"), np.eye(2, dtype=np.int64), loss=0.1), tmp_path / "a.png"
        )
    assert not list(tmp_path.iterdir())
