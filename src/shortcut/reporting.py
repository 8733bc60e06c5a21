"""The report of a run folder: all that is known of it gathered, and written as one page."""

import contextlib
import json
import shlex
import time
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from shortcut.answers import Evaluation, joined
from shortcut.checks.wording import LEVELS
from shortcut.classifier import Classifier
from shortcut.data.folders import printable
from shortcut.data.samples import Sample
from shortcut.data.thumbnails import as_jpeg, make_thumbnail
from shortcut.disk import digest_of_file, write_whole
from shortcut.errors import DecodeError, ModelError
from shortcut.events import EpochEnd, Event, Progress, Saved
from shortcut.heat import overlay_heat
from shortcut.heatmaps import grad_cam
from shortcut.job import Job
from shortcut.labels import rank_labels
from shortcut.language import Lang, Say, duration, part_name, percent, speak
from shortcut.metrics import Scores, wilson_bounds
from shortcut.record import Record, fact_rows, honesty, read_curve
from shortcut.runfolder import Facts
from shortcut.runlog import read_events

if TYPE_CHECKING:
    from shortcut.report.page import Found

PRICE = 0.01
"""Share of the time that drawing the page may take while a training runs."""
FIRST_DRAWING = 1.0
"""Seconds, before one was timed: matplotlib has to be read."""
CONFIDENCE = 0.95
"""That no class is called the weakest by chance."""
KEPT = ("best.safetensors", "recipe.yaml", "split.csv")
"""Files whose SHA-256 tells whether a run is this one."""


def writing_report(
    folder: Path,
    facts: Facts,
    lang: Lang,
    *,
    record: Record,
    best: Classifier,
    measured: Mapping[str, Evaluation],
    drawings: tuple[bytes, bytes],
) -> Generator[Event, None, None]:
    """Write `report.html` of a finished run.

    Args:
        drawings: curves and confusion matrix as SVG.
    """
    from shortcut.report.mistakes import find_confusions
    from shortcut.report.page import Report, render_report

    say, root = speak(lang), Path(facts.data_root)
    yield Progress("drawing the report", 0, 0)
    decisive = list(measured.values())[-1]
    confusions = find_confusions(decisive, root, partial(_pictured, best))
    report = Report(
        run=record.run,
        epochs=len(record.history),
        history=record.history,
        part=facts.measured_on,
        curves=drawings[0],
        matrix=drawings[1],
        measured=measured,
        confusions=confusions,
        remarks=_remarks(record, best, decisive, lang),
        findings=_findings(folder, say),
        views=_views(folder),
        facts=fact_rows(record, say),
        repeat=_repeat(folder, facts, record, say),
        recipe=(folder / "recipe.yaml").read_text("utf-8"),
        notices=record.notices,
        contradicted=sum(one.contradicted for one in rank_labels(joined([*measured.values()]))),
        mirrored=best.mirror_below > 0,
    )
    write_whole(folder / "report.html", render_report(report, lang))
    yield Progress("drawing the report", 1, 1)
    yield Saved("report", folder / "report.html")


def writing_progress(folder: Path, facts: Facts, lang: Lang) -> Generator[Event, None, None]:
    """Write `report.html` of a run that is not finished: how far it is.

    Raises:
        ModelError: no epoch of it is over.
    """
    history, _ = read_events(folder)
    if not history:
        raise ModelError(f"{folder}: no epoch of it is over yet.")
    draw_progress(folder, facts, history, lang)
    yield Saved("report", folder / "report.html")


def draw_progress(folder: Path, facts: Facts, history: Sequence[EpochEnd], lang: Lang) -> None:
    """Write `report.html` of a training that runs.

    Args:
        history: epochs that are over, at least one.
    """
    from shortcut.report.charts import curves_figure
    from shortcut.report.drawing import as_svg
    from shortcut.report.page import Report, render_report

    report = Report(
        run=folder.resolve().name,
        epochs=history[-1].epochs,
        history=history,
        part=facts.measured_on,
        curves=as_svg(curves_figure(history, folder.resolve().name, facts.measured_on)),
        matrix=b"",
        measured={},
        confusions=(),
        remarks=[read_curve(history).sentence(lang)],
        findings=_findings(folder, speak(lang)),
        views=_views(folder),
        facts=(),
        repeat=(),
        recipe=(folder / "recipe.yaml").read_text("utf-8"),
    )
    write_whole(folder / "report.html", render_report(report, lang))


