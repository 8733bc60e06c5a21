"""The long forms: hundreds of kills, of damages, of full disks and of signals; `make nightly`."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.survival.conftest import BATCHES, ROOT, Zygote
from tests.survival.test_killed import finish, kill_again_and_again, kill_at

from shortcut.checkpoint import load_state
from shortcut.proof import differences

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]

LONGER = ("--set", "train.epochs=40")
"""120 steps: one run has to outlive a hundred kills."""
DAMAGES = 1000
STARTING_UP = 10.0
"""Seconds in which a process of its own imports, reads and begins to train."""


def test_one_run_is_killed_a_hundred_times(zygote: Zygote, tmp_path: Path) -> None:
    whole = zygote.train(tmp_path / "whole", *LONGER)
    assert whole.code == 0, whole.said
    kills = kill_again_and_again(zygote, whole.run, tmp_path / "run", 100, *LONGER)
    assert kills == 100


def test_every_window_of_a_save_in_nine_saves(zygote: Zygote, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "count"
    counted = zygote.train(run, often=True, fault={"at": "saving", "number": 10**6, "signal": 9})
    save = counted.places // 10
    for number in range(save, 10 * save):
        run = tmp_path / f"run-{number}"
        ended = zygote.train(run, often=True, fault=kill_at("saving", number))
        assert ended.code == -signal.SIGKILL, ended.said
        found = load_state(run / "resume")
        assert found is not None and found[1] == ()
        if number % 4 == 0 or number >= 8 * save:  # the last states leave nothing to be trained
            finish(zygote, run)
            assert list(differences(whole, run)) == []
        shutil.rmtree(run)
    print(f"\n{save} windows of a save, 9 kills in each")


@pytest.mark.parametrize("how", ["cut short", "a byte changed"])
def test_a_thousand_damages_are_all_found(how: str, zygote: Zygote, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ended = zygote.train(run, often=True, fault=kill_at("step", 6))
    assert ended.code == -signal.SIGKILL, ended.said
    older, newest = sorted((run / "resume").glob("*-step-*"))
    files = sorted(newest.iterdir())
    choose = random.Random(how)
    for case in range(DAMAGES):
        victim = choose.choice(files)
        content = bytearray(victim.read_bytes())
        place = choose.randrange(len(content))
        if how == "cut short":
            victim.write_bytes(content[:place])
        else:
            damaged = bytearray(content)
            damaged[place] ^= choose.randrange(1, 256)
            victim.write_bytes(damaged)
        found = load_state(run / "resume")
        assert found is not None and found[1], f"case {case}: {victim.name} at {place}"
        assert f"using {older.name}" in found[1][0]
        newest.with_name(f"{newest.name}.damaged").rename(newest)
        victim.write_bytes(content)
    found = load_state(run / "resume")
    assert found is not None and found[1] == ()  # mended, it is read again


@pytest.mark.parametrize("limit", [0, 1, 100, 4096, 200_000])
@pytest.mark.parametrize("number", range(28, 68, 4))
def test_a_disk_that_is_full_at_any_write(
    zygote: Zygote, whole: Path, tmp_path: Path, number: int, limit: int
) -> None:
    run = tmp_path / "run"
    ended = zygote.train(run, often=True, fault={"at": "saving", "number": number, "limit": limit})
    assert ended.code == 5 and ended.said.count("\n") == 1, ended.said
    found = load_state(run / "resume")
    assert found is not None and found[1] == ()
    finish(zygote, run)
    assert list(differences(whole, run)) == []


PLACES = {
    "reading": [0, 1] * 5,
    "first step": [0] * 10,
    "step": [*range(1, 9), 3, 4],
    "measuring": [*range(3)] * 4,
    "saving": range(30, 70, 4),
}
"""Where each kind of place is met, by its number."""


@pytest.mark.parametrize("place", PLACES)
def test_ten_signals_in_each_place(place: str, zygote: Zygote, whole: Path, tmp_path: Path) -> None:
    longest = 0.0
    for case, number in enumerate(PLACES[place]):
        run = tmp_path / f"run-{case}"
        fault = {"at": place.split()[-1], "number": number, "signal": int(signal.SIGTERM)}
        started = time.monotonic()
        ended = zygote.train(run, often=place == "saving", fault=fault)
        longest = max(longest, time.monotonic() - started)
        assert ended.code == 143 and "interrupted" in ended.said, ended.said
        if run.exists():
            found = load_state(run / "resume")
            assert found is not None
            if "step" in place:
                assert found[0].step == number + 1  # the step under way is not lost
            finish(zygote, run)
            assert list(differences(whole, run)) == []
    print(f"\n{place}: at most {longest:.1f} s from the start of the process to its end")


def test_ten_signals_in_start_up(zygote: Zygote, tmp_path: Path) -> None:
    """Processes of their own, which import torch; killed at any moment of it."""
    waits: list[float] = []
    for case in range(10):
        run = tmp_path / f"run-{case}"
        command = [sys.executable, "-m", "shortcut", "train", str(zygote.photos), "--quiet"]
        command += ["--recipe", str(zygote.folder / "tiny.yaml"), "--output", str(run)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            time.sleep(STARTING_UP * (case + 1) / 11)
            process.terminate()
            asked = time.monotonic()
            _, said = process.communicate()
            waits.append(time.monotonic() - asked)
        assert process.returncode in (143, -signal.SIGTERM, 0), said
        assert "Traceback" not in said
        if (run / "resume").exists():
            found = load_state(run / "resume")
            assert found is not None and found[1] == ()
    print(f"\nstart-up: at most {max(waits):.1f} s from the signal to the end")


KILLS = [(rank, "step", number) for rank in (0, 1) for number in range(9)]
# What is measured here is one batch, which the first process has.
KILLS += [(0, "measuring", 1), (1, "reading", 0)]


@pytest.mark.parametrize(("rank", "place", "number"), KILLS)
def test_ten_kills_of_each_rank(
    zygote: Zygote, pair: Path, tmp_path: Path, rank: int, place: str, number: int
) -> None:
    run = tmp_path / "run"
    fault = {"at": place, "number": number, "signal": int(signal.SIGKILL)}
    ended = zygote.train(run, *BATCHES, world=2, often=True, fault=fault, at_rank=rank)
    assert ended.codes[rank] == -signal.SIGKILL
    assert ended.codes[1 - rank] == 5, ended.said
    ended = zygote.train(run, *BATCHES, world=2, restarts=1)
    assert ended.codes == (0, 0), ended.said
    assert list(differences(pair, run)) == []
