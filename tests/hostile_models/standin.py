"""In the place of `python -m shortcut.models.unpickle`: a process that has torch imported and forks
one for each file, which does the same in a fiftieth of the time, and tells what it was asked to
start and import.

It reads a task as a line of JSON and answers with how the process ended.

    {"file": FILE, "result": FILE, "said": FILE, "seen": FILE}
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from shortcut.models import pickles

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.startfile")
"""Audit events (PEP 578) of starting one."""


@dataclass
class StandIn:
    """The parent's side: what takes the place of `pickles._run_child`."""

    process: subprocess.Popen[str]
    folder: Path
    programs: list[str] = field(default_factory=list)
    """Started by any file so far."""
    imports: list[str] = field(default_factory=list)
    """Modules that the last file made Python look for."""

    def run(
        self, file: IO[bytes], result: Path, _: float, *__: Any
    ) -> subprocess.CompletedProcess[str]:
        """As `pickles._run_child`."""
        paths = {name: str(self.folder / name) for name in ("out", "err", "seen")}
        for path in paths.values():
            Path(path).write_bytes(b"")
        assert self.process.stdin is not None and self.process.stdout is not None
        task = {"file": file.name, "result": str(result), **paths}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        code = json.loads(self.process.stdout.readline())["code"]
        said = [Path(paths[name]).read_text("utf-8", "backslashreplace") for name in ("out", "err")]
        seen = [json.loads(line) for line in Path(paths["seen"]).read_text().splitlines()]
        self.imports = [name for event, name in seen if event == "import"]
        self.programs += [name for event, name in seen if event != "import"]
        return subprocess.CompletedProcess([], code, *said)


@contextmanager
def standing_in(folder: Path) -> Iterator[StandIn]:
    """Such a process, until the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hostile_models.standin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | pickles.ENVIRONMENT,
        cwd=ROOT,
    ) as process:
        yield StandIn(process, folder)
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    """Serve tasks until standard input ends."""
    from shortcut.models import unpickle  # noqa: F401

    for line in sys.stdin:
        if not (pid := os.fork()):
            _open(json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


def _open(task: dict[str, str]) -> None:
    """The forked process: never returns."""
    from shortcut.models import unpickle

    for number, (name, flags) in enumerate(
        [("file", os.O_RDONLY), ("out", os.O_WRONLY), ("err", os.O_WRONLY)]
    ):
        os.dup2(os.open(task[name], flags), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.argv = ["unpickle", task["result"]]
    seen = os.open(task["seen"], os.O_WRONLY | os.O_APPEND)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in PROGRAMS or event == "import":
            told = str(arguments[0]) if event == "import" else f"{event}{arguments}"
            os.write(seen, json.dumps([event, told]).encode() + b"\n")

    sys.addaudithook(hook)
    code = 1
    try:
        code = unpickle.main()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
