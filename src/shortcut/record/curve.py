"""What the curves of a training say: the best epoch, where accuracy flattened, over-fitting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shortcut.events import EpochEnd
from shortcut.language import Lang, counted, percent, speak

SHORTEST = 8
"""Below so many epochs a plateau cannot be told from noise: a quarter would be a single epoch."""
LEAST_RISE = 0.005
"""Accuracy within half a point counts as flat."""
LEAST_LOSS = 0.02
"""So does a loss within this share of itself."""
SPENT = 0.05
"""Below this share of its height the learning rate has run out."""

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class CurveReading:
    """What `read_curve` saw. Epochs are numbered as in the history; accuracies are 0 to 1."""

    epochs: int
    """The last epoch's number."""
    best_epoch: int
    best_accuracy: float
    verdict: Literal["short", "rising", "flat", "falling"]
    """Where validation accuracy is going at the end; `short`: too few epochs to say."""
    flat_since: int | None
    """The epoch since which accuracy has not risen; None while it rises, or for `short`."""
    loss_falling: bool
    """Whether the training loss still falls."""
    gap: float
    """Training accuracy minus validation accuracy over the last quarter."""
    overfit_since: int | None
    """The epoch since which validation loss rises while training loss falls, if they do."""
    lr_spent: bool
    """Whether the learning rate has come down to nearly nothing."""

    def sentence(self, lang: Lang = "en") -> str:
        """The reading in one to four sentences."""
        say = speak(lang)
        best = percent(self.best_accuracy, say)
        found = [
            say(
                f"The best epoch is {self.best_epoch} of {self.epochs}, with accuracy {best}.",
                f"最佳轮次为第 {self.best_epoch} 轮（共 {self.epochs} 轮），准确率 {best}。",
            ),
            self._verdict(lang),
        ]
        since = self.overfit_since
        if since is not None:
            found.append(
                say(
                    f"From about epoch {since} on, validation loss rises while training loss "
                    "falls: the network over-fits.",
                    f"自第 {since} 轮前后起，验证损失上升而训练损失仍在下降，出现过拟合。",
                )
            )
        if self.verdict != "short" and self.gap >= 0.02:
            points = f"{100 * self.gap:.1f}"
            found.append(
                say(
                    f"At the end, training accuracy is {points} points above validation accuracy.",
                    f"训练末期，训练准确率比验证准确率高 {points} 个百分点。",
                )
            )
        return say(" ", "").join(found)

    def _verdict(self, lang: Lang) -> str:
        say, n, since = speak(lang), self.epochs, self.flat_since
        match self.verdict, self.loss_falling:
            case "short", _:
                return say(
                    f"{counted(n, 'epoch')} cannot show a trend: a plateau could not be told from "
                    "noise.",
                    f"仅训练 {n} 轮，轮数太少，无法区分平台期与随机波动。",
                )
            case "falling", _:
                return say(
                    f"Accuracy has not risen since about epoch {since} and ends below its height: "
                    "the training could have stopped earlier.",
                    f"自第 {since} 轮前后起准确率不再上升，末期已低于峰值，训练可以更早停止。",
                )
            case "flat", True:
                return say(
                    f"Accuracy has been flat since about epoch {since} while training loss still "
                    "falls: more epochs alone will bring little, more pictures or stronger "
                    "augmentation may.",
                    f"准确率自第 {since} 轮前后起趋于平稳，而训练损失仍在下降："
                    "单靠增加轮数收益有限，增加图片或加强数据增强可能更有效。",
                )
            case "flat", False:
                return say(
                    f"Accuracy has been flat since about epoch {since} and training loss no longer "
                    "falls: more epochs of the same will bring little.",
                    f"准确率自第 {since} 轮前后起趋于平稳，训练损失也不再下降，"
                    "照此继续训练收益不大。",
                )
            case "rising", falling:
                return self._going_on(falling, lang)

    def _going_on(self, loss_falling: bool, lang: Lang) -> str:
        say, n = speak(lang), self.epochs
        if loss_falling:
            text = say(
                f"After {n} epochs loss and accuracy have not flattened, so training can go on",
                f"训练 {n} 轮后，损失与准确率仍未趋于平稳，可以继续训练",
            )
        else:
            text = say(
                f"After {n} epochs accuracy has not flattened though training loss has, so a "
                "longer training may bring a little more",
                f"训练 {n} 轮后，训练损失已趋于平稳，但准确率仍在上升，延长训练或许还能略有提升",
            )
        if not self.lr_spent:
            return text + say(".", "。")
        return text + say(
            "; the learning rate has run out, so start a new training with more epochs.",
            "；但学习率已降至接近零，应以更多轮数重新训练。",
        )


