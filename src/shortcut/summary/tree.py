"""The tree of modules: what is inside what, with shapes, parameters, work and what a unit sees."""

from shortcut.language import Lang, Say, speak
from shortcut.models.windows import Pair
from shortcut.summary.rows import Row, Summary
from shortcut.summary.table import Table

IDLE = ("Identity",)


def tree_table(summary: Summary, *, depth: int | None = None, lang: Lang = "en") -> Table:
    """A row a module, indented by its place.

    Args:
        depth: fold what is deeper; 1 leaves what stands in the network itself, None folds nothing.

    An addition is a row of its own: there the shortcut meets the branch. Modules that do nothing
    are left out.
    """
    say = speak(lang)
    containers = {row.name.rpartition(".")[0] for row in summary.rows if row.name}
    rows = [
        _cells(row, say)
        for row in summary.rows
        if (depth is None or row.depth <= depth)
        and row.kind not in IDLE
        and (row.kind != "Sequential" or row.name in containers)
    ]
    head = say(
        "layer|kind|output|parameters|multiply-adds|kernel|stride|padding|sees",
        "层|类型|输出|参数量|乘加次数|卷积核|步幅|填充|感受野",
    )
    return Table(tuple(head.split("|")), tuple(rows), frozenset({3, 4, 8}), _remarks(summary, say))


def _cells(row: Row, say: Say) -> tuple[str, ...]:
    name = row.name.rpartition(".")[2] or say("network", "网络")
    if row.kind == "Add":
        name = say("+ shortcut", "+ 捷径")
    frozen = say(" frozen", "（冻结）") if row.frozen else ""
    grouped = f" /{row.groups}" if row.groups is not None and row.groups > 1 else ""
    return (
        "  " * row.depth + name,
        row.kind,
        " x ".join(map(str, row.output)),
        f"{row.parameters:,}{frozen}" if row.parameters else "",
        f"{row.multiply_adds:,}" if row.multiply_adds else "",
        _pair(row.kernel) + grouped,
        _pair(row.stride),
        _pair(row.padding),
        f"{row.receptive_field:,}" if row.receptive_field is not None else "",
    )


def _pair(pair: Pair | None) -> str:
    if pair is None:
        return ""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]} x {pair[1]}"


def _remarks(summary: Summary, say: Say) -> tuple[str, ...]:
    frozen = summary.parameters - summary.trainable
    count = say(
        f"{summary.parameters:,} parameters, {frozen:,} of them frozen",
        f"参数 {summary.parameters:,} 个，其中冻结 {frozen:,} 个",
    )
    work = say(
        f"{summary.multiply_adds:,} multiply-adds for a picture of {summary.image_size} px",
        f"一张 {summary.image_size} 像素的图片需要 {summary.multiply_adds:,} 次乘加",
    )
    size = f"{summary.activation_bytes / 2**20:,.1f} MiB"
    pictures = say(
        "1 picture" if summary.batch == 1 else f"{summary.batch:,} pictures",
        f"{summary.batch:,} 张图片",
    )
    memory = (
        say(
            f"{size} of activations kept for the backward pass of {pictures}, float32",
            f"训练时，{pictures}的前向传播要为反向传播保留 {size} 的激活值（float32）",
        )
        if summary.train
        else say(
            f"{size} of activations at most alive at once while predicting {pictures}, float32",
            f"预测 {pictures}时，同时存在的激活值最多 {size}（float32）",
        )
    )
    sees = say(
        "sees: side in pixels of the part of the picture that one output depends on",
        "感受野：一个输出所依赖的图片区域的边长（像素）",
    )
    return count, work, memory, sees