class LivePage:
    """`report.html` of a training while it runs: drawn anew after epochs, as long as that takes at
    most a hundredth of the time."""

    def __init__(self, job: Job, folder: Path, facts: Facts) -> None:
        self.job, self.folder, self.facts = job, folder, facts
        self.when, self.cost = time.monotonic(), FIRST_DRAWING

    def hear(self, event: Event) -> None:
        """Draw, where an epoch is over and it is time."""
        begun = time.monotonic()
        if not isinstance(event, EpochEnd) or begun - self.when < self.cost / PRICE:
            return
        # Whatever it is: a page is no reason to end a training, and the last one is drawn anew.
        with contextlib.suppress(Exception):
            draw_progress(self.folder, self.facts, self.job.history, self.facts.lang)
        self.when = time.monotonic()
        self.cost = self.when - begun


def _views(folder: Path) -> bytes:
    """Some training views; empty where nobody drew them."""
    try:
        return (folder / "views.jpg").read_bytes()
    except OSError:
        return b""


def _findings(folder: Path, say: Say) -> "list[Found] | None":
    """Of the short check before the training; None where there is no record of one."""
    from shortcut.report.page import Found

    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        rows = json.loads((folder / "findings.json").read_text("utf-8"))
        return [
            Found(
                kind=row["kind"],
                level=row["level"],
                level_word=say(*LEVELS[row["level"]]),
                count=int(row["count"]),
                what=say(*row["what"]),
                advice=say(*row["advice"]),
            )
            for row in rows
        ]
    return None


def _pictured(best: Classifier, sample: Sample, called: int) -> tuple[bytes | None, bytes | None]:
    """A small copy, and what speaks for the answer in what the network sees of the picture."""
    try:
        pixels = best.pixels(sample.path)
    except DecodeError:
        return None, None
    heat = grad_cam(best, [pixels], [called])[0]
    return make_thumbnail(sample.path), as_jpeg(overlay_heat(pixels, heat))


def _remarks(record: Record, best: Classifier, found: Evaluation, lang: Lang) -> list[str]:
    say = speak(lang)
    measured = {record.validated_on: record.val} | ({"test": record.test} if record.test else {})
    remarks = [honesty(measured, say), read_curve(record.history).sentence(lang)]
    if weak := _weakest(found.scores, say):
        remarks.append(weak)
    if best.temperature != 1.0:
        part, degrees = part_name(record.validated_on, say), f"{best.temperature:.2f}"
        remarks.append(
            say(
                f"Scores were calibrated on {part} (temperature {degrees}).",
                f"得分已在{part}上校准（温度 {degrees}）。",
            )
        )
    if limit := found.with_limit(best.sure_from):
        share = limit["answered"] / limit["images"]
        remarks.append(
            say(
                f"Answers that score less than {best.sure_from:.2f} are called “not sure”; "
                f"{percent(share, say)} of these pictures score more.",
                f"得分低于 {best.sure_from:.2f} 的回答标为“不确定”；"
                f"这些图片中 {percent(share, say)} 高于此值。",
            )
        )
    return remarks


def _weakest(scores: Scores, say: Say) -> str:
    """Where the ends of the list of classes differ by more than chance: of all pairs that could
    have been the ends (Bonferroni), so that many classes do not make one weak."""
    known = [one for one in scores.by_class if one.images]
    weak = min(known, key=lambda one: one.recall)
    best = max(known, key=lambda one: one.recall)
    pairs = max(1, len(known) * (len(known) - 1) // 2)
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * pairs))
    images = np.array([float(weak.images), float(best.images)])
    low, high = wilson_bounds(np.array([weak.recall, best.recall]) * images, images, z)
    if high[0] >= low[1]:
        return ""
    names = printable(weak.label), printable(best.label)
    shares = percent(weak.recall, say), percent(best.recall, say)
    return say(
        f"The weakest class is {names[0]}: {shares[0]} of its pictures are found, of {names[1]} "
        f"{shares[1]}.",
        f"最弱的类别是 {names[0]}，召回率 {shares[0]}；{names[1]} 为 {shares[1]}。",
    )


def _named(program: str) -> str:
    """As it is typed, where Python was asked to run the package."""
    return "shortcut" if Path(program).name == "__main__.py" else Path(program).name


def _repeat(folder: Path, facts: Facts, record: Record, say: Say) -> list[tuple[str, str]]:
    program, *words = facts.command or ("shortcut",)
    hours = record.seconds * facts.cpus / 3600
    return [
        (say("Command", "命令"), shlex.join([_named(program), *words])),
        (say("Data", "数据"), facts.data_root),
        (say("System", "系统"), f"{facts.system}, Python {facts.python}"),
        (say("Versions", "版本"), ", ".join(f"{k} {v}" for k, v in facts.versions.items())),
        *((f"SHA-256 {name}", digest_of_file(folder / name)) for name in KEPT),
        (
            say("Cost", "开销"),
            say(
                f"{duration(record.seconds, say)} of training on {facts.cpus} cores, "
                f"{hours:.2f} core hours",
                f"{facts.cpus} 核训练 {duration(record.seconds, say)}，共 {hours:.2f} 核时",
            ),
        ),
    ]
