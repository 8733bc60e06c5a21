"""`verify-resume` counts what happened: steps, and interruptions that were ones."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shortcut import proof
from shortcut.cli import app
from shortcut.errors import RecipeError, ResourceError, ShortcutError
from shortcut.events import Event, Notice, heard, run_silently
from shortcut.recipe import read_recipe

if sys.platform == "win32":
    pytest.skip("Windows has no signals", allow_module_level=True)

STAND_IN = """
import os, pathlib, signal, sys, time
words, how, steps, pause = sys.argv[3:], HOW, STEPS, PAUSE
run = pathlib.Path(words[1] if words[0] == "resume" else words[words.index("--output") + 1])
run.mkdir(exist_ok=True)
pathlib.Path(PIDS).open("a").write(f"{os.getpid()}\\n")
if how == "fails" and run.name != "whole":
    sys.exit("no disk")
if run.name != "whole":
    def hear(*_):
        sys.exit("it crashed" if how == "crashes" else 143)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "ignores" else hear)
else:
    pause = 0
log = run / "log.txt"
names = [f"[epoch {e}, batch {b}] loss: 0.5" for e in (1, 2) for b in range(1, steps + 1)]
if log.exists():  # go on ten steps before
    done = [line for line in log.read_text().splitlines() if line.startswith("[")][:-10]
    time.sleep(0.2)
    with log.open("r+") as file:
        file.truncate(sum(len(line) + 1 for line in done))
    names = names[len(done):]
with log.open("a", buffering=1) as file:
    for name in names:
        file.write(name + "\\n")
        if name.startswith(f"[epoch 1, batch {steps}]"):
            file.write("epoch 1 av_val_acc\\nleft out: [epoch 9, batch 9] of a name\\nepoch 1\\n")
        time.sleep(pause)
"""
"""Logs steps as a training does, in a tenth of a second."""


class Trainings:
    """What `verifying` starts in the place of trainings."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.pids = folder / "pids"

    def behave(self, how: str, *, steps: int = 40, pause: float = 0.01) -> None:
        """As `how` says when they are sent SIGTERM, or before."""
        facts = {"HOW": how, "STEPS": steps, "PAUSE": pause, "PIDS": str(self.pids)}
        text = "".join(f"{name} = {value!r}\n" for name, value in facts.items())
        (self.folder / "standin.py").write_text(text + STAND_IN, "utf-8")
        python = self.folder / "python"
        script = f'#!/bin/sh\nexec {sys.executable} {self.folder / "standin.py"} "$@"\n'
        python.write_text(script, "utf-8")
        python.chmod(0o700)
        self.monkeypatch.setattr(sys, "executable", str(python))

    def still_there(self) -> list[int]:
        """Processes of them that have not ended."""
        pids = map(int, self.pids.read_text().split())
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainings]:
    made = Trainings(tmp_path, monkeypatch)
    monkeypatch.setattr(proof, "differences", lambda *_: iter(()))
    yield made
    if sys.platform == "linux":
        assert made.still_there() == []


def prove(folder: Path, stops: int) -> tuple[proof.Proof, list[str]]:
    seen: list[Event] = []
    story = proof.verifying("photos", [], folder, stops=stops, seed=0)
    found = run_silently(heard(story, seen.append))
    return found, [event.text for event in seen if isinstance(event, Notice)]


def test_steps_are_counted_and_not_lines(trainings: Trainings, tmp_path: Path) -> None:
    trainings.behave("well")
    found, told = prove(tmp_path, 4)
    assert found.steps == 80
    first = r"trained in one go: 80 steps in \d+:\d\d; now with 4 interruptions"
    assert re.fullmatch(first, told[0])
    assert told[1:] == list(found.stops)
    words = [stop.split() for stop in found.stops]
    assert [word[0] for word in words] == ["SIGTERM", "SIGKILL"] * 2
    places = [int(word[3]) for word in words]
    assert places == sorted(places) and places[0] > 0 and places[-1] <= 80
    assert len(trainings.pids.read_text().split()) == 6


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        (
            "crashes",
            ResourceError,
            r"sent SIGTERM and ended with the exit code 1, not 143: it crashed$",
        ),
        ("ignores", RecipeError, r"is over before it is interrupted 1 time"),
        ("fails", ResourceError, r"the training failed: no disk$"),
    ],
)
def test_an_end_that_was_not_asked_for_is_no_interruption(
    trainings: Trainings, tmp_path: Path, how: str, kind: type[ShortcutError], said: str
) -> None:
    trainings.behave(how, steps=20)
    with pytest.raises(kind, match=said):
        prove(tmp_path, 1)


def test_a_training_that_is_too_fast_is_tried_again_and_then_given_up(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "POLL", 0.5)
    trainings.behave("well", steps=2, pause=0)
    with pytest.raises(RecipeError, match=r"^a training of 4 step\(s\) is over before"):
        prove(tmp_path, 2)
    assert len(list(tmp_path.glob("cut-*"))) == proof.TRIES


def test_what_is_too_short_to_be_interrupted_is_refused_before_it_is_trained(
    trainings: Trainings, tiny_photos: Path
) -> None:
    trainings.pids.touch()
    recipe = read_recipe("digits", {"train.epochs": 2, "train.batch_size": 8})
    proof.check_length(str(tiny_photos), recipe, 5)  # 3 steps in each of 2 epochs
    with pytest.raises(RecipeError, match=r"^a training of 6 step\(s\) is over before"):
        proof.check_length(str(tiny_photos), recipe, 6)
    words = ["verify-resume", "digits", str(tiny_photos), "--stops", "40"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, RecipeError)
    assert trainings.pids.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_interrupted_leaves_no_training_behind(
    trainings: Trainings, tmp_path: Path, number: signal.Signals
) -> None:
    trainings.behave("well", steps=10_000)
    python = sys.executable
    trainings.monkeypatch.undo()
    code = f"import sys; from shortcut.cli import main; sys.executable = {python!r}; main()"
    words = ["verify-resume", "digits", "--quiet"]
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=pipe, stderr=pipe, env=environment
    ) as process:
        while not list(tmp_path.glob("temporary/*/cut-0/log.txt")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said.startswith(b"shortcut: interrupted") and said.count(b"\n") == 1
    assert list(tmp_path.glob("temporary/*")) == []


@pytest.mark.nightly
def test_real_trainings_are_equal(tmp_path: Path, tiny_photos: Path) -> None:
    command = [sys.executable, "-m", "shortcut", "verify-resume", "digits", str(tiny_photos)]
    command += ["--epochs", "8", "--stops", "3", "--set", "train.batch_size=3", "--format", "json"]
    command += ["--set", "data.image_size=16", "--set", "data.resize=18", "--device", "cpu"]
    ended = subprocess.run(command, capture_output=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    found = json.loads(ended.stdout)
    assert found["equal"] is True and found["steps"] == 8 * 7
    assert len(found["stops"]) == 3
