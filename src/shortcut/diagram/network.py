"""A network as a diagram shows it: stem, stages of blocks, head."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from shortcut.models.tracing import Shape
from shortcut.models.windows import Pair

Kind = Literal[
    "conv", "norm", "relu", "maxpool", "avgpool", "linear", "softmax", "padding", "other"
]
Change = Literal["none", "size", "channels"]
"""Height and width shrink: down-sampling; or they stay and the channels change."""

WEIGHTED: tuple[Kind, ...] = ("conv", "linear")
"""What the paper counts as the depth of a network."""


@dataclass(frozen=True)
class Layer:
    """One layer at work. Layers that do the same are equal, whatever their names."""

    name: str = field(compare=False)
    kind: Kind
    type: str
    """Class of the module."""
    input: Shape
    output: Shape
    kernel: Pair | None = None
    """None where the layer has none, or takes all there is."""
    stride: Pair | None = None
    padding: Pair | None = None
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = False

    @property
    def change(self) -> Change:
        """What it does to the shape."""
        return _change(self.input, self.output)


@dataclass(frozen=True)
class Block:
    """A branch of layers and what goes around it. Blocks that do the same are equal."""

    name: str = field(compare=False)
    branch: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] | None
    """None in plain nets; without layers it is the identity."""
    after: tuple[Layer, ...]
    """Behind the addition."""
    input: Shape
    output: Shape

    @property
    def change(self) -> Change:
        """What the block does to the shape."""
        return _change(self.input, self.output)


@dataclass(frozen=True)
class Stage:
    """Blocks that follow each other inside one module."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def output(self) -> Shape:
        """What leaves the last block."""
        return self.blocks[-1].output

    def runs(self) -> Iterator[tuple[Block, ...]]:
        """Equal blocks in a row, together."""
        for _, run in groupby(self.blocks):
            yield tuple(run)


@dataclass(frozen=True)
class Network:
    """All that a diagram says of one network."""

    name: str
    input: Shape
    stem: tuple[Layer, ...]
    """Up to the first pooling or block."""
    pool: tuple[Layer, ...]
    """From the first pooling to the first block: the paper counts it to the stage behind it."""
    stages: tuple[Stage, ...]
    head: tuple[Layer, ...]
    parameters: int
    multiply_adds: int
    """For one picture."""
    note: str = ""
    """Where it comes from, if that is more than its name."""

    @property
    def depth(self) -> int:
        """Layers with weights on the longest way, as the paper counts: those on shortcuts not."""
        blocks = [layer for s in self.stages for b in s.blocks for layer in (*b.branch, *b.after)]
        layers = (*self.stem, *self.pool, *blocks, *self.head)
        return sum(layer.kind in WEIGHTED for layer in layers)


def _change(before: Shape, after: Shape) -> Change:
    if len(before) != 3 or len(after) != 3:
        return "none"
    if after[1] < before[1] or after[2] < before[2]:
        return "size"
    return "none" if after[0] == before[0] else "channels"
