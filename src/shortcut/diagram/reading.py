"""From what the layers of a network do to stem, stages and head.

Nothing is known here of names or classes of networks. A block is a module with layers in it, a
stage a module with blocks in it, and a block is residual where two tensors are added.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from shortcut.diagram.network import WEIGHTED, Block, Kind, Layer, Network, Stage
from shortcut.errors import ModelError
from shortcut.models.relatives import PadShortcut
from shortcut.models.tracing import Call, Watcher, trace
from shortcut.models.windows import as_pair, window_of

KINDS: tuple[tuple[Kind, tuple[type[nn.Module], ...]], ...] = (
    ("conv", (nn.Conv2d,)),
    ("norm", (nn.BatchNorm2d, nn.GroupNorm, nn.SyncBatchNorm, nn.InstanceNorm2d)),
    ("relu", (nn.ReLU,)),
    ("maxpool", (nn.MaxPool2d,)),
    ("avgpool", (nn.AvgPool2d, nn.AdaptiveAvgPool2d)),
    ("linear", (nn.Linear,)),
    ("softmax", (nn.Softmax,)),
    ("padding", (PadShortcut,)),
)


def read_network(name: str, model: nn.Module, image_size: int, note: str = "") -> Network:
    """Send a picture of `image_size` pixels through `model` and sort what happens.

    Raises:
        ModelError: if the network does not take such a picture, or has no stages of blocks.
    """
    watch = _LastOperation()
    try:
        with watch:
            whole = trace(model, image_size)
    except ModelError as error:
        raise ModelError(f"`{printable(name)}`: {printable(str(error))}") from error
    calls = whole.calls
    while len(calls) == 1 and calls[0].calls:  # a wrapper
        calls = calls[0].calls
    places = [i for i, call in enumerate(calls) if _is_stage(call)]
    if not places or any(
        not _is_stage(call) or _hides_sums(call)
        for call in calls[places[0] : places[-1] + 1]
        if call.calls
    ):
        raise ModelError(
            f"`{printable(name)}` cannot be drawn: it is not a row of stages with blocks of layers "
            "in them, each with at most one addition. Put the blocks of a stage into one "
            "`nn.Sequential`."
        )
    first, last = places[0], places[-1]
    stem = list(_layers(calls[:first]))
    pools = [i for i, layer in enumerate(stem) if layer.kind in ("maxpool", "avgpool")]
    cut = pools[0] if pools else len(stem)
    head = list(_layers(calls[last + 1 :]))
    if watch.last is torch.ops.aten._softmax and not (head and head[-1].kind == "softmax"):
        head.append(Layer("", "softmax", "softmax", whole.output, whole.output))
    return Network(
        name=printable(name),
        input=whole.input,
        stem=tuple(stem[:cut]),
        pool=tuple(stem[cut:]),
        stages=tuple(_stage(calls[i]) for i in places),
        head=tuple(head),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        multiply_adds=whole.multiply_adds,
        note=printable(note),
    )


def printable(text: str) -> str:
    """On one line, without what no text may hold in XML."""
    return "".join(x if x.isprintable() else "□" for x in " ".join(text.split()))


class _LastOperation(Watcher):
    """Remembers what was computed last: a softmax at the end may be a function, not a module."""

    def __init__(self) -> None:
        super().__init__()
        self.last: object = None

    def see(self, operation: object, given: tuple[Any, ...], result: Any) -> None:
        """Remember it."""
        self.last = operation


def _is_stage(call: Call) -> bool:
    return bool(call.calls) and all(_is_block(inner) for inner in call.calls)


def _hides_sums(stage: Call) -> bool:
    """Whether a block adds more than once, or deeper inside than the picture would show."""
    for block in stage.calls:
        sums = sum(call.kind == "Add" for call in block.calls)
        if sums > 1 or sums != sum(call.kind == "Add" for _, call in block.walk()):
            return True
    return False


def _is_block(call: Call) -> bool:
    return any(inner.kind != "Add" for inner in call.calls)


def _stage(call: Call) -> Stage:
    return Stage(call.name, tuple(_block(inner) for inner in call.calls))


def _block(call: Call) -> Block:
    sums = [i for i, inner in enumerate(call.calls) if inner.kind == "Add"]
    if not sums:
        return Block(call.name, tuple(_layers(call.calls)), None, (), call.input, call.output)
    ways = _ways(call.calls[: sums[0]])
    branch = max(ways, key=lambda way: sum(layer.kind in WEIGHTED for layer in way))
    others = [way for way in ways if way is not branch]
    return Block(
        name=call.name,
        branch=branch,
        shortcut=tuple(layer for way in others for layer in way),
        after=tuple(_layers(call.calls[sums[0] + 1 :])),
        input=call.input,
        output=call.output,
    )


def _ways(calls: Sequence[Call]) -> list[tuple[Layer, ...]]:
    """The ways from the block's input to the addition.

    A layer that takes what the block was given, or does not take what the one before it gave,
    begins a way of its own.
    """
    starts = [0]
    for i, (before, call) in enumerate(pairwise(calls), 1):
        if call.rewinds or before.output != call.input:
            starts.append(i)
    ends = [*starts[1:], len(calls)]
    return [tuple(_layers(calls[a:b])) for a, b in zip(starts, ends, strict=True)]


def _layers(calls: Sequence[Call]) -> Iterator[Layer]:
    """The innermost calls; what does nothing is left out."""
    for call in calls:
        if call.calls:
            yield from _layers(call.calls)
        elif call.module is not None and not _is_idle(call.module):
            yield _layer(call, call.module)


def _is_idle(module: nn.Module) -> bool:
    empty = isinstance(module, nn.Sequential) and len(module) == 0
    return empty or isinstance(module, nn.Identity | nn.Flatten | nn.Dropout)


def _layer(call: Call, module: nn.Module) -> Layer:
    window = window_of(module)
    stride = window.stride if window else None
    if isinstance(module, PadShortcut):
        stride = as_pair(module.stride)
    return Layer(
        name=call.name,
        kind=_kind(module),
        type=call.kind,
        input=call.input,
        output=call.output,
        kernel=window.kernel if window else None,
        stride=stride,
        padding=window.padding if window else None,
        dilation=window.dilation if window else (1, 1),
        groups=window.groups if window else 1,
        bias=isinstance(module, nn.Conv2d) and module.bias is not None,
    )


def _kind(module: nn.Module) -> Kind:
    for kind, types in KINDS:
        if isinstance(module, types):
            return kind
    return "other"