def read_curve(history: Sequence[EpochEnd]) -> CurveReading:
    """Read the curves of a training, by windows of a quarter of its epochs.

    The rule. What is compared are means over windows of a quarter of the epochs. Accuracy is flat
    since the first epoch whose window no later window exceeds by more than half a point, or by more
    than the noise if that is larger: twice the standard error of a difference of two windows, an
    epoch's noise being taken from the jumps between neighbours in the last half. If less than the
    last half of the training is flat in this sense, accuracy is still rising. It is falling if the
    last window lies below the highest by more than the same margin. Losses are compared alike, with
    2 % in place of half a point. Fewer than 8 epochs get no verdict.

    Args:
        history: the epochs in order, at least one.

    Raises:
        ValueError: if `history` is empty.
    """
    if not history:
        raise ValueError("history is empty: there is no curve to read")
    n = len(history)
    width = max(1, n // 4)
    accuracy = np.array([e.val_accuracy for e in history])
    train_loss = np.array([e.train_loss for e in history])
    # As the trainer chooses: ties in accuracy go to the lower loss, then to the earlier epoch.
    best = max(history, key=lambda e: (e.val_accuracy, -e.val_loss))
    means, losses = _means(accuracy, width), _means(train_loss, width)
    margin = _margin(accuracy, width, LEAST_RISE)
    ahead = np.maximum.accumulate(means[::-1])[::-1]
    first = int(np.argmax(ahead - means <= margin))
    verdict: Literal["short", "rising", "flat", "falling"] = "flat"
    if n < SHORTEST:
        verdict = "short"
    elif first > n - 2 * width:
        verdict = "rising"
    elif means[-1] < means.max() - margin:
        verdict = "falling"
    before = losses[max(0, n - 2 * width)]
    gaps = [e.train_accuracy - e.val_accuracy for e in history[-width:]]
    return CurveReading(
        epochs=history[-1].epoch,
        best_epoch=best.epoch,
        best_accuracy=best.val_accuracy,
        verdict=verdict,
        flat_since=history[first].epoch if verdict in ("flat", "falling") else None,
        loss_falling=bool(before - losses[-1] > _margin(train_loss, width, LEAST_LOSS * before)),
        gap=sum(gaps) / len(gaps),
        overfit_since=_overfit_since(history, width),
        lr_spent=history[-1].lr < SPENT * max(e.lr for e in history),
    )


def _overfit_since(history: Sequence[EpochEnd], width: int) -> int | None:
    """The middle of the window of lowest validation loss, if that rose while training fell."""
    if len(history) < SHORTEST:
        return None
    measured = np.array([e.val_loss for e in history])
    means = _means(measured, width)
    losses = _means(np.array([e.train_loss for e in history]), width)
    low = int(np.argmin(means))
    rise = means[-1] - means[low]
    if rise <= _margin(measured, width, LEAST_LOSS * means[low]) or losses[-1] >= losses[low]:
        return None
    return history[low + width // 2].epoch


def _means(values: Curve, width: int) -> Curve:
    """(epochs,) to (epochs - width + 1,): the mean of the window that starts at each epoch."""
    return np.convolve(values, np.ones(width) / width, mode="valid")


def _margin(values: Curve, width: int, least: float) -> float:
    """The least difference of two windows that counts."""
    jumps = np.diff(values[-2 * width - 1 :])
    if len(jumps) < 2:
        return least
    # The jump between two epochs holds the noise of both; a steady slope holds none, hence std.
    noise = float(np.std(jumps)) / np.sqrt(2)
    return max(least, 2 * noise * float(np.sqrt(2 / width)))
