"""Curves and confusion matrix as PNG files.

Drawn through matplotlib's figures alone: no pyplot, no global state.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from shortcut.events import EpochEnd
from shortcut.fonts import drawable, families, shorten
from shortcut.metrics import Scores
from shortcut.report.drawing import DPI, INK, MEASURED, TRAIN, save, tidy

DOTTED = 40
"""Up to so many epochs each is a dot on its line."""
WIDE_SPREAD = 30
"""Losses that differ by more than this factor are drawn on a logarithmic scale."""
WITH_SHARES, WITH_COUNTS, ALL_NAMED = 12, 25, 130
"""Up to so many classes cells hold percentages, cells hold counts, every class is named."""
LONGEST_NAME, LONGEST_TITLE = 24, 45


def draw_curves(
    history: Sequence[EpochEnd], path: Path, *, title: str, part: str = "val"
) -> Figure:
    """Write `curves_figure` as a PNG of 1200 x 1185 pixels, and return it.

    Raises:
        ValueError: if `history` is empty.
        ResourceError: if `path` cannot be written; an older picture is untouched.
    """
    figure = curves_figure(history, title, part)
    save(figure, path)
    return figure


def curves_figure(history: Sequence[EpochEnd], title: str, part: str = "val") -> Figure:
    """Loss, accuracy and learning rate over the epochs.

    Args:
        history: at least one epoch.
        title: stands above; letters for which no font is installed become boxes.
        part: the part of the data that was measured each epoch, `val` or `test`, for the legend.

    Raises:
        ValueError: if `history` is empty.
    """
    if not history:
        raise ValueError("history is empty: there is no curve to draw")
    margins = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06)
    figure = Figure(figsize=(8, 7.9), dpi=DPI, layout=margins)
    loss, accuracy, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1))
    epochs = [e.epoch for e in history]
    _draw_line(loss, epochs, [e.train_loss for e in history], TRAIN, "train")
    _draw_line(loss, epochs, [e.val_loss for e in history], MEASURED, part)
    _draw_line(accuracy, epochs, [e.train_accuracy for e in history], TRAIN, "train")
    _draw_line(accuracy, epochs, [e.val_accuracy for e in history], MEASURED, part)
    _draw_line(rate, epochs, [e.lr for e in history], INK, "learning rate")
    _scale_loss(loss, history)
    _scale_accuracy(accuracy, history)
    _mark_best(loss, accuracy, history)
    highest = max(e.lr for e in history) or 1.0
    rate.set_ylim(0, 1.15 * highest)
    rate.set_yticks([0, highest], labels=["0", f"{highest:.2g}"])
    rate.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    rate.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    rate.set_xlabel("epoch", color=INK)
    for axes, name in ((loss, "loss"), (accuracy, "accuracy"), (rate, "learning rate")):
        tidy(axes, name)
    loss.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderaxespad=0.2)
    fonts = families()
    text = drawable(shorten(title, LONGEST_TITLE), fonts)
    figure.suptitle(text, x=0.01, ha="left", color=INK, family=list(fonts), parse_math=False)
    figure.align_ylabels()
    return figure


def draw_confusion(scores: Scores, path: Path) -> Figure:
    """Write `confusion_figure` as a PNG, and return it.

    Raises:
        ResourceError: if `path` cannot be written; an older picture is untouched.
    """
    figure = confusion_figure(scores)
    save(figure, path, tight=True)
    return figure


def confusion_figure(scores: Scores) -> Figure:
    """The confusion matrix: truth down, answer across, coloured by shares of a row.

    Cells hold counts up to 25 classes. A name for which no font is installed becomes a number, its
    place in `scores.classes` counted from 1.
    """
    count = len(scores.classes)
    fonts = families()
    totals = scores.confusion.sum(1, keepdims=True)
    shares = scores.confusion / np.maximum(totals, 1)
    cell = 0.72 if count <= WITH_SHARES else 0.44 if count <= WITH_COUNTS else 0.1
    side = min(max(count * cell, 3.0), 13.0)
    # The matrix fills the figure; names and title stand outside, and saving makes room for them.
    figure = Figure(figsize=(side, side), dpi=DPI)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    # The root lifts the few per cent of a mistake above the paper's white.
    colours = PowerNorm(0.5, vmin=0, vmax=1)
    image = axes.imshow(shares, cmap="Blues", norm=colours, interpolation="nearest")
    if count <= WITH_COUNTS:
        _write_cells(axes, scores.confusion, shares)
    else:
        scale = axes.inset_axes((1.015, 0.0, 0.015, 1.0))
        bar = figure.colorbar(image, cax=scale, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1])
        bar.ax.yaxis.set_major_formatter(FuncFormatter(_percent))
        bar.set_label("share of the class's pictures", color=INK)
        bar.ax.tick_params(labelsize=8, labelcolor=INK)
        bar.outline.set_visible(False)
    _name_classes(axes, scores, fonts, side / count)
    low, high = scores.interval
    images = "1 image" if scores.images == 1 else f"{scores.images:,} images"
    axes.set_title(
        f"Accuracy {100 * scores.accuracy:.1f} %\n"
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} %, {images}",
        loc="left",
        color=INK,
        fontsize=11,
        linespacing=1.4,
        pad=12,
    )
    return figure


def _draw_line(
    axes: Axes, epochs: Sequence[int], values: Sequence[float], colour: str, name: str
) -> None:
    marker = "o" if len(epochs) <= DOTTED else ""
    axes.plot(epochs, values, color=colour, label=name, marker=marker, ms=4, lw=1.6, clip_on=False)


def _scale_loss(axes: Axes, history: Sequence[EpochEnd]) -> None:
    losses = [value for e in history for value in (e.train_loss, e.val_loss)]
    if min(losses) > 0 and max(losses) > WIDE_SPREAD * min(losses):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(_short_number))
        axes.yaxis.set_minor_formatter(NullFormatter())
        return
    room = max(0.06 * (max(losses) - min(losses)), 0.02 * max(losses))
    axes.set_ylim(min(losses) - room, max(losses) + room)


def _scale_accuracy(axes: Axes, history: Sequence[EpochEnd]) -> None:
    values = [value for e in history for value in (e.train_accuracy, e.val_accuracy)]
    room = max(0.01, 0.06 * (max(values) - min(values)))
    axes.set_ylim(max(0.0, min(values) - room), min(1.0, max(values) + room))
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))


def _mark_best(loss: Axes, accuracy: Axes, history: Sequence[EpochEnd]) -> None:
    """A ring around the best epoch; its label stands above the panel, where it covers nothing."""
    best = max(history, key=lambda e: (e.val_accuracy, -e.val_loss))
    for axes, value in ((loss, best.val_loss), (accuracy, best.val_accuracy)):
        axes.axvline(best.epoch, color=MEASURED, lw=0.8, ls=(0, (2, 3)), zorder=1)
        axes.plot(best.epoch, value, "o", ms=9, mec=MEASURED, mfc="none", mew=1.6, clip_on=False)
    middle = (history[0].epoch + history[-1].epoch) / 2
    side = "center" if len(history) == 1 else "right" if best.epoch > middle else "left"
    accuracy.text(
        best.epoch,
        1.03,
        f"best: epoch {best.epoch}, {100 * best.val_accuracy:.1f} %",
        transform=accuracy.get_xaxis_transform(),
        ha=side,
        color=MEASURED,
    )


def _percent(share: float, place: int | None = None) -> str:
    return f"{round(100 * share, 6):g} %"


def _short_number(value: float, place: int | None = None) -> str:
    """As a person would write it: 0.0005, not 5e-04."""
    return f"{value:g}" if value == 0 or abs(value) >= 1e-5 else f"{value:.0e}"


def _write_cells(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    with_shares = len(counts) <= WITH_SHARES
    size = 10 if with_shares else 8
    for row, column in np.ndindex(counts.shape):
        count, share = int(counts[row, column]), float(shares[row, column])
        if not count and row != column:
            continue
        text = f"{count:,}\n{100 * share:.1f} %" if with_shares else f"{count:,}"
        # White on the darker half of the colours, whose scale is a root.
        colour = "white" if share > 0.3 else INK
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def _name_classes(axes: Axes, scores: Scores, fonts: tuple[str, ...], cell: float) -> None:
    """Names along both sides; `cell` is the side of a cell in inches."""
    count = len(scores.classes)
    shown = range(0, count, 1 + (count - 1) // ALL_NAMED)
    names = _class_names(scores.classes, fonts)
    size = 10 if count <= WITH_SHARES else 8.5 if count <= WITH_COUNTS else 5.5
    longest = 0.65 * size / 72 * max(map(len, names))
    rotation = 90 if count > WITH_COUNTS else 45 if longest > cell else 0
    axes.set_xticks(
        shown,
        labels=[names[i] for i in shown],
        rotation=rotation,
        ha="right" if rotation == 45 else "center",
        rotation_mode="anchor" if rotation == 45 else "default",
        fontsize=size,
        family=list(fonts),
        parse_math=False,
    )
    axes.set_yticks(
        shown, labels=[names[i] for i in shown], fontsize=size, family=list(fonts), parse_math=False
    )
    note = "\nclass n: the n-th of the list; no installed font has its letters"
    unwritten = "□" in drawable("".join(scores.classes), fonts)
    axes.set_xlabel("answer" + note * unwritten, color=INK)
    axes.set_ylabel("truth", color=INK)
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
    if count <= WITH_COUNTS:
        axes.set_xticks(np.arange(count - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(count - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", lw=1.5)
        axes.tick_params(which="minor", length=0)


def _class_names(classes: Sequence[str], fonts: tuple[str, ...]) -> list[str]:
    """What is written for each class: short, and no two alike."""
    lines = [" ".join(name.split()) for name in classes]
    short = [shorten(name, LONGEST_NAME) for name in lines]
    names: list[str] = []
    for place, (name, label) in enumerate(zip(lines, short, strict=True), 1):
        if drawable(name, fonts) != name:
            names.append(f"class {place}")
        elif short.count(label) > 1:
            names.append(f"{shorten(name, LONGEST_NAME - 5)} #{place}")
        else:
            names.append(label)
    return names
