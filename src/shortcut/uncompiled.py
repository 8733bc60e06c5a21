"""Optimizers that start without torch's compiler.

Torch keeps its optimizers out of compiled code, and to say so it imports the compiler
(`torch._dynamo`): 2 to 5 s before the first step of every training. Here no optimizer is ever
inside compiled code, so its methods may be called as they were written, below their wrappers. If
torch no longer has these wrappers, nothing is lost but the time.
"""

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

_WRAPPED = (
    *(Optimizer.add_param_group, Optimizer.zero_grad),
    *(Optimizer.state_dict, Optimizer.load_state_dict),
)


class _Uncompiled(Optimizer):
    """Goes first among the bases of an optimizer of torch."""

    def __init__(self, *args: Any, **more: Any) -> None:
        for method in _WRAPPED:
            with contextlib.suppress(AttributeError):
                plain: Any = method.__wrapped__  # pyright: ignore[reportFunctionMemberAccess]
                # What the wrapper calls if it is there (torch/_compile.py).
                vars(plain).setdefault("__dynamo_disable", plain)
        super().__init__(*args, **more)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step."""
        return inspect.unwrap(super().step)(self, closure)


class UncompiledSGD(_Uncompiled, SGD):
    """`torch.optim.SGD`."""


class UncompiledAdam(_Uncompiled, Adam):
    """`torch.optim.Adam`."""


class UncompiledAdamW(_Uncompiled, AdamW):
    """`torch.optim.AdamW`."""
