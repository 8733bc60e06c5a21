"""Averaged weights: a slow copy of the network that is measured and saved in its place."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of all weights and running statistics; `.module` is the
    network.

    Args:
        decay: share of the old average that a step keeps. Early on less is kept, (1 + n) / (10 + n)
            after n steps, so that the random start is forgotten (as TensorFlow's
            ExponentialMovingAverage does).
    """

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, steps: Tensor | int) -> None:
        count = float(steps)
        keep = min(decay, (1 + count) / (10 + count))
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - keep)
            else:
                old.copy_(new)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)
