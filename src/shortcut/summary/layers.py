"""The layer table that tutorials print: a line for each layer in the order of computing, numbered,
with its output shape and its parameters, then sums and sizes.

The look is that of the package `torchsummary`, so that a reader can hold one beside the other.
"""

from math import prod

from shortcut.summary.rows import Row, Summary, as_finished
from shortcut.summary.table import Table

LINE, DOUBLE = "-" * 64, "=" * 64
MEBIBYTE = 1024**2
FLOAT = 4
"""Bytes."""
CONTAINERS = ("Sequential", "Add")
"""Not listed: a `Sequential` does nothing itself, and an addition is no module."""
RENAMED = {"AdaptiveAvgPool2d": "AvgPool2d"}


def layer_table(summary: Summary) -> Table:
    """Numbered name (`Conv2d-1`), output shape and parameters of each layer, as cells."""
    rows = [
        (name, str([-1, *row.output]), f"{own:,}") for name, row, own in _listed_layers(summary)
    ]
    return Table(("layer", "output_shape", "parameters"), tuple(rows), frozenset({2}))


def layer_records(summary: Summary) -> list[dict[str, object]]:
    """The same lines as plain values: numbered name, shape as `64x112x112`, parameters."""
    return [
        {"layer": name, "output": "x".join(map(str, row.output)), "parameters": own}
        for name, row, own in _listed_layers(summary)
    ]


def render_layers(summary: Summary) -> str:
    """The whole table as text.

    Its sizes are for one picture in float32. `Forward/backward pass size` is twice the sum of all
    outputs listed, a block's output again beside that of its last layer: a tradition, not what a
    training needs (`Summary.activation_bytes` tells that).
    """
    layers = _listed_layers(summary)
    lines = [f"{name:>20}  {[-1, *row.output]!s:>25} {own:>15,}" for name, row, own in layers]
    picture = 3 * summary.image_size**2 * FLOAT / MEBIBYTE
    outputs = 2 * sum(prod(row.output) for _, row, _ in layers) * FLOAT / MEBIBYTE
    parameters = summary.parameters * FLOAT / MEBIBYTE
    return "\n".join(
        [
            LINE,
            f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}",
            DOUBLE,
            *lines,
            DOUBLE,
            f"Total params: {summary.parameters:,}",
            f"Trainable params: {summary.trainable:,}",
            f"Non-trainable params: {summary.parameters - summary.trainable:,}",
            LINE,
            f"Input size (MB): {picture:.2f}",
            f"Forward/backward pass size (MB): {outputs:.2f}",
            f"Params size (MB): {parameters:.2f}",
            f"Estimated Total Size (MB): {picture + outputs + parameters:.2f}",
            LINE,
        ]
    )


def _listed_layers(summary: Summary) -> list[tuple[str, Row, int]]:
    """The rows that are listed, each with its numbered name and its own parameters."""
    rows = [row for row in as_finished(summary.rows) if row.name and row.kind not in CONTAINERS]
    containers = {row.name.rpartition(".")[0] for row in summary.rows}
    listed: list[tuple[str, Row, int]] = []
    for number, row in enumerate(rows, 1):
        # A block's parameters are those of its layers, which have lines of their own.
        own = 0 if row.name in containers else row.parameters
        listed.append((f"{RENAMED.get(row.kind, row.kind)}-{number}", row, own))
    return listed
