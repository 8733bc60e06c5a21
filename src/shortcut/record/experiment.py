"""The experiment record as Markdown: the rows of the cats-and-dogs tutorial's, filled in by the
program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shortcut.data.preprocess import Preprocess
from shortcut.events import EpochEnd
from shortcut.language import Lang, Say, duration, part_name, speak
from shortcut.markdown import plain, table
from shortcut.metrics import Scores
from shortcut.record.curve import read_curve
from shortcut.record.figures import accuracy_table, class_table, confusions, honesty
from shortcut.record.wording import hyper_parameters, image_processing, starting_weights
from shortcut.settings import Recipe

SHOWN_EPOCHS = 5
CHINESE_FILES = {
    "best.safetensors": "最佳分类器：权重、类别、预处理、配方与指标",
    "last.safetensors": "最后一轮结束时的分类器",
    "kept/": "历次改进的权重，以指标命名",
    "resume/": "完整的训练状态，供 `shortcut resume` 使用",
    "recipe.yaml": "全部设置",
    "split.csv": "每张图片所属的子集",
    "environment.json": "数据、机器、软件版本与命令",
    "log.txt": "逐行日志",
    "events.jsonl": "供程序读取的事件记录",
    "results.csv": "每轮一行的指标",
    "views.jpg": "部分训练图片：测试时的样子，以及各轮训练看到的样子",
    "curves.png": "损失、准确率与学习率曲线",
    "confusion_matrix.png": "混淆矩阵图",
    "confusion_matrix.csv": "混淆矩阵数据",
    "findings.json": "训练前快速检查的发现",
    "answers.csv": "验证集与测试集中每张图片的回答",
    "report.html": "以上全部内容的单页报告（含图片）",
}


@dataclass(frozen=True)
class PredictedFile:
    """One picture that was shown to the finished classifier."""

    file: str
    truth: str
    label: str
    """The answer."""
    score: float
    """Of the answer, 0 to 1."""


@dataclass(frozen=True)
class Record:
    """Everything the experiment record says, as plain values."""

    run: str
    """Name of the run folder."""
    started: datetime
    seconds: float
    """Training, validation included."""
    data_name: str
    data_kind: str
    """How labels were found: `folders`, `flat names`, ..."""
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    """Pictures in each of `train`, `val`, `test`, as far as there are such parts."""
    validated_on: Literal["val", "test"]
    """The part that was measured each epoch and chose the best one."""
    recipe: Recipe
    preprocess: Preprocess
    """As the classifier is asked."""
    network: str
    stem: str
    parameters: int
    machine: str
    """`2 CPU threads, bf16, channels last` and the like."""
    history: Sequence[EpochEnd]
    """At least one epoch."""
    val: Scores
    """Of the best classifier on the pictures of `validated_on`."""
    test: Scores | None
    """On the test part, if that did not do the choosing."""
    files: Mapping[str, str]
    """Name in the run folder -> what it is."""
    predictions: Sequence[PredictedFile]
    notices: Sequence[str]
    """What the program told while it ran."""


def render_record(record: Record, lang: Lang = "en") -> str:
    """The record as Markdown, to stand in the run folder beside `curves.png`.

    Raises:
        ValueError: if the history is empty.
    """
    say = speak(lang)
    title = say("Experiment record: ", "实验记录：") + plain(record.run)
    reading = read_curve(record.history).sentence(lang)
    measured = {record.validated_on: record.val}
    if record.test is not None:
        measured["test"] = record.test
    part, scores = list(measured.items())[-1]
    sections = [
        (say("Output", "训练输出"), _output(record)),
        (say("Curves", "曲线"), [f"![{say('curves', '曲线')}](curves.png)", "", reading]),
        (say("Accuracy", "准确率"), [*accuracy_table(measured, say), "", honesty(measured, say)]),
        (say("Classes", "各类别表现"), class_table(part, scores, say)),
        (say("Saved parameters", "保存的参数与文件"), _files(record, say)),
        (say("Predictions", "预测示例"), _predictions(record, say)),
        (say("Remarks", "备注"), _remarks(record, confusions(part, scores, say), say)),
    ]
    rows = [(name, plain(text)) for name, text in fact_rows(record, say)]
    lines = [
        f"# {title}",
        "",
        *table((say("Item", "项目"), say("Content", "内容")), rows),
    ]
    for heading, body in sections:
        lines += ["", f"## {heading}", "", *body]
    return "\n".join(lines) + "\n"


def fact_rows(record: Record, say: Say) -> list[tuple[str, str]]:
    """What was trained on what, how, where and when: name and text."""
    training, evaluation = image_processing(record.recipe, record.preprocess, say)
    took = duration(record.seconds, say)
    algorithm = say(
        "image classification with a residual network, ", "残差网络图像分类，"
    ) + starting_weights(record.recipe, say)
    network = say(
        f"{record.network}, {record.stem} stem, {record.parameters:,} parameters",
        f"{record.network}，{_chinese_stem(record.stem)}，{record.parameters:,} 个参数",
    )
    return [
        (say("Algorithm", "算法"), algorithm),
        (
            say("Date", "日期"),
            f"{record.started:%Y-%m-%d %H:%M}" + say(f", trained for {took}", f"，训练用时 {took}"),
        ),
        (say("Folder", "文件夹"), record.run),
        (say("Data set", "数据集"), _data(record, say)),
        (
            say("Hyper-parameters", "超参数"),
            say("recipe", "配方")
            + f" {record.recipe.name}{say(': ', '：')}"
            + hyper_parameters(record.recipe, say),
        ),
        (say("Network", "网络"), network),
        (say("Image processing, training", "图像处理（训练）"), training),
        (say("Image processing, evaluation", "图像处理（评估与预测）"), evaluation),
        (say("Machine", "机器"), record.machine),
    ]


def _chinese_stem(stem: str) -> str:
    names = {"standard": "标准输入层", "small": "小图输入层", "unpadded": "无填充输入层"}
    return names.get(stem, f"{stem} 输入层")


def _data(record: Record, say: Say) -> str:
    named = list(record.classes[:10])
    more = len(record.classes) - len(named)
    names = say(", ", "、").join(named) + (say(f" and {more} more", " 等") if more else "")
    counts = say(", ", "，").join(
        f"{part_name(part, say)} {count:,}" for part, count in _counts(record).items()
    )
    kind = {"folders": "按文件夹分类", "flat names": "按文件名标注", "csv": "CSV 列表"}
    return say(
        f"{record.data_name} ({record.data_kind}), {len(record.classes)} classes: "
        f"{names}; pictures: {counts}",
        f"{record.data_name}（{kind.get(record.data_kind, record.data_kind)}），"
        f"共 {len(record.classes)} 类：{names}；图片数：{counts}",
    )


def _counts(record: Record) -> dict[str, int]:
    if "test" in record.counts:
        return dict(record.counts)
    # The part that is measured each epoch is called `val` inside, whatever it was called outside.
    return {
        record.validated_on if part == "val" else part: count
        for part, count in record.counts.items()
    }


def _output(record: Record) -> list[str]:
    history = list(record.history)
    blocks = [_epoch_lines(epoch, record.validated_on) for epoch in history]
    if len(history) > SHOWN_EPOCHS:
        blocks = [blocks[0], ["..."], *blocks[1 - SHOWN_EPOCHS :]]
    return ["```text", *(line for block in blocks for line in block), "```"]


def _files(record: Record, say: Say) -> list[str]:
    rows = [
        (f"`{name}`", say(what, CHINESE_FILES.get(name, what)))
        for name, what in record.files.items()
    ]
    return table((say("File", "文件"), say("What it is", "说明")), rows)


def _predictions(record: Record, say: Say) -> list[str]:
    if not record.predictions:
        return [say("None were made.", "无。")]
    rows = [
        (
            plain(one.file),
            plain(f"this picture might be: {one.label} , score: {one.score:.2f}"),
            plain(one.truth),
            say("right", "正确") if one.truth == one.label else say("wrong", "错误"),
        )
        for one in record.predictions
    ]
    return table(say("File|Output|Truth|Verdict", "文件|输出|实际类别|判断").split("|"), rows)


def _epoch_lines(epoch: EpochEnd, part: str) -> list[str]:
    return [
        f"epoch {epoch.epoch} av_train_loss: {epoch.train_loss:.3f} lr: {epoch.lr:.5f}",
        f"epoch {epoch.epoch} av_{part}_acc: {epoch.val_accuracy:.3f}",
    ]


def _remarks(record: Record, found: Sequence[str], say: Say) -> list[str]:
    left_out = [*record.val.left_out, *(record.test.left_out if record.test else ())]
    lines = [
        *found,
        *(say("Left out: ", "未计入：") + plain(line) for line in left_out),
        *(plain(line) for line in record.notices if not line.endswith(tuple(left_out))),
    ]
    return [f"- {line}" for line in lines] or [say("None.", "无。")]
