"""Opens model files in a process of its own, and says what each cost.

It reads a task as a line of JSON, [door, file] with the door `load`, or `import` for
`import_weights`, and answers with a line. One process does them all: it must outlive each.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """What became of one file."""

    error: str
    """Name of the exception; empty where there was none."""
    said: str
    seconds: float
    megabytes: float
    """By which the process grew at most."""


@dataclass
class Apart:
    """The parent's side."""

    process: subprocess.Popen[str]

    def open(self, door: str, path: Path) -> Cost:
        """Open one file, and say what it cost."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([door, str(path)]) + "\n")
        self.process.stdin.flush()
        return Cost(**json.loads(self.process.stdout.readline()))


@contextmanager
def opening_apart() -> Iterator[Apart]:
    """Such a process, until the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hostile_models.apart"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
    ) as process:
        yield Apart(process)
        assert process.stdin is not None
        process.stdin.close()
    assert process.returncode == 0


def main() -> None:
    """Serve tasks until standard input ends."""
    from shortcut.classifier import load
    from shortcut.errors import ShortcutError
    from shortcut.formats.imported import import_weights

    for line in sys.stdin:
        door, path = json.loads(line)
        with suppress(OSError):  # an old system: then the peak is that of all before
            Path("/proc/self/clear_refs").write_text("5")
        before, begun, error, said = _kilobytes("VmRSS"), time.perf_counter(), "", ""
        try:
            load(path) if door == "load" else import_weights(path, model="resnet20")
        except ShortcutError as refusal:
            error, said = type(refusal).__name__, str(refusal)
        seconds = time.perf_counter() - begun
        grown = (_kilobytes("VmHWM") - before) / 1024
        print(json.dumps(asdict(Cost(error, said, seconds, grown))), flush=True)


def _kilobytes(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


if __name__ == "__main__":
    main()
