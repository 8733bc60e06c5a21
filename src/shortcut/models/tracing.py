"""What happens to one picture inside a network: every call in its order, with shapes and work.

Runs the network on torch's `meta` device: shapes and types only, no numbers, no memory, so even the
deepest network takes a moment. Additions of two tensors are calls of their own: they are what makes
a network residual, and no module stands for them.
"""

import copy
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

Shape = tuple[int, ...]
"""Without the batch: (channels, height, width), or (features,)."""


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
    output: Shape = ()
    multiply_adds: int = 0
    """Of convolutions and matrix products for one picture, those of `calls` included."""
    calls: list["Call"] = field(default_factory=list)
    """What was called inside, in order."""

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
        RuntimeError: if a layer does not take what the one before it gives.
    """
    ghost = _ghost(model).eval()
    counter = FlopCounterMode(display=False)
    recorder = _Recorder(counter)
    with torch.no_grad(), counter, recorder, ExitStack() as hooks:
        for name, module in ghost.named_modules():
            recorder.watch(name, module, hooks)
        ghost(torch.empty(1, 3, image_size, image_size, device="meta"))
    (whole,) = recorder.root.calls
    return whole


def activation_bytes(model: nn.Module, image_size: int, batch: int, *, train: bool) -> int:
    """Memory in bytes for what the layers compute, in float32, weights not counted.

    With `train`, what the forward pass leaves for the backward pass; without, the most that is
    alive at one moment of prediction. The batch itself is counted in both.
    """
    ghost = _ghost(model).train(train)
    images = torch.empty(batch, 3, image_size, image_size, device="meta")
    with torch.set_grad_enabled(train), _Memory() as memory:
        memory.count(images)
        outputs = ghost(images)
        left = memory.alive
    del outputs
    return left if train else memory.peak


def _ghost(model: nn.Module) -> nn.Module:
    """The same network without numbers."""
    with torch.device("meta"):
        return copy.deepcopy(model).to("meta")


class _Recorder(TorchDispatchMode):
    """Hooks tell where we are in the network; the dispatcher tells of additions between modules."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self.counter = counter
        self.root = Call("", "", None, ())
        self.open = [self.root]

    def watch(self, name: str, module: nn.Module, hooks: ExitStack) -> None:
        """Record the calls of `module`, until `hooks` closes."""

        def begin(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            call = Call(name, type(module).__name__, module, tuple(inputs[0].shape[1:]))
            call.multiply_adds = -self.counter.get_total_flops() // 2
            self.open[-1].calls.append(call)
            self.open.append(call)

        def end(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            call = self.open.pop()
            call.output = tuple(output.shape[1:])
            # The counter counts an addition as an operation of its own; papers count the pair.
            call.multiply_adds += self.counter.get_total_flops() // 2

        hooks.callback(module.register_forward_pre_hook(begin).remove)
        hooks.callback(module.register_forward_hook(end).remove)

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = getattr(func, "overloadpacket", None)
        if packet in (torch.ops.aten.add, torch.ops.aten.add_) and isinstance(args[1], Tensor):
            around = self.open[-1]
            shape = tuple(result.shape[1:])
            around.calls.append(Call(f"{around.name}.add", "Add", None, shape, shape))
        return result


class _Memory(TorchDispatchMode):
    """Follows every storage from the operation that makes it until nobody holds it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = 0
        self.peak = 0
        self.known: dict[int, weakref.finalize[Any, Any]] = {}

    def count(self, tensor: Tensor) -> None:
        """Count the storage of `tensor`, once, until it is freed."""
        storage, key = tensor.untyped_storage(), _storage_key(tensor)
        if key in self.known:
            return
        size = storage.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        self.known[key] = weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        del self.known[key]
        self.alive -= size

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # What an operation changes in place was counted when it was made; weights never were.
        given = {_storage_key(value) for value in args if isinstance(value, Tensor)}
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor) and _storage_key(tensor) not in given:
                self.count(tensor)
        return result


def _storage_key(tensor: Tensor) -> int:
    """The same for all views of one memory; there is no public name for it, and on `meta` every
    address is zero."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]
