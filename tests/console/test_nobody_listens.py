"""What is said when the terminal is closed or the pipe broken: nothing, and nothing fails."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.console.feigned import Terminal, epoch_end, step, written

import shortcut
from shortcut.console import Screen, error_line
from shortcut.events import Notice

SOURCE = Path(shortcut.__file__).parents[1]
SCRIPT = """
    import sys, warnings
    from shortcut.console import Screen, error_line, print_line
    from shortcut.events import Notice, Progress, Step
    with Screen() as screen:
        screen.show(Step(1, 2, 1, 10, 0.5, 0.001, 99.0, 0.1, 60.0))
        screen.show(Notice("ready"))
        sys.stdin.readline()  # until nobody listens any more
        for number in range(2, 9):
            screen.show(Notice("left out"))
            screen.drawn = 0.0
            screen.show(Step(1, 2, number, 10, 0.5, 0.001, 99.0, 0.1, 60.0))
            screen.show(Progress("reading", number, 100))
            print("of somebody else", file=sys.stderr)
            warnings.warn("of a third")
    error_line("the end")
    print_line("a result")
    sys.exit(3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
@pytest.mark.parametrize("kind", ["terminal", "pipe"])
def test_results_and_exit_code_are_as_ever(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    listening, speaking = os.openpty() if kind == "terminal" else os.pipe()
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=speaking,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    ) as process:
        os.close(speaking)
        seen = b""
        while b"ready" not in seen:
            seen += os.read(listening, 65536)
        os.close(listening)
        out, _ = process.communicate(b"\n", timeout=60)
    assert (process.returncode, out) == (3, b"a result\n")


class Broken(Terminal):
    """Takes some characters, then nothing more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.refused = room, 0

    def write(self, text: str, /) -> int:
        """As a terminal that is closed meanwhile."""
        if self.refused or self.tell() + len(text) > self.room:
            self.refused += 1
            raise OSError(5, "Input/output error")
        return super().write(text)


@pytest.mark.parametrize("room", [0, 10, 100, 500, 1000])
def test_after_the_first_failure_nothing_is_tried(room: int) -> None:
    events = [step(), Notice("a notice"), epoch_end(1, improved=True), step(1250)] * 5
    stream = Broken(room)
    written(events, stream)
    assert stream.refused == 1
    assert len(stream.getvalue()) <= room


def test_an_error_line_that_cannot_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Broken(0), None):
        monkeypatch.setattr(sys, "stderr", stream)
        error_line("is missing")
        with Screen() as screen:
            screen.show(Notice("a notice"))
