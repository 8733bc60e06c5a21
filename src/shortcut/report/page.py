"""A run on one page: the verdict in words, curves, figures, mistakes, and how to repeat it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shortcut.answers import Evaluation
from shortcut.data.folders import printable
from shortcut.events import EpochEnd
from shortcut.language import Lang, Say, counted, part_name, percent, speak
from shortcut.metrics import Scores
from shortcut.pages import picture_address, render
from shortcut.report.drawing import as_svg
from shortcut.report.mistakes import Confusion
from shortcut.report.reliability import reliability_figure

FEW = 0.05
"""Half of an interval; wider ones say little."""


@dataclass(frozen=True)
class Found:
    """Something that was found in the data, in the language of the page."""

    kind: str
    level: str
    level_word: str
    count: int
    what: str
    advice: str


@dataclass(frozen=True)
class Report:
    """Everything the page says, as plain values."""

    run: str
    """Name of the run folder."""
    epochs: int
    """That were asked for."""
    history: Sequence[EpochEnd]
    """Those that are over, at least one."""
    part: Literal["val", "test"]
    """The part that chose the best epoch."""
    curves: bytes
    """Drawn, as SVG."""
    matrix: bytes
    """The same of the confusion matrix; empty while the training runs."""
    measured: Mapping[str, Evaluation]
    """By part; empty while the training runs."""
    confusions: Sequence[Confusion]
    remarks: Sequence[str]
    """What to know first, a sentence each."""
    findings: Sequence[Found] | None
    """What was found in the data; None where nobody looked."""
    facts: Sequence[tuple[str, str]]
    """The rows of the experiment record."""
    repeat: Sequence[tuple[str, str]]
    """Command, versions, hashes."""
    recipe: str
    """As YAML."""
    views: bytes = b""
    """Some training views, as a JPEG; empty where there are none."""
    notices: Sequence[str] = ()
    """What the program told while it ran."""
    contradicted: int = 0
    """How many labels are contradicted with confidence; see `labels`."""
    mirrored: bool = False
    """Whether mirror images have a say, which heat maps do not show."""

    @property
    def decisive(self) -> tuple[str, Scores] | None:
        """The part that is to be quoted, and its scores; None while the training runs."""
        if not self.measured:
            return None
        part = "test" if "test" in self.measured else self.part
        return part, self.measured[part].scores


def render_report(report: Report, lang: Lang = "en") -> str:
    """The page as HTML text: no script, nothing from the network."""
    say = speak(lang)
    colour, verdict = _verdict(report, say)
    values = {
        "title": say(f"Report: {report.run}", f"报告：{report.run}"),
        "colour": colour,
        "verdict": verdict,
        "remarks": report.remarks,
        "running": report.decisive is None,
        "curves": _address(report.curves),
        "parts": [_row(part, found.scores, say) for part, found in report.measured.items()],
        "confusions": [_confusion(one, say) for one in report.confusions],
        "views": picture_address(report.views) if report.views else None,
        "findings": report.findings,
        "facts": report.facts,
        "repeat": report.repeat,
        "recipe": report.recipe,
        "notices": report.notices,
        "mirrored": report.mirrored,
        "contradicted": report.contradicted,
        "footer": say("Made by shortcut.", "由 shortcut 生成。"),
    }
    if report.decisive:
        values |= _figures(*report.decisive, say) | {"matrix": _address(report.matrix)}
    return render("report.html", values, lang)


def _verdict(report: Report, say: Say) -> tuple[str, str]:
    """The colour, and the sentence: how good, how sure, on what."""
    if report.decisive is None:
        done = len(report.history)
        best = percent(max(epoch.val_accuracy for epoch in report.history), say)
        return "note", say(
            f"Not finished: {done} of {report.epochs} epochs are trained, and the best is right on "
            f"{best} of the {report.part} pictures so far.",
            f"尚未完成：已训练 {done} 轮（共 {report.epochs} 轮），目前最佳准确率为 {best}。",
        )
    part, scores = report.decisive
    low, high = scores.interval
    accuracy, low_, high_ = (percent(one, say) for one in (scores.accuracy, low, high))
    images, described = f"{scores.images:,}", _described(part, report, say)
    text = say(
        f"Right on {accuracy} of {images} {described} (95 % interval {low_} to {high_}).",
        f"在 {images} 张{described}上准确率为 {accuracy}（95% 置信区间 {low_} 至 {high_}）。",
    )
    if scores.guessed:
        common, always = printable(scores.most_frequent[0]), percent(scores.most_frequent[1], say)
        return "error", text + say(
            f" That is not surely above what always saying “{common}” would reach, {always}.",
            f"这不能算高于始终回答“{common}”所能达到的 {always}。",
        )
    if high - low > 2 * FEW:
        return "warning", text + say(
            " So few pictures say little: measure on more.",
            "图片过少，结论不可靠，请用更多图片评估。",
        )
    if leaks := sum(found.count for found in report.findings or () if found.kind == "leak"):
        return "warning", text + say(
            f" But {counted(leaks, 'picture')} of the data stand in two parts, so it may flatter.",
            f"但数据中有 {leaks:,} 张图片同时出现在两个子集中，此数字可能偏高。",
        )
    return "good" if part == "test" and report.part == "val" else "warning", text


def _described(part: str, report: Report, say: Say) -> str:
    if part == "test" and report.part == "val":
        return say("test pictures that took no part in the training", "未参与训练的测试图片")
    name, chinese = ("test", "测试") if part == "test" else ("validation", "验证")
    return say(
        f"{name} pictures, which also chose the best epoch",
        f"（兼用于选出最佳轮次的）{chinese}图片",
    )


def _row(part: str, scores: Scores, say: Say) -> list[str]:
    return [
        part_name(part, say),
        percent(scores.accuracy, say),
        say(" to ", " 至 ").join(percent(end, say) for end in scores.interval),
        percent(scores.balanced_accuracy, say),
        f"{scores.correct:,}",
        f"{scores.images:,}",
        f"{scores.loss:.3f}",
    ]


def _figures(part: str, scores: Scores, say: Say) -> dict[str, object]:
    rows = [
        [
            printable(one.label),
            f"{one.precision:.3f}",
            f"{one.recall:.3f}",
            "{:.3f} - {:.3f}".format(*one.interval),
            f"{one.f1:.3f}",
            f"{one.images:,}",
        ]
        for one in scores.by_class
    ]
    off, name = percent(scores.calibration_error or 0.0, say), part_name(part, say)
    chance = percent(scores.calibration_by_chance or 0.0, say)
    return {
        "part": name,
        "classes": rows,
        "reliability": _address(as_svg(reliability_figure(scores))),
        "calibration": say(
            f"A score of 90 % should be right nine times of ten. On {name} scores are off by {off} "
            f"on average (expected calibration error); by chance alone it would be {chance} of "
            "so many pictures.",
            f"90% 的得分应当十次中九次正确。在{name}上，得分平均偏差 {off}（期望校准误差）；"
            f"这么多图片仅凭偶然也会有 {chance}。",
        ),
    }


def _confusion(one: Confusion, say: Say) -> dict[str, object]:
    truth, answer = printable(one.truth), printable(one.answer)
    pictures = [
        {
            "name": printable(mistake.name),
            "score": percent(mistake.score, say),
            "addresses": [picture_address(p) for p in (mistake.picture, mistake.heat) if p],
            "heat": say(f"What speaks for {answer} in it", f"其中支持 {answer} 的区域"),
        }
        for mistake in one.mistakes
    ]
    times = say(f"{one.count:,} of {one.images:,}", f"{one.images:,} 张中有 {one.count:,} 张")
    title = say(f"{truth} taken for {answer}: {times}", f"{truth} 被误判为 {answer}：{times}")
    return {"title": title, "pictures": pictures}


def _address(drawing: bytes) -> str:
    return picture_address(drawing, "svg+xml")
