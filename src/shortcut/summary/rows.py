"""What there is to say of each layer, as records."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from shortcut.models.memory import activation_bytes
from shortcut.models.tracing import Call, Shape, trace
from shortcut.models.windows import Pair, window_of


@dataclass(frozen=True, slots=True)
class Row:
    """One module at work, or one addition. Shapes are without the batch: (channels, height, width)
    or (features,)."""

    name: str
    """Dotted name: `layer1.0.conv1`; `layer1.0.add` for the addition; empty for the network."""
    kind: str
    """Class of the module, or `Add`."""
    depth: int
    """0 for the network, 1 for what stands directly in it."""
    input: Shape
    output: Shape
    parameters: int
    """Its own and those of all inside it."""
    trainable: int
    """Those of them that learn."""
    multiply_adds: int
    """For one picture: of convolutions and matrix products, those inside it included."""
    kernel: Pair | None = None
    stride: Pair | None = None
    padding: Pair | None = None
    groups: int | None = None
    receptive_field: int | None = None
    """Side in pixels of the square that one output depends on, as if the picture went on around its
    edges; None behind a pooling of the whole map."""

    @property
    def frozen(self) -> bool:
        """Has parameters, of which none learns."""
        return self.parameters > 0 and self.trainable == 0


@dataclass(frozen=True, slots=True)
class Summary:
    """A network's rows, outer ones before inner ones, and its sums."""

    rows: tuple[Row, ...]
    image_size: int
    """Side in pixels of the picture that was sent through."""
    parameters: int
    trainable: int
    multiply_adds: int
    """For one picture."""
    batch: int
    train: bool
    activation_bytes: int
    """Memory for what the layers compute of `batch` pictures in float32: with `train` what forward
    leaves for backward, else the most alive at one moment."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def summarize(
    model: nn.Module, image_size: int = 224, *, batch: int = 1, train: bool = False
) -> Summary:
    """Every layer of `model` with shapes, parameters and work; nothing is computed for it.

    Args:
        model: any network that takes (N, 3, H, W); neither it nor its mode is changed.
        image_size: side in pixels.
        batch: pictures, for `activation_bytes`.
        train: whether a backward pass will follow, for `activation_bytes`.

    Raises:
        ModelError: if the network does not take pictures of this size, or cannot be trained on a
            batch of it.
    """
    whole = trace(model, image_size)
    fields = _receptive_fields(whole)
    rows = tuple(_row(call, depth, fields.get(id(call))) for depth, call in whole.walk())
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return Summary(
        rows=rows,
        image_size=image_size,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        trainable=sum(parameter.numel() for parameter in learning),
        multiply_adds=whole.multiply_adds,
        batch=batch,
        train=train,
        activation_bytes=activation_bytes(model, image_size, batch, train=train),
    )


def as_finished(rows: tuple[Row, ...]) -> Iterator[Row]:
    """The same rows in the order in which the calls end: inner ones before outer ones."""
    waiting: list[Row] = []
    for row in rows:
        while waiting and waiting[-1].depth >= row.depth:
            yield waiting.pop()
        waiting.append(row)
    yield from reversed(waiting)


def _row(call: Call, depth: int, field: int | None) -> Row:
    inside = list(call.module.parameters()) if call.module else []
    window = window_of(call.module)
    return Row(
        name=call.name,
        kind=call.kind,
        depth=depth,
        input=call.input,
        output=call.output,
        parameters=sum(parameter.numel() for parameter in inside),
        trainable=sum(parameter.numel() for parameter in inside if parameter.requires_grad),
        multiply_adds=call.multiply_adds,
        kernel=window.kernel if window else None,
        stride=window.stride if window else None,
        padding=window.padding if window else None,
        groups=window.groups if window else None,
        receptive_field=field,
    )


@dataclass(frozen=True, slots=True)
class _View:
    """What one number of a map sees."""

    field: int = 1
    """Side in pixels."""
    jump: int = 1
    """Pixels between what two neighbours see."""


def _receptive_fields(whole: Call) -> dict[int, int]:
    """By the id of each call, but for the network's own."""
    fields: dict[int, int] = {}
    _look_through(whole, _View(), fields)
    fields.pop(id(whole), None)
    return fields


def _look_through(call: Call, before: _View | None, fields: dict[int, int]) -> _View | None:
    """What is seen behind `call`, given what is seen in front of it; None for everything.

    A kernel of k widens the field by (k - 1) jumps. Ways through a block begin with the same view,
    and the addition behind them sees the larger one.
    """
    after, ended = before, list[_View | None]()
    for inner in call.calls:
        if inner.rewinds:
            ended.append(after)
            after = before
        after = _look_through(inner, after, fields)
        if inner.kind == "Add" and ended:
            after = max(after, *ended, key=_breadth)
            ended = []
            if after:
                fields[id(inner)] = after.field
    window = window_of(call.module)
    if call.kind.startswith("Adaptive") or len(call.output) < 3:
        return None
    if window and after:
        after = _View(after.field + (window.side - 1) * after.jump, after.jump * window.stride[0])
    if after:
        fields[id(call)] = after.field
    return after


def _breadth(view: _View | None) -> float:
    return math.inf if view is None else view.field
