"""A terminal that is closed, a pipe that nobody reads: the training is saved, or goes on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shortcut.checkpoint import load_state

if sys.platform == "win32":
    pytest.skip("Windows has no such terminals", allow_module_level=True)

COMMAND = "from shortcut.cli import main; main()"
# Closed, its terminal then sends SIGHUP to this process.
OWNED = f"import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); {COMMAND}"


class OnTerminal:
    """A command whose input and output are a terminal; `owned`: it is told when that is closed."""

    def __init__(self, *words: object, owned: bool = True, **more: str) -> None:
        self.master, slave = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNED if owned else COMMAND, *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm", "OMP_NUM_THREADS": "1"} | more,
        )
        os.close(slave)

    def wait_for(self, word: bytes) -> None:
        """Read what it says up to here."""
        seen = b""
        while word not in seen:
            seen += os.read(self.master, 65536)

    def close(self) -> int:
        """Close the terminal, as when ssh ends; how did the process end?"""
        os.close(self.master)
        return self.process.wait(timeout=100)


def test_a_training_whose_terminal_is_closed_is_saved(
    tiny_photos: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["train", tiny_photos, "--recipe", tiny_recipe, "--epochs", 5000, "--output", run]
    training = OnTerminal(*words)
    training.wait_for(b"measuring")  # the live display is there
    assert training.close() == 128 + signal.SIGHUP
    found = load_state(run / "resume")
    assert found is not None and found[0].step > 0


@pytest.mark.nightly
def test_a_training_that_is_not_told_goes_on_to_its_end(
    tiny_photos: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["train", tiny_photos, "--recipe", tiny_recipe, "--output", run]
    training = OnTerminal(*words, owned=False)
    training.wait_for(b"measuring")
    assert training.close() == 0
    assert (run / "record.md").exists()


@pytest.mark.nightly
@pytest.mark.parametrize("closed", ["after a while", "from the start"])
def test_diagnostics_that_nobody_reads_cost_no_result(
    tiny_photos: Path, tiny_recipe: Path, tmp_path: Path, closed: str
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "shortcut", "train", str(tiny_photos), "--format", "json"]
    command += ["--recipe", str(tiny_recipe), "--output", str(run)]
    if closed == "from the start":
        ended = subprocess.run(
            ["sh", "-c", 'exec "$@" 2>&-', "sh", *command], stdout=subprocess.PIPE, timeout=100
        )
        out, code = ended.stdout, ended.returncode
    else:
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stderr.readline()
            process.stderr.close()
            out, code = process.stdout.read(), process.wait(timeout=100)
    assert code == 0
    assert json.loads(out)["run"] == str(run)


@pytest.mark.parametrize("debug", ["", "1"])
def test_an_error_that_nobody_hears_keeps_its_exit_code(tmp_path: Path, debug: str) -> None:
    failing = OnTerminal("summary", tmp_path / "no.safetensors", owned=False, SHORTCUT_DEBUG=debug)
    assert failing.close() == 4
