"""A run folder described: after a training, anew, in another language, and while it runs."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.pictures import make_pictures
from tests.recipes import write_tiny_recipe
from tests.stories import drain

from shortcut import reporting
from shortcut.description import describing
from shortcut.errors import ModelError
from shortcut.events import EpochEnd, Event, Step, run_silently
from shortcut.recipe import read_recipe
from shortcut.reporting import LivePage
from shortcut.runfolder import read_facts
from shortcut.runs import training

MADE = ("curves.png", "confusion_matrix.png", "confusion_matrix.csv", "record.md", "report.html")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that was trained on two parts."""
    folder = tmp_path_factory.mktemp("described")
    for part in ("train", "test"):
        make_pictures(folder / "photos" / part)
    recipe = read_recipe(write_tiny_recipe(folder))
    drain(training(folder / "photos", recipe, output=folder / "run"))
    return folder / "run"


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run, tmp_path / "run")


def page(folder: Path) -> str:
    return (folder / "report.html").read_text("utf-8")


def test_the_folder_alone_gives_the_same_bytes_again(copied: Path) -> None:
    before = {name: (copied / name).read_bytes() for name in MADE}
    for name in MADE:
        (copied / name).unlink()
    run_silently(describing(copied))
    assert [name for name in MADE if (copied / name).read_bytes() != before[name]] == []


def test_the_report_says_what_was_measured_and_how_to_repeat_it(run: Path) -> None:
    text = page(run)
    scores = re.search(r"Right on ([\d.]+) % of 24 test pictures that took no part", text)
    assert scores and "95 % interval" in text
    for heading in ("Curves", "Confusion matrix", "Classes", "Mistakes", "Calibration", "Record"):
        assert f"<h2>{heading}" in text
    assert "recipe.yaml" in text and "SHA-256 best.safetensors" in text and "Python 3." in text
    assert 'http-equiv="refresh"' not in text
    assert not re.search(r"<script|<link|src=\"(?!data:)", text) and len(text) < 5_000_000


def test_in_chinese_too(copied: Path) -> None:
    run_silently(describing(copied, "zh"))
    assert 'lang="zh-Hans"' in page(copied) and "未参与训练的测试图片" in page(copied)
    assert "实验记录" in (copied / "record.md").read_text("utf-8")


def test_pictures_that_are_gone_are_no_reason_to_fail(copied: Path, run: Path) -> None:
    facts = read_facts(copied).model_copy(update={"data_root": str(copied / "nowhere")})
    (copied / "environment.json").write_text(facts.model_dump_json(), "utf-8")
    answers = (copied / "answers.csv").read_text("utf-8")
    lines = answers.splitlines()
    red = [i for i, line in enumerate(lines) if '"test","red"' in line]
    lines[red[0]] = lines[red[0]].replace('"test","red","red"', '"test","red","blue"')
    (copied / "answers.csv").write_text("\n".join(lines) + "\n", "utf-8")
    run_silently(describing(copied))
    assert "red taken for blue" in page(copied) and "cannot be read" in page(copied)


def test_a_run_that_is_not_finished_shows_how_far_it_is(copied: Path) -> None:
    (copied / "answers.csv").unlink()
    run_silently(describing(copied))
    assert "Not finished: 3 of 3 epochs" in page(copied)
    # It does not load itself anew, which would take readers their place (WCAG 2.2, failure F41).
    assert "refresh" not in page(copied) and 'href=""' in page(copied)
    assert "Confusion matrix" not in page(copied)
    (copied / "events.jsonl").write_text('{"half a li', "utf-8")
    with pytest.raises(ModelError, match="no epoch of it is over"):
        run_silently(describing(copied))


def test_a_run_without_a_look_at_its_data_does_not_claim_one(copied: Path) -> None:
    run_silently(describing(copied))
    assert "found by the short look" in page(copied) or "badge" in page(copied)
    (copied / "findings.json").unlink()
    run_silently(describing(copied))
    assert "There is no record of a look" in page(copied) and "short look" not in page(copied)


def test_a_page_that_cannot_be_drawn_ends_no_training(copied: Path) -> None:
    class Job:
        history = (EpochEnd(1, 9, 1.0, 0.5, 1.0, 0.5, 0.1, 50.0, 9.0, 0.0, 16, improved=True),)

    live = LivePage(Job(), copied, read_facts(copied))  # type: ignore[arg-type]
    live.cost = 0.0
    (copied / "recipe.yaml").unlink()
    (copied / "report.html").unlink()
    live.hear(Job.history[0])
    assert not (copied / "report.html").exists()


def test_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        run_silently(describing(tmp_path / "none"))


def test_while_it_runs_the_page_costs_a_hundredth_of_the_time(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drawing that takes 3 s by a clock that only events and drawings move."""
    clock, drawn = [0.0], list[float]()
    monkeypatch.setattr(reporting.time, "monotonic", lambda: clock[0])

    def draw(*_: object) -> None:
        drawn.append(clock[0])
        clock[0] += 3

    monkeypatch.setattr(reporting, "draw_progress", draw)

    class Job:
        history = ()

    live = LivePage(Job(), copied, read_facts(copied))  # type: ignore[arg-type]
    epoch = EpochEnd(1, 9, 1.0, 0.5, 1.0, 0.5, 0.1, 50.0, 9.0, 0.0, 16, improved=True)
    step = Step(1, 9, 1, 2, 1.0, 0.1, 9.0, 0.0, 9.0)
    for number in range(20):
        clock[0] = max(clock[0], 50.0 * (number + 1))
        events: list[Event] = [step, replace(epoch, epoch=number + 1)]
        for event in events:
            live.hear(event)
    # The first after a hundred times what one may take, the next after a hundred times 3 s.
    assert drawn == [100.0, 450.0, 800.0]
