"""Muon: momentum whose steps on filters are orthogonal matrices (Keller Jordan, "Muon: An optimizer
for hidden layers in neural networks", 2024, https://kellerjordan.github.io/posts/muon)."""

import math
from typing import Any

import torch
from torch import Tensor

from shortcut.uncompiled import UncompiledAdamW

STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that drives singular values towards 1; Jordan's, chosen to rise steeply at 0."""
MOMENTUM = 0.9


def orthogonalize(matrix: Tensor) -> Tensor:
    """Nearly U V^T where `matrix` is U S V^T: all singular values become about 1 (0.7 to 1.2).

    Newton-Schulz in the Gram matrix: each step multiplies the matrix from the left by a polynomial
    of `x x^T`, so it is enough to follow that small square one, and to multiply once at the end. A
    filter of 256 x 2304 takes 1.2 instead of 3.2 GFLOP.

    Args:
        matrix: (rows, columns) float32.
    """
    if matrix.size(0) > matrix.size(1):
        return orthogonalize(matrix.mT).mT
    x = matrix / (matrix.norm() + 1e-7)
    gram = x @ x.mT
    whole = factor = _polynomial(gram)
    for _ in range(STEPS - 1):
        gram = factor @ gram @ factor
        factor = _polynomial(gram)
        whole = factor @ whole
    return whole @ x


def _polynomial(gram: Tensor) -> Tensor:
    """What a step multiplies a matrix by, whose product with its own transpose is `gram`."""
    a, b, c = COEFFICIENTS
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor


class Muon(UncompiledAdamW):
    """Muon for groups with `"orthogonal": True`, AdamW (fused) for the others.

    A filter (out, in, h, w) counts as the matrix (out, in x h x w).
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step; filters have no gradient afterwards."""
        for group in self.param_groups:
            if group["orthogonal"]:
                self._step_filters(group)
        super().step(closure)

    def _step_filters(self, group: dict[str, Any]) -> None:
        for weight in group["params"]:
            if weight.grad is None:
                continue
            state = self.state[weight]
            if not state:
                # AdamW looks for `step` where a state is loaded.
                state["step"] = torch.zeros(())
                state["momentum_buffer"] = torch.zeros_like(weight)
            momentum = state["momentum_buffer"].lerp_(weight.grad, 1 - MOMENTUM)
            ahead = weight.grad.lerp(momentum, MOMENTUM)  # Nesterov
            direction = orthogonalize(ahead.flatten(1)).view_as(weight)
            # Tall matrices have fewer singular values than rows: this keeps a row's length.
            scale = math.sqrt(max(1.0, len(weight) / weight[0].numel()))
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(direction, alpha=-group["lr"] * scale)
            weight.grad = None  # done: AdamW passes over it
