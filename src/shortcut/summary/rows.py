"""What there is to say of each layer, as records."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from shortcut.models.tracing import Call, Shape, activation_bytes, trace

Pair = tuple[int, int]
"""Height and width."""


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
    """Side in pixels of the square of the picture that one output sees, along the longest way;
    None once everything is seen."""

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
        RuntimeError: if the network does not take pictures of this size.
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
    return Row(
        name=call.name,
        kind=call.kind,
        depth=depth,
        input=call.input,
        output=call.output,
        parameters=sum(parameter.numel() for parameter in inside),
        trainable=sum(parameter.numel() for parameter in inside if parameter.requires_grad),
        multiply_adds=call.multiply_adds,
        kernel=_pair(getattr(call.module, "kernel_size", None)),
        stride=_pair(getattr(call.module, "stride", None)),
        padding=_pair(getattr(call.module, "padding", None)),
        groups=getattr(call.module, "groups", None),
        receptive_field=field,
    )


def _pair(value: int | tuple[int, ...] | None) -> Pair | None:
    if value is None:
        return None
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _receptive_fields(whole: Call) -> dict[int, int]:
    """By the id of each call: a kernel of k widens the field by (k - 1) steps of the pixels that
    lie between two neighbours there."""
    fields: dict[int, int] = {}
    field, jump = 1, 1
    for call in whole.finished():
        if call.kind.startswith("Adaptive") or len(call.output) < 3 or not call.name:
            break  # from here on everything is seen
        # A shortcut sees less than the branch beside it and ends where that ends.
        kernel = None if ".downsample" in call.name else _window(call.module)
        if kernel is not None:
            size, stride = kernel
            field += (size - 1) * jump
            jump *= stride
        fields[id(call)] = field
    return fields


def _window(module: nn.Module | None) -> Pair | None:
    """Side of the window that one output of a layer covers, and its stride."""
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return None
    size, stride = _pair(module.kernel_size), _pair(module.stride)
    assert size is not None and stride is not None
    dilation = module.dilation[0] if isinstance(module, nn.Conv2d) else 1
    return (size[0] - 1) * int(dilation) + 1, stride[0]
