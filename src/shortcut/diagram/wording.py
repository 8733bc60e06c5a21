"""What a diagram says, in English and Chinese."""

from collections.abc import Sequence

from shortcut.diagram.network import Block, Layer, Network, Stage
from shortcut.language import Say
from shortcut.models.tracing import Shape
from shortcut.models.windows import Pair


def layer_name(layer: Layer, say: Say) -> str:
    """`3×3 conv, 64`: kernel, what it is, channels that leave it."""
    kernel = f"{times(layer.kernel)} " if layer.kernel else ""
    match layer.kind:
        case "conv":
            return f"{kernel}{say('conv', '卷积')}, {layer.output[0]}"
        case "maxpool":
            return f"{kernel}{say('max pool', '最大池化')}"
        case "avgpool":
            whole = say("global average pool", "全局平均池化")
            return f"{kernel}{say('average pool', '平均池化')}" if kernel else whole
        case "linear":
            return f"{say('fc', '全连接')}, {layer.output[-1]}"
        case "norm":
            batch = layer.type.endswith("BatchNorm2d") or layer.type == "SyncBatchNorm"
            return say("batch norm", "批归一化") if batch else layer.type
        case "padding":
            return f"{say('zero pad', '零填充')}, {layer.output[0]}"
        case "relu":
            return "ReLU"
        case "softmax":
            return "softmax"
        case "other":
            return layer.type


def layer_settings(layer: Layer, say: Say) -> str:
    """`s 2, p 1`: stride and padding, then groups, dilation and bias where they are not usual."""
    if layer.stride is None:
        return ""
    parts = [f"s {_short(layer.stride)}"]
    if layer.padding is not None:
        parts.append(f"p {_short(layer.padding)}")
    if layer.groups != 1:
        parts.append(f"g {layer.groups}")
    if layer.dilation != (1, 1):
        parts.append(f"d {_short(layer.dilation)}")
    if layer.bias:
        parts.append(say("bias", "偏置"))
    return ", ".join(parts)


def size(shape: Shape) -> str:
    """Height, width, channels: `56×56×64`."""
    return "×".join(map(str, (*shape[1:], shape[0])))


def run_name(names: list[str]) -> str:
    """`layer1.0`, or for equal blocks in a row `layer1.1–2`; what holds the stage is left out."""
    first, last = ".".join(names[0].split(".")[-2:]), names[-1].rpartition(".")[2]
    return first if len(names) == 1 else f"{first}–{last}"


def stage_name(place: int) -> str:
    """The paper's name of the stage at `place`, from 0: `conv2_x`."""
    return f"conv{place + 2}_x"


def blocks_line(network: Network, say: Say) -> str:
    """`3 + 4 + 6 + 3 residual blocks`."""
    counts = " + ".join(str(len(stage.blocks)) for stage in network.stages)
    residual = any(b.shortcut is not None for stage in network.stages for b in stage.blocks)
    if residual:
        return say(f"{counts} residual blocks", f"{counts} 个残差块")
    return say(f"{counts} plain blocks", f"{counts} 个普通块（无捷径）")


def figures(network: Network, say: Say) -> list[tuple[str, str]]:
    """The rows below a network: what is counted, how many."""
    return [
        (
            say("depth", "深度"),
            say(f"{network.depth} weighted layers", f"{network.depth} 个带权层"),
        ),
        (say("parameters", "参数量"), f"{network.parameters:,}"),
        (say("multiply-adds", "乘加次数"), f"{network.multiply_adds:,}"),
    ]


def stage_words(stage: Stage, say: Say) -> list[tuple[str, str]]:
    """What brackets do not tell of a stage, as lines: role and text."""
    first = stage.blocks[0]
    lines = _first_words(first, say)
    if all(block.shortcut is None for block in stage.blocks):
        return [*lines, ("words", say("no shortcuts", "无捷径"))]
    for layer in first.shortcut or ():
        if layer.kind in ("conv", "padding"):
            way = layer_name(layer, say)
            lines.append((f"words-{first.change}", say(f"its shortcut: {way}", f"其捷径：{way}")))
    plain = sum(block.shortcut == () for block in stage.blocks)
    if plain == len(stage.blocks):
        lines.append(("words-none", say("identity shortcuts", "恒等捷径")))
    elif plain:
        lines.append(("words-none", say("then identity shortcuts", "其余：恒等捷径")))
    return lines


def _first_words(first: Block, say: Say) -> list[tuple[str, str]]:
    if first.change == "channels":
        return [("words-channels", say("first block: change of dimension", "首块：维度变化"))]
    if first.change == "size":
        strides = (layer.stride for layer in first.branch if layer.change == "size")
        stride = next(strides, None)
        step = f"s {_short(stride)}" if stride else ""
        words = say("first block: down-sampling", "首块：下采样")
        return [("words-size", say(", ", "，").join(filter(None, [words, step])))]
    return []


def bracket_line(layer: Layer) -> str:
    """`3×3, 64`, as in the paper's Table 1; `3×3, 128, g 32` with groups."""
    grouped = f", g {layer.groups}" if layer.groups != 1 else ""
    if layer.kernel is None:
        return layer.type
    return f"{times(layer.kernel)}, {layer.output[0]}{grouped}"


def title(networks: Sequence[Network], say: Say) -> str:
    """One line for the file as a whole."""
    names = say(" and ", "与").join(network.name for network in networks)
    return say(f"Diagram of {names}", f"{names} 结构图")


def description(networks: Sequence[Network], say: Say) -> str:
    """The picture in sentences, for those who cannot see it."""
    said: list[str] = []
    for network in networks:
        stages = say("; ", "；").join(
            f"{stage_name(place)} ({stage.name}) {len(stage.blocks)} "
            + say("blocks", "块")
            + f" {size(stage.output)}"
            for place, stage in enumerate(network.stages)
        )
        facts = say(", ", "，").join(f"{what} {value}" for what, value in figures(network, say))
        lead = f"{network.name}: {say('input', '输入')} {size(network.input)}"
        said.append(say("; ", "；").join([lead, stages, facts]))
    return say(". ", "。").join(said) + say(".", "。")


def times(pair: Pair) -> str:
    """`3×3`."""
    return f"{pair[0]}×{pair[1]}"


def _short(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else times(pair)
