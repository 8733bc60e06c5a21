"""What an export changed, as one page: the verdict first, then figures, then the pictures on which
it answers otherwise."""

from pathlib import Path
from typing import TYPE_CHECKING

from shortcut.data.folders import printable
from shortcut.data.splits import portable_path
from shortcut.data.thumbnails import make_thumbnail
from shortcut.exporting.parity import Parity
from shortcut.language import Lang, Say, counted, percent, speak
from shortcut.pages import Table, picture_address, render

if TYPE_CHECKING:
    from shortcut.exporting.story import Export


def render_parity(export: "Export", place: Path, lang: Lang = "en", *, kept: bool = True) -> str:
    """The page as HTML text."""
    say, parity = speak(lang), export.parity
    name = printable(export.folder.name)
    images = f"{len(parity.samples):,}"
    values = {
        "title": say(f"{name} against its original", f"{name} 对比原模型"),
        "place": say(
            f"{images} pictures of the {export.part} part of {printable(place)}",
            f"{printable(place)} 的 {export.part} 部分，{images} 张图片",
        ),
        "verdicts": [("good" if kept else "warning", verdict(parity, say, kept=kept))],
        "tables": parity_tables(parity, say),
        "remarks": _remarks(export, say),
        "flips": [_most_different(parity, place, say)],
        "footer": say("Made by shortcut export.", "由 shortcut export 生成。"),
    }
    return render("compare.html", values, lang)


def verdict(parity: Parity, say: Say, *, kept: bool) -> str:
    """Whether it may be relied on, in one sentence."""
    total, same = len(parity.samples), parity.agreeing
    if same == total:
        return say(
            f"All {total:,} best answers are the same.", f"全部 {total:,} 个最佳答案都相同。"
        )
    share = percent(parity.agreement, say)
    sentence = say(
        f"{same:,} of {total:,} best answers are the same ({share}).",
        f"{total:,} 个最佳答案中有 {same:,} 个相同（{share}）。",
    )
    return sentence if kept else say(f"Not exported: {sentence}", f"未导出：{sentence}")


def parity_tables(parity: Parity, say: Say) -> list[Table]:
    """What it answers, and what it costs."""
    sides = [say("original", "原模型"), say("export", "导出模型")]
    answers = [
        [say("accuracy", "准确率"), *(percent(one.accuracy, say) for one in parity.scores)],
        [
            "95 %",
            *(
                say(" to ", " 至 ").join(percent(end, say) for end in one.interval)
                for one in parity.scores
            ),
        ],
        [say("right", "答对"), *(f"{one.correct:,}" for one in parity.scores)],
        [say("largest difference of a probability", "概率最大差异"), "", _small(parity)],
        [say("equal best answers", "相同的最佳答案"), "", f"{parity.agreeing:,}"],
        [
            say("the same of the graph alone", "其中只用计算图时"),
            "",
            f"{parity.alone_agreeing:,}",
        ],
    ]
    if parity.sure_from:
        same = f"{parity.sure_agreeing:,}"
        answers.append([say("both sure or both not", "同为确定或同为不确定"), "", same])
    if parity.unlike_agreeing is not None and parity.unlike is not None:
        counts = [f"{int(flags.sum()):,}" for flags in parity.unlike]
        answers.append([say("unlike anything seen in training", "与训练图片都不像"), *counts])
        same = f"{parity.unlike_agreeing:,}"
        answers.append([say("both unlike or both not", "同为不像或同为像"), "", same])
    costs = [
        [
            say(f"{counted(one.batch, 'picture')}, ms", f"{one.batch} 张图片，毫秒"),
            f"{one.before:,.1f}",
            f"{one.after:,.1f}",
        ]
        for one in parity.latencies
    ]
    costs.append([say("size, MB", "大小，MB"), *(f"{size / 1e6:,.1f}" for size in parity.sizes)])
    return [
        Table(say("Answers", "答案"), [say("of the pictures", "图片"), *sides], answers),
        Table(say("Time and size", "时间与大小"), [say("for", "用于"), *sides], costs),
    ]


def _small(parity: Parity) -> str:
    return f"{float(parity.differences.max()):.2g}"


def _remarks(export: "Export", say: Say) -> list[str]:
    times = say(
        "Times are from pixels to answers, without mirror images, both in turn on this machine; "
        "medians.",
        "时间从像素到答案，不含镜像，两者在本机交替测量，取中位数。",
    )
    if export.raw:
        times = say(
            "The export was given whole pictures and resized them itself. Times are from the last "
            "of these, decoded, to answers, without mirror images, both in turn on this machine; "
            "medians.",
            "导出模型得到的是整张图片，并自行缩放。时间从解码后的最后一张图片到答案，不含镜像，"
            "两者在本机交替测量，取中位数。",
        )
    return [
        times,
        say(
            "What the model file says of temperature, mirror image, not sure and unlike is in "
            "the exported file, and counts in these answers; other programs have to apply it "
            "themselves, or get the answers of the graph alone.",
            "温度、镜像、“不确定”与“不像”的设定都写在导出文件中，并计入以上答案；"
            "其他程序须自行应用，否则得到的是只用计算图的答案。",
        ),
        say(
            f"{export.precision} is the number format; the original ran in float32 in torch.",
            f"数字格式为 {export.precision}；原模型在 torch 中以 float32 运行。",
        ),
    ]


def _most_different(parity: Parity, place: Path, say: Say) -> dict[str, object]:
    shown = parity.most_different
    return {
        "title": say("The most different answers", "差异最大的答案"),
        "count": len(shown),
        "against": say("of all pictures, the most different first", "按差异从大到小"),
        "files": [_picture(parity, at, place, say) for at in shown],
        "hidden": 0,
    }


def _picture(parity: Parity, at: int, place: Path, say: Say) -> dict[str, object]:
    small = make_thumbnail(parity.samples[at].path)
    name = Path(portable_path(parity.samples[at].path, place))
    sides = (say("original", "原模型"), parity.before), (say("export", "导出模型"), parity.after)
    return {
        "name": printable(name if not name.is_absolute() else Path(*name.parts[-2:])),
        "address": picture_address(small) if small else "",
        "answers": [
            f"{side}: {printable(parity.classes[int(row[at].argmax())])} {float(row[at].max()):.4f}"
            for side, row in sides
        ],
        # By the label of the picture: two that differ may both be right.
        "colours": [
            "good" if row[at].argmax() == parity.truths[at] else "error" for _, row in sides
        ],
    }
