"""What stands on the screen of a real pseudo-terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import textwrap
from pathlib import Path

import pytest
from tests.console.feigned import CONTROL, HIDE, SHOW

import shortcut

SOURCE = Path(shortcut.__file__).parents[1]


TRAINING = """
    import sys, time, warnings
    from shortcut.console import Screen, error_line, print_table
    from shortcut.events import Notice, Step
    try:
        with Screen() as screen:
            screen.show(Notice("left out: [red]/a.jpg"))
            for number in range(1, 6):
                screen.show(Step(1, 2, number, 1000, 0.5, 0.001, 99.0, 0.1, 60.0))
            warnings.warn("of somebody else")
            while sys.argv[1] == "wait":
                time.sleep(0.01)  # short: a signal just before a sleep does not cut it off
    except KeyboardInterrupt:
        error_line("interrupted: runs/[x] holds the best so far")
    print_table("Table", ["name"], [["[b]cat"]])
"""


def run_on_terminal(folder: Path, argument: str) -> tuple[str, str]:
    """What a script wrote to the terminal on its stderr, and to the pipe on its stdout."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(TRAINING), encoding="utf-8")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"PYTHONIOENCODING": "utf-8"}
    del environment["COLUMNS"], environment["LINES"]
    child = subprocess.Popen(
        [sys.executable, str(script), argument],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    seen, asked = b"", False
    while select.select([master], [], [], 60)[0]:
        try:
            seen += os.read(master, 65536)
        except OSError:  # Linux's word for the end of a pseudo-terminal
            break
        if argument == "wait" and b"somebody" in seen and not asked:
            asked = True
            os.kill(child.pid, signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    os.close(master)
    assert child.returncode == 0
    return seen.decode(), out.decode()


@pytest.mark.parametrize("argument", ["go", "wait"])
def test_a_script_on_a_pseudo_terminal(argument: str, tmp_path: Path):
    seen, out = run_on_terminal(tmp_path, argument)
    assert seen.count(HIDE) == seen.count(SHOW) == 1
    assert seen.index(HIDE) < seen.index("━") < seen.index("somebody") < seen.index(SHOW)
    plain = CONTROL.sub("", seen)
    assert "left out: [red]/a.jpg\r\n" in plain
    assert re.search(r"epoch 1/2  ━+ +1/1,000  0:01:00 left", plain)
    assert out == "Table\nname\n[b]cat\n"
    message = "shortcut: interrupted: runs/[x] holds the best so far\r\n"
    assert plain.endswith(message) == (argument == "wait")
