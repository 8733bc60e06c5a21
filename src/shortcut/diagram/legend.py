"""The legend: a sample and a few words for each mark that the picture has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shortcut.diagram import wording
from shortcut.diagram.blocks import Detail
from shortcut.diagram.grid import addition, arrow_tip_left, middle_line, width_of
from shortcut.diagram.network import Block, Layer, Network
from shortcut.diagram.scene import Arc, Box, Shape, Text
from shortcut.language import Say

LINE = 25.0
"""Height of a line of the legend."""
SAMPLE = 34.0
"""Width kept for a sample."""
APART = 26.0
"""Between two items."""


@dataclass(frozen=True)
class Item:
    """One sample, or none, and its words."""

    sample: str
    """`identity`, `plus`, what a block with something on its arc changes, the role of a pill, or
    empty."""
    text: str

    @property
    def width(self) -> float:
        """With the sample."""
        return width_of(self.text, "legend") + (SAMPLE if self.sample else 0.0)


def draw_legend(
    networks: Sequence[Network], detail: Detail, say: Say, place: tuple[float, float, float]
) -> tuple[list[Shape], float]:
    """The shapes, and where they end.

    Args:
        place: left, top, right; items that do not fit go on the next line.
    """
    left, y, right = place
    shapes: list[Shape] = []
    for group in _groups(networks, detail, say):
        x = left
        for item in group:
            if x > left and x + item.width > right:
                x, y = left, y + LINE
            shapes += _draw(item, x, y + LINE / 2)
            x += item.width + APART
        y += LINE
    return shapes, y


def legend_width(networks: Sequence[Network], detail: Detail, say: Say) -> float:
    """Of the widest item: no page may be narrower."""
    return max(item.width for group in _groups(networks, detail, say) for item in group)


def _groups(networks: Sequence[Network], detail: Detail, say: Say) -> list[list[Item]]:
    """Each begins a line."""
    blocks = [block for n in networks for stage in n.stages for block in stage.blocks]
    across = [layer for block in blocks for layer in block.shortcut or ()]
    layers = [layer for n in networks for layer in (*n.stem, *n.pool)]
    layers += [layer for block in blocks for layer in block.branch] + across
    groups = [
        [] if detail == "stages" else list(_shortcut_items(blocks, say)),
        list(_change_items(blocks, layers, say)),
        list(_notation_items(networks[0], detail, say)),
        list(_letter_items(layers, detail, say)),
    ]
    return [group for group in groups if group]


def _change_items(blocks: Sequence[Block], layers: Sequence[Layer], say: Say) -> Iterator[Item]:
    if any(layer.change == "size" for layer in layers):
        words = say("down-sampling: height and width shrink", "下采样：高和宽减小")
        yield Item("pill-size", words)
    if any(block.change == "channels" for block in blocks):
        words = say("change of dimension: only channels change", "维度变化：仅通道数改变")
        yield Item("pill-channels", words)


def _notation_items(network: Network, detail: Detail, say: Say) -> Iterator[Item]:
    if detail == "stages":
        words = say("[ 3×3, 64 ] × 2: a block, how many", "[ 3×3, 64 ] × 2：块内各层、块数")
    else:
        words = say("3×3 conv, 64: kernel, output channels", "3×3 卷积, 64：核尺寸、输出通道数")
    yield Item("", words)
    size = wording.size(network.stages[0].output)
    yield Item("", say(f"{size}: height × width × channels", f"{size}：高 × 宽 × 通道数"))


def _letter_items(layers: Sequence[Layer], detail: Detail, say: Say) -> Iterator[Item]:
    letters = [say("s stride", "s 步幅"), say("p padding", "p 填充")]
    if any(layer.groups != 1 for layer in layers):
        letters.append(say("g groups", "g 分组数"))
    if any(layer.dilation != (1, 1) for layer in layers):
        letters.append(say("d dilation", "d 空洞率"))
    yield Item("", say(", ", "，").join(letters))
    if detail != "layers" and any(layer.kind in ("norm", "relu") for layer in layers):
        yield Item("", say("not drawn: norms, ReLUs", "未画出：归一化、ReLU"))


def _shortcut_items(blocks: Sequence[Block], say: Say) -> Iterator[Item]:
    """The kinds of shortcuts that occur, and the addition."""
    if any(block.shortcut == () for block in blocks):
        yield Item("identity", say("identity shortcut", "恒等捷径"))
    known: set[str] = set()
    for block in blocks:
        for layer in block.shortcut or ():
            text = _shortcut_words(layer, say)
            if text and text not in known:
                known.add(text)
                yield Item(block.change, text)
    if any(block.shortcut is not None for block in blocks):
        yield Item("plus", say("addition", "逐元素相加"))


def _shortcut_words(layer: Layer, say: Say) -> str:
    if layer.kind == "padding":
        return say("zero-padding shortcut (option A)", "零填充捷径（方案 A）")
    if layer.kind != "conv" or layer.kernel is None:
        return ""
    kernel = wording.times(layer.kernel)
    if layer.kernel == (1, 1):
        return say(f"projection shortcut ({kernel} conv)", f"投影捷径（{kernel} 卷积）")
    return say(f"shortcut with a {kernel} conv", f"带 {kernel} 卷积的捷径")


def _draw(item: Item, x: float, y: float) -> Iterator[Shape]:
    if item.sample == "identity":
        yield Arc((x, y - 8), (x + 5, y + 8), x + 22, 8, "arc-none")
        yield arrow_tip_left(x + 2, y + 8, "tip-none")
    elif item.sample in ("none", "size", "channels"):
        yield Arc((x, y - 8), (x + 5, y + 8), x + 17, 8, f"arc-{item.sample}")
        yield arrow_tip_left(x + 2, y + 8, f"tip-{item.sample}")
        yield Box(x + 9, y - 4, 16, 8, f"across-{item.sample}", 2)
    elif item.sample == "plus":
        yield from addition(x + SAMPLE / 2 - 4, y)
    elif item.sample:
        yield Box(x, y - 7, 26, 14, item.sample, 7)
    start = x + (SAMPLE if item.sample else 0.0)
    yield Text(start, middle_line(y, "legend"), item.text, "legend")
