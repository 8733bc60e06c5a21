"""SIGKILL at any step, in any window of a save, again and again: the training ends with the same
bits as one that nothing happened to."""

import random
import shutil
import signal
from pathlib import Path

import pytest
from tests.pictures import digest_of
from tests.survival.conftest import Zygote

from shortcut.checkpoint import load_state
from shortcut.proof import differences

STEPS = 9


def kill_at(place: str, number: int) -> dict[str, object]:
    return {"at": place, "number": number, "signal": int(signal.SIGKILL)}


def finish(zygote: Zygote, run: Path) -> None:
    ended = zygote.resume(run)
    assert ended.code == 0, ended.said


def kill_once_and_compare(zygote: Zygote, whole: Path, run: Path, case: int) -> None:
    choose = random.Random(case)
    often = choose.random() < 0.5  # else only the first state is there to go on from
    ended = zygote.train(run, often=often, fault=kill_at("step", choose.randrange(STEPS)))
    assert ended.code == -signal.SIGKILL, ended.said
    if choose.random() < 0.3:
        ended = zygote.resume(run, often=often, fault=kill_at("step", choose.randrange(3)))
        assert ended.code in (-signal.SIGKILL, 0), ended.said
    finish(zygote, run)
    assert list(differences(whole, run)) == [], f"case {case}"


@pytest.mark.parametrize("case", range(20))
def test_killed_at_a_random_step(zygote: Zygote, whole: Path, tmp_path: Path, case: int) -> None:
    kill_once_and_compare(zygote, whole, tmp_path / "run", case)


@pytest.mark.nightly
@pytest.mark.parametrize("case", range(20, 220))
def test_killed_at_two_hundred_random_steps(
    zygote: Zygote, whole: Path, tmp_path: Path, case: int
) -> None:
    kill_once_and_compare(zygote, whole, tmp_path / "run", case)


def kill_again_and_again(zygote: Zygote, whole: Path, run: Path, times: int, *options: str) -> int:
    choose = random.Random(times)
    ended = zygote.train(run, *options, often=True, fault=kill_at("step", 0))
    kills = 1
    while kills < times:
        place, among = choose.choice(
            [("step", 2), ("saving", 12), ("reading", 2), ("measuring", 2)]
        )
        ended = zygote.resume(run, often=True, fault=kill_at(place, choose.randrange(among)))
        if ended.code == 0:
            break  # there was no such place any more
        assert ended.code == -signal.SIGKILL, ended.said
        kills += 1
    finish(zygote, run)
    assert list(differences(whole, run)) == []
    return kills


def test_killed_many_times(zygote: Zygote, whole: Path, tmp_path: Path) -> None:
    assert kill_again_and_again(zygote, whole, tmp_path / "run", 12) >= 10


def test_killed_in_every_window_of_a_save(zygote: Zygote, whole: Path, tmp_path: Path) -> None:
    """Before each call that changes the disk under `resume/`, and in the middle of every write."""
    run = tmp_path / "count"
    counted = zygote.train(run, often=True, fault={"at": "saving", "number": 10**6, "signal": 9})
    assert counted.code == 0, counted.said
    save = counted.places // 10
    assert save > 20
    for number in range(3 * save, 5 * save):  # of ten states two, with older ones to be removed
        run = tmp_path / f"run-{number}"
        ended = zygote.train(run, often=True, fault=kill_at("saving", number))
        assert ended.code == -signal.SIGKILL, ended.said
        found = load_state(run / "resume")
        assert found is not None and found[1] == () and found[0].step >= 1
        if number % 8 == 0:
            finish(zygote, run)
            assert list(differences(whole, run)) == []
        shutil.rmtree(run)


@pytest.mark.parametrize("limit", [0, 1, 100, 4096, 200_000])
def test_killed_in_the_middle_of_a_write(
    zygote: Zygote, whole: Path, tmp_path: Path, limit: int
) -> None:
    for number in (30, 41):
        run = tmp_path / f"run-{number}"
        fault = kill_at("saving", number) | {"limit": limit}
        ended = zygote.train(run, often=True, fault=fault)
        assert ended.code == -signal.SIGXFSZ, ended.said
        finish(zygote, run)
        assert list(differences(whole, run)) == []


@pytest.mark.parametrize("limit", [0, 100, 4096, 200_000])
@pytest.mark.parametrize("number", [2, 30, 41, 60])
def test_a_full_disk_costs_no_state(
    zygote: Zygote, whole: Path, tmp_path: Path, limit: int, number: int
) -> None:
    run = tmp_path / "run"
    ended = zygote.train(run, often=True, fault={"at": "saving", "number": number, "limit": limit})
    assert ended.code == 5, ended.said
    assert ended.said.count("\n") == 1 and "cannot" in ended.said
    if number > 2:
        found = load_state(run / "resume")
        assert found is not None and found[1] == ()
        finish(zygote, run)
        assert list(differences(whole, run)) == []


PLACES = {
    "reading": (1, 0),
    "step": (4, 5),
    "first step": (0, 1),
    "measuring": (0, 3),
    "saving": (30, 1),
}
"""The place's number, and the steps taken when the process has ended."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_costs_no_step(
    zygote: Zygote, whole: Path, tmp_path: Path, place: str, number: int
) -> None:
    run = tmp_path / "run"
    at, steps = PLACES[place]
    fault = {"at": place.split()[-1], "number": at, "signal": int(number)}
    ended = zygote.train(run, often=place == "saving", fault=fault)
    assert ended.code == 128 + number, ended.said
    assert ended.said.count("\n") == 1 and "interrupted" in ended.said
    if place == "reading":
        assert not run.exists()
        return
    found = load_state(run / "resume")
    assert found is not None
    assert found[0].step == steps
    finish(zygote, run)
    assert list(differences(whole, run)) == []


def test_the_pictures_were_not_touched(zygote: Zygote, whole: Path, tmp_path: Path) -> None:
    before = digest_of(zygote.photos)
    run = tmp_path / "run"
    zygote.train(run, fault=kill_at("step", 3))
    finish(zygote, run)
    assert digest_of(zygote.photos) == before
