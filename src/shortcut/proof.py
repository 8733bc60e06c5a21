"""Is a training that was killed and resumed the same as one that never stopped? Tried, not said:
with real processes and real signals, on this machine."""

import csv
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shortcut.checkpoint import State, load_state
from shortcut.errors import ResourceError
from shortcut.events import Event, Notice, Progress
from shortcut.models.tensorfiles import read_tensors

TIMES = frozenset({"seconds", "images_per_second", "waiting", "seconds_left", "before", "time"})
"""What two runs may differ in."""
ENDS = (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))
POLL = 0.005
"""Seconds."""


@dataclass(frozen=True)
class Proof:
    """What came of it."""

    steps: int
    """Of the training."""
    stops: tuple[str, ...]
    """How each of the interrupted processes ended, and where."""
    differences: tuple[str, ...]
    """Between the two runs; none is what should be."""


def verifying(
    data: str, options: Sequence[str], folder: Path, *, stops: int, seed: int
) -> Generator[Event, None, Proof]:
    """Train twice with `shortcut train DATA OPTIONS`, once in one go, once ended by a signal
    `stops` times, and compare everything that is not a time.

    Args:
        options: of the command line, but for `--output`; the number format must be a fixed one.
        folder: an empty one, for both runs.
        seed: decides after which steps; SIGTERM and SIGKILL take turns.

    Raises:
        ResourceError: a training failed by itself.
    """
    command = ["train", data, *options, "--log-interval", "1", "--quiet", "--format", "json"]
    yield Progress("training in one go", 0, 0)
    _finish(_start([*command, "--output", str(folder / "whole")]))
    total = len(_losses(folder / "whole"))
    yield Notice(f"trained in one go: {total} steps")
    choose, cut, ended = random.Random(seed), folder / "cut", list[str]()
    places = sorted(choose.sample(range(1, total), min(stops, total - 1)))
    process = _start([*command, "--output", str(cut)])
    for turn, place in enumerate(places):
        number = ENDS[turn % 2]
        yield Progress(f"training until step {place}", turn, len(places))
        _stop_after(process, cut, place, number)
        ended.append(f"{number.name} after step {len(_losses(cut))} of {total}")
        yield Notice(ended[-1])
        process = _start(["resume", str(cut), "--quiet", "--format", "json"])
    yield Progress("training to the end", len(places), len(places))
    _finish(process)
    return Proof(total, tuple(ended), tuple(differences(folder / "whole", cut)))


def differences(one: Path, other: Path) -> Iterator[str]:
    """A line for each thing in which two finished runs are not the same; times do not count."""
    for name in ("best", "last"):
        files = (run / f"{name}.safetensors" for run in (one, other))
        (a, card_a), (b, card_b) = (read_tensors(file) for file in files)
        yield from _unequal(f"{name}.safetensors", a, b)
        if _figures(card_a) != _figures(card_b):
            yield f"{name}.safetensors: other figures on its card"
    states = [_newest(run) for run in (one, other)]
    for name in ("model", "optimizer", "averaged"):
        yield from _unequal(f"state: {name}", *(getattr(state, name) for state in states))
    for name in ("step", "history", "sizes", "lr_scale", "pieces"):
        if len({repr(_timeless(getattr(state, name))) for state in states}) > 1:
            yield f"state: {name} differs"
    for what, read in (("log.txt", _losses), ("results.csv", _rows), ("events.jsonl", _events)):
        if read(one) != read(other):
            yield f"{what}: other lines"
    kept = [sorted(path.name for path in (run / "kept").glob("*")) for run in (one, other)]
    if kept[0] != kept[1]:
        yield "kept/: other models"


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "shortcut", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _finish(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate()
    if process.returncode != 0:
        raise ResourceError(f"the training failed: {said.decode(errors='replace').strip()}")


def _stop_after(process: subprocess.Popen[bytes], run: Path, step: int, number: int) -> None:
    """Send a signal once so many steps have been logged."""
    while len(_losses(run)) < step:
        if process.poll() is not None:
            _finish(process)
            return  # it was faster than this process looked
        time.sleep(POLL)
    process.send_signal(number)
    process.communicate()


def _unequal(what: str, one: Any, other: Any) -> Iterator[str]:
    if one.keys() != other.keys():
        yield f"{what}: other tensors"
        return
    for name in one:
        if one[name].dtype != other[name].dtype or not torch.equal(one[name], other[name]):
            yield f"{what}: {name} differs"


def _newest(run: Path) -> State:
    found = load_state(run / "resume")
    if found is None:
        raise ResourceError(f"{run}: no state was saved.")
    return found[0]


def _figures(card: Any) -> object:
    return json.loads(card["shortcut"])["metrics"]


def _timeless(value: Any) -> Any:
    """Without what TIMES names, in records within records."""
    if hasattr(value, "__dataclass_fields__"):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {name: _timeless(part) for name, part in value.items() if name not in TIMES}
    return [_timeless(part) for part in value] if isinstance(value, list | tuple) else value


def _losses(run: Path) -> list[str]:
    """Whole lines of steps and epochs, without times."""
    log = run / "log.txt"
    text = log.read_text("utf-8") if log.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()
    return [line.partition(", time ")[0] for line in lines if line.startswith(("[epoch", "epoch"))]


def _rows(run: Path) -> list[object]:
    with (run / "results.csv").open(encoding="utf-8", newline="") as file:
        return [_timeless(row) for row in csv.DictReader(file)]


def _events(run: Path) -> list[object]:
    lines = (run / "events.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return [_timeless(event) for event in events if event["event"] in ("Step", "EpochEnd")]
