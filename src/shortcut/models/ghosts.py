"""Networks whose weights nobody needs: not drawn yet, or shapes alone on torch's `meta` device."""

import copy
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@contextmanager
def nothing_drawn() -> Generator[None]:
    """What is built inside has no random weights but whatever lay in memory: for a network whose
    weights are overwritten at once."""
    with _NothingDrawn():
        yield


@contextmanager
def shapes_only() -> Generator[None]:
    """What is built inside has shapes and no numbers at all.

    On `meta` alone torch would go through the motions of drawing, and import its compiler for that:
    seconds at the start of a command.
    """
    with torch.device("meta"), nothing_drawn():
        yield


def ghost_of(model: nn.Module) -> nn.Module:
    """The same network without numbers; its weights are not copied on the way."""
    shadows: dict[int, Any] = {}
    for tensor in chain(model.parameters(), model.buffers()):
        shadow = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
        if isinstance(tensor, nn.Parameter):
            shadow = nn.Parameter(shadow, requires_grad=tensor.requires_grad)
        shadows[id(tensor)] = shadow
    return copy.deepcopy(model, shadows)


class _NothingDrawn(TorchFunctionMode):
    """Leaves tensors as they are where they would be initialised."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        from_init = getattr(func, "__module__", None) == "torch.nn.init"
        if from_init or func in (Tensor.normal_, Tensor.uniform_):
            return args[0] if args else given["tensor"]
        return func(*args, **given)
