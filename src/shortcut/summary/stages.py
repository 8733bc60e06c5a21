"""The paper's Table 1 for any networks side by side: stages, blocks in brackets, multiply-adds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import nn

from shortcut.language import Lang, Say, speak
from shortcut.models import Bottleneck
from shortcut.models.ghosts import ghost_of
from shortcut.models.tracing import Call, Shape, trace
from shortcut.models.windows import Window, window_of
from shortcut.summary.table import Table

STAGES = {
    "conv1": "conv1",
    "layer1": "conv2_x",
    "layer2": "conv3_x",
    "layer3": "conv4_x",
    "layer4": "conv5_x",
}
"""Our names (torchvision's) and the paper's."""

PAPER = {
    "resnet18": 1.8,
    "resnet34": 3.6,
    "resnet50": 3.8,
    "resnet101": 7.6,
    "resnet152": 11.3,
}
"""Multiply-adds in units of 10^9 for 224 px, as printed in arXiv:1512.03385, Table 1."""
PAPER_STEM = "7x7, 64, stride 2"
NEAR = 0.02
"""The paper gives two or three digits and does not round all alike: 3.86 is printed as 3.8."""


@dataclass(frozen=True)
class Blocks:
    """So many equal blocks in a row."""

    convolutions: tuple[str, ...]
    """Of one block: `3x3, 64`, with `, C=32` for so many groups."""
    repeats: int


@dataclass(frozen=True)
class Stage:
    """What works at one size."""

    name: str
    """The paper's: `conv1`, `conv2_x` ..."""
    output: Shape
    layers: tuple[str, ...]
    """What stands alone: the stem's convolution and its pooling."""
    blocks: tuple[Blocks, ...]


@dataclass(frozen=True)
class Column:
    """One network of the table."""

    network: str
    image_size: int
    stages: tuple[Stage, ...]
    depth: int
    """Weighted layers on the longest way, as the paper counts them."""
    parameters: int
    multiply_adds: int
    as_in_paper: int | None
    """Multiply-adds with the stride on the first 1x1 of a bottleneck, where the paper has it; None
    where there are no bottlenecks."""
    paper: float | None
    """What the paper prints, in units of 10^9."""


def stage_column(network: str, model: nn.Module, image_size: int) -> Column:
    """Read the stages of `model` from one picture's way through it.

    Args:
        network: the name above the column; the paper's figure is known for its five.
        image_size: side in pixels.
    """
    whole = trace(model, image_size)
    stages = tuple(_stages(whole))
    as_printed = image_size == 224 and PAPER_STEM in stages[0].layers if stages else False
    convolutions = [call for call in whole.finished() if call.kind in ("Conv2d", "Linear")]
    return Column(
        network=network,
        image_size=image_size,
        stages=stages,
        depth=sum(".downsample" not in call.name for call in convolutions),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        multiply_adds=whole.multiply_adds,
        as_in_paper=_with_paper_strides(model, image_size),
        paper=PAPER.get(network) if as_printed else None,
    )


def stage_table(columns: Sequence[Column], lang: Lang = "en") -> Table:
    """The columns side by side, stages aligned; figures and their differences explained below."""
    say = speak(lang)
    names = list(dict.fromkeys(stage.name for column in columns for stage in column.stages))
    rows = [_stage_row(name, columns, say) for name in names]
    rows.append(_row(say("head", "输出头"), say("average pool, fc", "平均池化、全连接"), columns))
    figures = (
        (say("depth", "深度"), [str(column.depth) for column in columns]),
        (say("parameters", "参数量"), [f"{column.parameters:,}" for column in columns]),
        (say("multiply-adds", "乘加次数"), [_billions(c.multiply_adds) for c in columns]),
        (
            say("with the paper's strides", "按论文的步幅位置"),
            [_billions(c.as_in_paper or c.multiply_adds) for c in columns],
        ),
        (
            say("the paper prints", "论文给出"),
            ["" if c.paper is None else f"{c.paper} x 10^9" for c in columns],
        ),
    )
    rows += [(name, *values) for name, values in figures]
    head = [say("layer", "层"), *(f"{c.network}, {c.image_size} px" for c in columns)]
    return Table(tuple(head), tuple(rows), remarks=tuple(_remarks(columns, say)))


def _stages(whole: Call) -> list[Stage]:
    """The network's direct calls in groups; pooling belongs to the stage behind it, as in the
    paper."""
    stages: list[Stage] = []
    pending: list[str] = []
    for call in whole.calls:
        name = call.name.rpartition(".")[2]
        if call.kind == "MaxPool2d":
            pending.append(f"{_kernel(call)} max pool, stride {_window(call).stride[0]}")
        elif name in STAGES and (call.calls or call.kind == "Conv2d"):
            own = [] if call.calls else [f"{_convolution(call)}, stride {_window(call).stride[0]}"]
            blocks = tuple(_blocks(call))
            stages.append(Stage(STAGES[name], call.output, (*pending, *own), blocks))
            pending = []
    return stages


def _blocks(stage: Call) -> list[Blocks]:
    described = [
        tuple(
            _convolution(call)
            for call in block.finished()
            if call.kind == "Conv2d" and ".downsample" not in call.name
        )
        for block in stage.calls
    ]
    return [Blocks(convolutions, len(list(run))) for convolutions, run in groupby(described)]


def _convolution(call: Call) -> str:
    groups = _window(call).groups
    return f"{_kernel(call)}, {call.output[0]}" + (f", C={groups}" if groups > 1 else "")


def _window(call: Call) -> Window:
    window = window_of(call.module)
    assert window is not None, call.kind
    return window


def _kernel(call: Call) -> str:
    return "{}x{}".format(*_window(call).kernel)


def _with_paper_strides(model: nn.Module, image_size: int) -> int | None:
    moved = ghost_of(model)
    bottlenecks = [module for module in moved.modules() if isinstance(module, Bottleneck)]
    for block in bottlenecks:
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return trace(moved, image_size).multiply_adds if bottlenecks else None


def _stage_row(name: str, columns: Sequence[Column], say: Say) -> tuple[str, ...]:
    cells: list[str] = []
    for column in columns:
        stage = next((stage for stage in column.stages if stage.name == name), None)
        cells.append("" if stage is None else _stage_cell(stage))
    return (name, *cells)


def _stage_cell(stage: Stage) -> str:
    """Output size, single layers, then blocks in brackets of several lines."""
    lines = [" x ".join(map(str, stage.output[1:])), *stage.layers]
    for blocks in stage.blocks:
        width = max(map(len, blocks.convolutions))
        last = len(blocks.convolutions) - 1
        for i, convolution in enumerate(blocks.convolutions):
            left, right = ("⎡", "⎤") if i == 0 else ("⎣", "⎦") if i == last else ("⎢", "⎥")
            times = f" x {blocks.repeats}" if i == last // 2 else ""
            lines.append(f"{left} {convolution:<{width}} {right}{times}")
    return "\n".join(lines)


def _row(name: str, cell: str, columns: Sequence[Column]) -> tuple[str, ...]:
    return (name, *(cell for _ in columns))


def _billions(count: int) -> str:
    return f"{count / 1e9:.2f} x 10^9" if count >= 1e8 else f"{count / 1e6:.1f} x 10^6"


def _explained(column: Column) -> bool:
    """Whether the place of the stride is what makes the count differ from the paper's."""
    if column.as_in_paper is None or column.paper is None:
        return False
    return abs(column.as_in_paper / 1e9 / column.paper - 1) < NEAR


def _remarks(columns: Sequence[Column], say: Say) -> list[str]:
    remarks = [
        say(
            "Multiply-adds are for one picture, of convolutions and the linear layer: what the "
            "paper calls FLOPs. Sizes stand above the layers.",
            "乘加次数按一张图片计，只计卷积与全连接层，即论文所称的 FLOPs。各层上方为输出尺寸。",
        )
    ]
    blocks = [block for column in columns for stage in column.stages for block in stage.blocks]
    if any(", C=" in layer for block in blocks for layer in block.convolutions):
        remarks.append(say("C counts groups.", "C 为分组数。"))
    moved = [c for c in columns if _explained(c)]
    if moved:
        named = ", ".join(c.network for c in moved)
        remarks.append(
            say(
                f"{named}: bottlenecks here have their stride of 2 on the 3x3 (v1.5), in the paper "
                "on the first 1x1, which then drops three quarters of its input and makes the 3x3 "
                "cheaper. With the paper's strides the counts are the paper's, to 2 %.",
                f"{named}：这里的瓶颈块把步幅 2 放在 3x3 卷积上（v1.5），"
                "论文则放在第一个 1x1 卷积上，于是四分之三的输入被丢弃，"
                "3x3 卷积的计算也更少。按论文的步幅计算，结果与论文相差不到 2%。",
            )
        )
    return remarks
