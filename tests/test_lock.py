"""One process at a time in a run folder, and none for ever."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shortcut.errors import ResourceError
from shortcut.lock import locked

HOLD = """
import sys
from pathlib import Path
from shortcut.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        for _ in range(10):
            with (
                pytest.raises(ResourceError, match=rf"in use by process {holder.pid} on "),
                locked(tmp_path),
            ):
                pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with locked(tmp_path):  # the system has let go of it
        assert f"process {os.getpid()} on" in (tmp_path / "resume" / "lock").read_text()


def test_it_is_free_again_whatever_happened_inside(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), locked(tmp_path):
        raise RuntimeError("inside")
    with locked(tmp_path):
        pass


@pytest.mark.usefixtures("permissions_bind")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "resume").mkdir(mode=0o555)
    expected = r"lock: cannot be written \(Permission denied\)"
    with pytest.raises(ResourceError, match=expected), locked(tmp_path):
        pass
