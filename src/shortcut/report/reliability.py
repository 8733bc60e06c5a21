"""The reliability diagram: what scores say, and how often it is so."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from shortcut.metrics import Scores, wilson_interval
from shortcut.report.drawing import DPI, INK, MEASURED, MUTED, save, tidy


def draw_reliability(scores: Scores, path: Path) -> None:
    """Write `reliability_figure` as a PNG of 900 x 1050 pixels.

    Raises:
        ValueError: if `scores` has no `reliability`.
        ResourceError: if `path` cannot be written; an older picture is untouched.
    """
    save(reliability_figure(scores), path)


def reliability_figure(scores: Scores) -> Figure:
    """Accuracy against score: a dot for each fifteenth of the scores with its 95 % interval, over
    how many pictures have such scores.

    Raises:
        ValueError: if `scores` has no `reliability`.
    """
    if scores.reliability is None:
        raise ValueError("these scores were not counted by how high they are")
    filled = scores.reliability[scores.reliability[:, 0] > 0]
    images, total, right = filled.T
    figure = Figure(figsize=(6, 7), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":", label="scores say")
    bounds = np.array([wilson_interval(int(r), int(n)) for r, n in zip(right, images, strict=True)])
    share = right / images
    spread = np.clip([share - bounds[:, 0], bounds[:, 1] - share], 0, None)
    style = {"fmt": "o", "color": MEASURED, "markersize": 5, "linewidth": 1.2}
    above.errorbar(total / images, share, yerr=spread, label="and how often it is so", **style)
    edges = np.linspace(0, 1, len(scores.reliability) + 1)
    below.bar(edges[:-1], scores.reliability[:, 0], np.diff(edges), align="edge", color=MUTED)
    tidy(above, "share of right answers")
    tidy(below, "pictures")
    above.set(xlim=(0, 1), ylim=(0, 1))
    below.set_xlabel("score")
    above.legend(loc="upper left", frameon=False)
    off = scores.calibration_error or 0.0
    above.set_title(f"{scores.images:,} pictures, scores off by {off:.1%} on average")
    return figure
