"""Is a training that was killed and resumed the same as one that never stopped? Tried, not said:
with real processes and real signals, on this machine."""

import csv
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shortcut.budget import clock
from shortcut.checkpoint import State, load_state
from shortcut.data.sources import default_cache, read_source
from shortcut.errors import RecipeError, ResourceError
from shortcut.events import Event, Notice, Progress
from shortcut.models.tensorfiles import read_tensors
from shortcut.parts import choose_parts
from shortcut.settings import Recipe

TIMES = frozenset({"seconds", "images_per_second", "waiting", "seconds_left", "before", "time"})
"""What two runs may differ in."""
POLL = 0.005
"""Seconds."""
TAIL = 4096
"""Bytes at the end of a log that are read to see how far it is."""
TRIES = 3
"""A training that was over before the signal came is interrupted anew, so many times in all."""
# Windows knows no signals: there a process is ended at once, with the exit code 1.
ENDS = (
    {signal.SIGTERM: 1}
    if os.name == "nt"
    else {signal.SIGTERM: 128 + signal.SIGTERM, signal.SIGKILL: -signal.SIGKILL}
)
"""How trainings are interrupted, and how a process ends that was."""


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
        ResourceError: a training failed by itself, or did not end as it was asked to.
        RecipeError: it is over too soon to be interrupted.
    """
    command = ["train", data, *options, "--log-interval", "1", "--quiet", "--format", "json"]
    yield Progress("training in one go", 0, 0)
    began = time.monotonic()
    _finish([*command, "--output", str(folder / "whole")], folder)
    steps = _steps(folder / "whole")
    took = clock(time.monotonic() - began)
    yield Notice(f"trained in one go: {len(steps)} steps in {took}; now with {stops} interruptions")
    choose = random.Random(seed)
    for turn in range(TRIES if len(steps) > 1 else 0):
        places = sorted(choose.sample(range(1, len(steps)), min(stops, len(steps) - 1)))
        cut = folder / f"cut-{turn}"
        ended = yield from _interrupted([*command, "--output", str(cut)], cut, places, steps)
        if len(ended) == len(places):
            return Proof(len(steps), ended, tuple(differences(folder / "whole", cut)))
        yield Notice("the training was over before it could be interrupted; once more")
    raise _too_short(len(steps), stops)


def check_length(data: str, recipe: Recipe, stops: int) -> None:
    """Refuse, before anything is trained, what cannot be interrupted so often.

    Raises:
        RecipeError: it has too few steps.
        DataError: `data` cannot be read.
    """
    parts, _ = choose_parts(read_source(data, cache=default_cache()), recipe)
    steps = recipe.steps(len(parts["train"]))
    if steps <= stops:
        raise _too_short(steps, stops)


def _too_short(steps: int, stops: int) -> RecipeError:
    return RecipeError(
        f"a training of {steps} step(s) is over before it is interrupted {stops} time(s); "
        "give more `--epochs`, smaller batches (`--set train.batch_size=8`) or fewer `--stops`."
    )


def _interrupted(
    command: Sequence[str], run: Path, places: Sequence[int], steps: Mapping[str, int]
) -> Generator[Event, None, tuple[str, ...]]:
    """Train to the end, but for these interruptions; returns those that came in time."""
    ended: list[str] = []
    for turn, (place, number) in enumerate(zip(places, itertools.cycle(ENDS), strict=False)):
        yield Progress(f"training until step {place}", turn, len(places))
        with _started(command, run.parent) as process:
            stopped = _stop_after(process, run, place, number, steps)
        if not stopped:
            return tuple(ended)
        ended.append(f"{number.name} after step {_reached(run, steps)} of {len(steps)}")
        yield Notice(ended[-1])
        command = ["resume", str(run), "--quiet", "--format", "json"]
    yield Progress("training to the end", len(places), len(places))
    _finish(command, run.parent)
    return tuple(ended)


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


@contextmanager
def _started(command: Sequence[str], folder: Path) -> Generator[subprocess.Popen[bytes]]:
    """A process of this command; it does not outlive the block, whatever ends that."""
    words = [sys.executable, "-m", "shortcut", *command]
    # To a file: nobody reads a pipe meanwhile, and a full one would stop the training.
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _finish(command: Sequence[str], folder: Path) -> None:
    with _started(command, folder) as process:
        process.wait()
    _check_success(process, folder)


def _check_success(process: subprocess.Popen[bytes], folder: Path) -> None:
    if process.returncode != 0:
        raise ResourceError(f"the training failed: {_said(folder)}")


def _said(folder: Path) -> str:
    return (folder / "said.txt").read_text("utf-8", "replace").strip()


def _stop_after(
    process: subprocess.Popen[bytes],
    run: Path,
    step: int,
    number: signal.Signals,
    steps: Mapping[str, int],
) -> bool:
    """Send a signal once so many steps have been logged; False if the process was faster than this
    one looked."""
    before = _changed(run)  # what stands there now may be of steps that are taken again
    while _changed(run) == before or _reached(run, steps) < step:
        if process.poll() is not None:
            _check_success(process, run.parent)
            return False
        time.sleep(POLL)
    process.send_signal(number)
    code = process.wait()
    if code not in (ENDS[number], 0, -number):
        raise ResourceError(
            f"after step {step} the training was sent {number.name} and ended with the exit code "
            f"{code}, not {ENDS[number]}: {_said(run.parent)}"
        )
    return code == ENDS[number]  # else it was done, or so nearly that nobody was left to hear it


def _changed(run: Path) -> int:
    """When its log was written last, in a number of no meaning."""
    log = run / "log.txt"
    return log.stat().st_mtime_ns if log.exists() else 0


def _reached(run: Path, steps: Mapping[str, int]) -> int:
    """The last step at the end of the log: the whole of it is too long to be read so often."""
    with (run / "log.txt").open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL))
        lines = log.read().decode("utf-8", "replace").splitlines(keepends=True)
    names = (line.partition("]")[0] for line in reversed(lines) if line.endswith("\n"))
    return next((steps[name] for name in names if name in steps), 0)


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
    """The lines of steps and epochs, without times."""
    lines = (run / "log.txt").read_text("utf-8").splitlines()
    return [line.partition(", time ")[0] for line in lines if line.startswith(("[epoch", "epoch"))]


def _steps(run: Path) -> dict[str, int]:
    """How the lines of steps begin, and the number of each."""
    names = (line.partition("]")[0] for line in _losses(run) if line.startswith("["))
    return {name: number for number, name in enumerate(names, 1)}


def _rows(run: Path) -> list[object]:
    with (run / "results.csv").open(encoding="utf-8", newline="") as file:
        return [_timeless(row) for row in csv.DictReader(file)]


def _events(run: Path) -> list[object]:
    lines = (run / "events.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return [_timeless(event) for event in events if event["event"] in ("Step", "EpochEnd")]
