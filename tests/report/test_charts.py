"""Curves and confusion matrix: what is drawn, that it is whole, and that any name can be drawn."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shortcut import fonts
from shortcut.errors import ResourceError
from shortcut.events import EpochEnd
from shortcut.metrics import Scores
from shortcut.report import charts
from shortcut.report.charts import draw_confusion, draw_curves

BLUE, VERMILION = (0, 114, 178), (213, 94, 0)


def history(epochs: int) -> list[EpochEnd]:
    return [
        EpochEnd(
            epoch=n,
            epochs=epochs,
            train_loss=0.7 * math.exp(-n / 30),
            train_accuracy=1 - 0.4 * math.exp(-n / 30),
            val_loss=0.3 + 0.4 * math.exp(-n / 20),
            val_accuracy=0.93 - 0.3 * math.exp(-n / 30),
            lr=0.001,
            seconds=1.0,
            images_per_second=100.0,
            waiting=0.0,
            image_size=64,
            improved=True,
        )
        for n in range(1, epochs + 1)
    ]


def scores(*classes: str) -> Scores:
    count = len(classes)
    return Scores(classes, np.eye(count, dtype=np.int64) * 9 + 1, loss=0.2)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(picture.astype(int) - colour).max(-1) <= 2).any())


@pytest.mark.parametrize("epochs", [1, 200])
def test_curves_show_both_parts_whatever_the_length(tmp_path: Path, epochs: int):
    draw_curves(history(epochs), tmp_path / "curves.png", title="resnet18-digits")
    picture = pixels(tmp_path / "curves.png")
    assert picture.shape == (1185, 1200, 3)
    assert has(picture, BLUE)
    assert has(picture, VERMILION)
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]


def test_equal_scores_give_equal_bytes(tmp_path: Path):
    for name in ("a.png", "b.png"):
        draw_confusion(scores("cat", "dog"), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_no_curve_without_an_epoch(tmp_path: Path):
    with pytest.raises(ValueError, match="history is empty"):
        draw_curves([], tmp_path / "curves.png", title="run")


@pytest.mark.parametrize("title", ["猫狗 $x_1$ { tab\tline\n\x00🐈", "x" * 300])
def test_any_title_can_be_drawn(tmp_path: Path, title: str):
    draw_curves(history(1), tmp_path / "curves.png", title=title)
    assert (tmp_path / "curves.png").is_file()


@pytest.mark.parametrize("count", [1, 26])
def test_confusion_of_few_and_many_classes(tmp_path: Path, count: int):
    draw_confusion(scores(*(f"flower {i}" for i in range(count))), tmp_path / "matrix.png")
    height, width, _ = pixels(tmp_path / "matrix.png").shape
    assert 300 < height < 2300
    assert 300 < width < 2300


def test_confusion_with_an_empty_class_and_any_names(tmp_path: Path):
    confusion = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 5]])
    some = Scores(("猫", "$a_b$", "name " * 30), confusion, loss=1.0)
    draw_confusion(some, tmp_path / "matrix.png")
    assert has(pixels(tmp_path / "matrix.png"), (8, 48, 107))  # the darkest of the blues


def test_class_names_stay_apart():
    long = [f"a name that differs in its middle, {i}, from all others" for i in range(3)]
    names = charts._class_names(["cat", *long, "two  spaces"], (fonts.LATIN,))
    assert names[0] == "cat"
    assert names[-1] == "two spaces"
    assert len(set(names)) == 5
    assert max(map(len, names)) <= charts.LONGEST_NAME


def test_a_name_without_a_font_becomes_its_number():
    assert charts._class_names(["dog", "猫", "鸟 bird"], (fonts.LATIN,)) == [
        "dog",
        "class 2",
        "class 3",
    ]


@pytest.mark.parametrize("target", ["taken", "file/curves.png"])
def test_a_picture_that_cannot_be_written(tmp_path: Path, target: str):
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=f"cannot write .*{Path(target).name}`: "):
        draw_confusion(scores("cat", "dog"), tmp_path / target)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


def test_of_very_many_classes_only_some_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(charts, "ALL_NAMED", 10)  # as many names cost seconds
    draw_confusion(scores(*(f"flower {i}" for i in range(140))), tmp_path / "matrix.png")
    assert max(pixels(tmp_path / "matrix.png").shape) < 2300
