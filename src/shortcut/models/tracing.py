"""What happens to one picture inside a network: every call in its order, with shapes and work.

Runs the network on torch's `meta` device: shapes and types only, no numbers, no memory, so even the
deepest network takes a moment. Additions of two tensors are calls of their own: they are what makes
a network residual, and no module stands for them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from shortcut.disk import reason_of
from shortcut.errors import ModelError
from shortcut.models.ghosts import ghost_of

Shape = tuple[int, ...]
"""Without the batch: (channels, height, width), or (features,); empty where there is no tensor."""


@dataclass
class Call:
    """One module at work, or one addition of two tensors."""

    name: str
    """Dotted name in the network: `layer1.0.conv1`, `layer1.0.add`; empty for the network."""
    kind: str
    """Class of the module; `Add` for an addition."""
    module: nn.Module | None
    """On the `meta` device: settings and shapes, no weights. None for an addition."""
    input: Shape
    """Of the first tensor that it was given."""
    output: Shape = ()
    multiply_adds: int = 0
    """Of convolutions and matrix products for one picture, those of `calls` included."""
    calls: list["Call"] = field(default_factory=list)
    """What was called inside, in order."""
    rewinds: bool = False
    """It was given what the call around it was given, after others had worked on that: here begins
    another way through a block, such as a projection on its shortcut."""

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "Call"]]:
        """This call and all below it, outer ones first, each with its depth."""
        yield depth, self
        for call in self.calls:
            yield from call.walk(depth + 1)

    def finished(self) -> Iterator["Call"]:
        """This call and all below it in the order in which they end: inner ones first."""
        for call in self.calls:
            yield from call.finished()
        yield self


def trace(model: nn.Module, image_size: int) -> Call:
    """Send one picture of `image_size` pixels through `model`; returns the outermost call.

    The model itself, its device and its mode are left alone.

    Raises:
        ModelError: if the network does not take such a picture.
    """
    ghost = ghost_of(model).eval()
    counter = FlopCounterMode(display=False)
    recorder = _Recorder(counter)
    with torch.no_grad(), counter, recorder, ExitStack() as hooks:
        for name, module in ghost.named_modules():
            recorder.watch(name, module, hooks)
        try:
            ghost(torch.empty(1, 3, image_size, image_size, device="meta"))
        except (RuntimeError, AttributeError, IndexError, TypeError, ValueError) as error:
            raise _misfit(image_size, error) from error
    (whole,) = recorder.root.calls
    return whole


def _misfit(image_size: int, error: Exception) -> ModelError:
    return ModelError(
        f"the network does not take RGB pictures of {image_size} pixels ({reason_of(error)}). "
        "Choose another size with `--image-size`."
    )


def _first_tensor(value: Any) -> Tensor | None:
    """Modules may take and give lists, tuples and dicts of tensors."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if not isinstance(value, list | tuple):
        return None
    return next((found for one in value if (found := _first_tensor(one)) is not None), None)


def _shape(tensor: Tensor | None) -> Shape:
    return () if tensor is None else tuple(tensor.shape[1:])


class Watcher(TorchDispatchMode, ABC):
    """Sees every operation of torch that is done in its context."""

    @abstractmethod
    def see(self, operation: object, given: tuple[Any, ...], result: Any) -> None:
        """After each: `torch.ops.aten.add`, whatever its overload; its arguments; what it gave."""

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.see(getattr(func, "overloadpacket", None), args, result)
        return result


class _Recorder(Watcher):
    """Hooks tell where we are in the network; the dispatcher tells of additions between modules."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self.counter = counter
        self.root = Call("", "", None, ())
        self.open = [self.root]
        self.given: list[Tensor | None] = [None]
        """What each open call was given; a ghost's tensors hold no memory."""

    def watch(self, name: str, module: nn.Module, hooks: ExitStack) -> None:
        """Record the calls of `module`, until `hooks` closes."""

        def begin(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            given, around = _first_tensor((*inputs, *named.values())), self.open[-1]
            call = Call(name, type(module).__name__, module, _shape(given))
            call.rewinds = bool(around.calls) and given is self.given[-1] is not None
            call.multiply_adds = -self.counter.get_total_flops() // 2
            around.calls.append(call)
            self.open.append(call)
            self.given.append(given)

        def end(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
            self.given.pop()
            call = self.open.pop()
            call.output = _shape(_first_tensor(output))
            # The counter counts an addition as an operation of its own; papers count the pair.
            call.multiply_adds += self.counter.get_total_flops() // 2

        hooks.callback(module.register_forward_pre_hook(begin, with_kwargs=True).remove)
        hooks.callback(module.register_forward_hook(end).remove)

    def see(self, operation: object, given: tuple[Any, ...], result: Any) -> None:
        """Record an addition of two maps."""
        if operation in (torch.ops.aten.add, torch.ops.aten.add_) and _are_alike(*given[:2]):
            around = self.open[-1]
            name = f"{around.name}.add".lstrip(".")
            around.calls.append(Call(name, "Add", None, _shape(result), _shape(result)))


def _are_alike(one: object, other: object) -> bool:
    """Two maps that are added, no map and its bias."""
    return isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape
