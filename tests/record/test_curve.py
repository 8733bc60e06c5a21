"""Reading curves: the rule on S2's and S0's published figures, on noise, plateaus and lines."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut.events import EpochEnd
from shortcut.record import read_curve


def curve(
    accuracy: list[float],
    *,
    train_loss: list[float] | None = None,
    val_loss: list[float] | None = None,
    lr: list[float] | None = None,
    train_accuracy: list[float] | None = None,
) -> list[EpochEnd]:
    """A history with these values; losses mirror the accuracy where they are not given."""
    falling = [1 - value for value in accuracy]
    return [
        EpochEnd(
            epoch=n + 1,
            epochs=len(accuracy),
            train_loss=(train_loss or falling)[n],
            train_accuracy=(train_accuracy or accuracy)[n],
            val_loss=(val_loss or falling)[n],
            val_accuracy=accuracy[n],
            lr=lr[n] if lr else 0.001,
            seconds=24.0,
            images_per_second=333.0,
            waiting=0.01,
            image_size=224,
            improved=accuracy[n] > max(accuracy[:n], default=-1),
        )
        for n in range(len(accuracy))
    ]


def s2_curve(rows: list[dict[str, str]]) -> list[EpochEnd]:
    """S2's 200 epochs: between two improvements the last one stands."""
    kept = {1: (0.678, 0.601, 0.001)}
    kept |= {
        int(r["epoch"]): (float(r["loss"]), float(r["test_acc"]), float(r["lr"])) for r in rows
    }
    steps = [kept[max(e for e in kept if e <= n)] for n in range(1, 201)]
    losses, accuracies, rates = (list(column) for column in zip(*steps, strict=True))
    return curve(accuracies, train_loss=losses, val_loss=losses, lr=rates)


def test_s2s_curve_has_not_flattened_as_its_authors_say(shared_data: Path):
    table = shared_data / "tutorials" / "s2-cats-dogs-kept.csv"
    with table.open(encoding="utf-8") as file:
        history = s2_curve(list(csv.DictReader(file)))
    reading = read_curve(history)
    assert (reading.best_epoch, reading.best_accuracy) == (197, 0.935)
    assert (reading.verdict, reading.flat_since) == ("rising", None)
    assert reading.loss_falling
    assert "not flattened, so training can go on." in reading.sentence()
    assert "训练 200 轮后，损失与准确率仍未趋于平稳，可以继续训练。" in reading.sentence("zh")


def test_s0s_five_epochs_are_too_few(shared_data: Path):
    table = shared_data / "tutorials" / "s0-hotdog-epochs.csv"
    with table.open(encoding="utf-8") as file:
        reading = read_curve(curve([float(row["test_acc"]) for row in csv.DictReader(file)]))
    assert (reading.verdict, reading.best_epoch) == ("short", 5)


@pytest.mark.parametrize(("epochs", "words"), [(1, "1 epoch cannot"), (2, "2 epochs cannot")])
def test_one_and_two_epochs(epochs: int, words: str):
    reading = read_curve(curve([0.6, 0.7][:epochs]))
    assert (reading.verdict, reading.flat_since, reading.overfit_since) == ("short", None, None)
    assert reading.best_epoch == epochs
    assert reading.loss_falling == (epochs == 2)
    assert words in reading.sentence()


def test_no_epoch_is_an_error():
    with pytest.raises(ValueError, match="history is empty"):
        read_curve([])


def test_a_plateau_is_dated():
    reading = read_curve(curve([min(0.9, 0.5 + 0.02 * n) for n in range(80)]))
    assert reading.verdict == "flat"
    assert reading.flat_since is not None
    assert 15 <= reading.flat_since <= 21  # it is reached in epoch 21
    assert not reading.loss_falling
    assert "no longer falls" in reading.sentence()


def test_noise_is_no_progress():
    noise = np.random.default_rng(3)
    verdicts = [
        read_curve(curve((0.9 + noise.normal(0, 0.01, 40)).tolist())).verdict for _ in range(200)
    ]
    assert verdicts.count("rising") <= 10


def test_progress_is_seen_through_noise():
    noise = np.random.default_rng(4)
    rise = np.linspace(0.6, 0.9, 40)
    verdicts = [
        read_curve(curve((rise + noise.normal(0, 0.01, 40)).tolist())).verdict for _ in range(50)
    ]
    assert verdicts == ["rising"] * 50


def test_over_fitting_is_seen():
    n = np.arange(60)
    reading = read_curve(
        curve(
            (0.9 - 0.3 * np.exp(-n / 5)).tolist(),
            train_loss=(0.7 * np.exp(-n / 15)).tolist(),
            val_loss=(0.5 * np.exp(-n / 5) + 0.3 + 0.005 * n).tolist(),
            train_accuracy=(1 - 0.4 * np.exp(-n / 10)).tolist(),
        )
    )
    assert reading.verdict == "flat"
    assert reading.loss_falling
    assert reading.overfit_since is not None
    assert 12 <= reading.overfit_since <= 20  # the lowest point lies near epoch 15
    assert reading.gap == pytest.approx(0.1, abs=0.01)
    assert "over-fits" in reading.sentence()
    assert "过拟合" in reading.sentence("zh")
    assert "points above" in reading.sentence()


def test_a_spent_learning_rate_is_said():
    rates = [0.001 * 0.5 * (1 + np.cos(np.pi * n / 39)) for n in range(40)]
    reading = read_curve(curve(np.linspace(0.5, 0.9, 40).tolist(), lr=rates))
    assert (reading.verdict, reading.lr_spent) == ("rising", True)
    assert "learning rate has run out" in reading.sentence()


def test_accuracy_that_rises_while_training_loss_stands():
    reading = read_curve(curve(np.linspace(0.5, 0.9, 40).tolist(), train_loss=[0.3] * 40))
    assert (reading.verdict, reading.loss_falling) == ("rising", False)
    assert "though training loss has" in reading.sentence()


accuracies = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(accuracies, accuracies)
def test_any_curve_can_be_read(accuracy: list[float], losses: list[float]):
    history = curve(accuracy, val_loss=(losses * len(accuracy))[: len(accuracy)])
    reading = read_curve(history)
    assert reading.best_accuracy == max(accuracy)
    assert accuracy[reading.best_epoch - 1] == reading.best_accuracy
    assert (reading.flat_since is None) == (reading.verdict in ("short", "rising"))
    assert (reading.verdict == "short") == (len(accuracy) < 8)
    for lang in ("en", "zh"):
        assert str(reading.best_epoch) in reading.sentence(lang)


@given(st.floats(0, 1), st.integers(8, 100))
def test_a_constant_curve_is_flat_from_the_start(value: float, epochs: int):
    reading = read_curve(curve([value] * epochs))
    assert (reading.verdict, reading.flat_since, reading.best_epoch) == ("flat", 1, 1)
    assert not reading.loss_falling
    assert reading.overfit_since is None


@given(st.floats(0.1, 1), st.integers(8, 100))
def test_straight_lines(height: float, epochs: int):
    line = np.linspace(0, height, epochs).tolist()
    assert read_curve(curve(line)).verdict == "rising"
    down = read_curve(curve(line[::-1]))
    assert (down.verdict, down.flat_since, down.best_epoch) == ("falling", 1, 1)
