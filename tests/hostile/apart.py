"""Decodes pictures in a process of its own, which says what it is at before and after each of them:
what kills it, or keeps it for too long, has a name.

    python -m tests.hostile.apart TASK.json
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hostile.making import mutations

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 5
"""For one picture."""
PROGRAMS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.startfile")
"""Audit events (PEP 578) of starting one."""


@dataclass(frozen=True)
class Decoded:
    """What became of one picture."""

    name: str
    error: str | None
    size: list[int] | None
    seconds: float
    peak: int
    """The most memory the process has ever held, in kB."""


@dataclass(frozen=True)
class Ended:
    """What became of the process."""

    decoded: tuple[Decoded, ...]
    code: int
    """Its exit code, or minus the signal's number."""
    unfinished: str | None
    """The picture at which it ended."""
    programs: tuple[str, ...]
    """What it started."""
    said: str
    """On standard error."""


def decode_apart(
    folder: Path,
    files: Sequence[Path],
    *,
    numbers: range | None = None,
    max_pixels: int | None = None,
    address_space: int | None = None,
) -> Ended:
    """Decode `files`, or so many mutations of them; `folder` takes the task's file."""
    task: dict[str, Any] = {"files": [str(file) for file in files], "max_pixels": max_pixels}
    task |= {"address_space": address_space, "numbers": numbers and [numbers.start, numbers.stop]}
    (folder / "task.json").write_text(json.dumps(task), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.apart", str(folder / "task.json")],
        capture_output=True,
        text=True,
        errors="replace",
        # Each thread of a numeric library would take address space.
        env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        cwd=ROOT,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [event["end"] for event in events if "end" in event]
    begun = [event["begin"] for event in events if "begin" in event]
    programs = [event["program"] for event in events if "program" in event]
    unfinished = begun[-1] if len(begun) > len(ends) else None
    decoded = tuple(Decoded(**end) for end in ends)
    return Ended(decoded, done.returncode, unfinished, tuple(programs), done.stderr)


def main() -> None:
    """Do the task."""
    from shortcut.data.decode import decode_picture
    from shortcut.errors import DecodeError

    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    if limit := task["address_space"]:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.addaudithook(lambda event, _: _say(program=event) if event in PROGRAMS else None)
    # The default action ends the process even while it is inside a library.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for name, picture in _pictures(task):
        _say(begin=name)
        signal.alarm(SECONDS)
        started, error, size = time.perf_counter(), None, None
        try:
            size = decode_picture(picture, max_pixels=task["max_pixels"]).size
        except DecodeError as refusal:
            error = str(refusal)
        seconds = time.perf_counter() - started
        signal.alarm(0)
        _say(end=Decoded(name, error, size, seconds, _peak()).__dict__)


def _pictures(task: dict[str, Any]) -> Iterator[tuple[str, Path | bytes]]:
    files = [Path(file) for file in task["files"]]
    if task["numbers"] is None:
        yield from ((file.name, file) for file in files)
    else:
        yield from mutations({f.name: f.read_bytes() for f in files}, range(*task["numbers"]))


def _peak() -> int:
    """Linux alone. Not getrusage: that remembers the process that started this one as well."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _say(**event: object) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    main()
