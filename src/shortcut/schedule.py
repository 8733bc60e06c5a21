"""Learning rate as a pure function of how far the training is: nothing to save, nothing to restore.

Below, `epoch` is the time since the start in epochs, with a fraction: 2.5 is the middle of the
third.
"""

import math
from collections.abc import Sequence

from shortcut.settings import (
    ConstantSchedule,
    CosineSchedule,
    OneCycleSchedule,
    PlateauSchedule,
    ScheduleSettings,
    StepSchedule,
)


def lr_factor(
    settings: ScheduleSettings, epoch: float, epochs: int, losses: Sequence[float]
) -> float:
    """Share of `optim.lr` to use at `epoch` of `epochs`.

    Args:
        losses: mean training loss of each epoch that is over; only the plateau schedule looks at
            them.
    """
    match settings:
        case ConstantSchedule():
            return 1.0
        case StepSchedule():
            return settings.factor ** int(epoch / settings.every)
        case PlateauSchedule():
            return settings.factor ** _stalls(losses, settings.patience)
        case CosineSchedule():
            return _cosine(settings, epoch, epochs)
        case OneCycleSchedule():
            return _one_cycle(settings, epoch / epochs)


def _cosine(settings: CosineSchedule, epoch: float, epochs: int) -> float:
    """Linear warm-up, then half a cosine (arXiv:1608.03983 without restarts)."""
    warmup = min(settings.warmup_epochs, epochs / 2)
    if epoch < warmup:
        # Never quite zero, so that the first step does something.
        return max(epoch / warmup, 0.01)
    return _ease(1.0, settings.final, (epoch - warmup) / (epochs - warmup))


def _one_cycle(settings: OneCycleSchedule, progress: float) -> float:
    """Up to the peak and down again, both as half cosines (arXiv:1708.07120; annealing as in
    fastai)."""
    if progress < settings.peak:
        return _ease(settings.start, 1.0, progress / settings.peak)
    return _ease(1.0, settings.final, (progress - settings.peak) / (1 - settings.peak))


def _ease(begin: float, end: float, progress: float) -> float:
    return end + (begin - end) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def _stalls(losses: Sequence[float], patience: int) -> int:
    """How often `patience` epochs in a row, and one more, brought no new lowest loss."""
    lowest, waited, stalls = math.inf, 0, 0
    for loss in losses:
        if loss < lowest * (1 - 1e-4):
            lowest, waited = loss, 0
            continue
        waited += 1
        if waited > patience:
            stalls, waited = stalls + 1, 0
    return stalls
