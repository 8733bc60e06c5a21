"""Pickles, at arm's length: a process of its own opens them, and hands back safetensors."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from torch import Tensor

from shortcut.disk import reason_of
from shortcut.errors import ModelError, ResourceError, printable
from shortcut.models.tensorfiles import read_tensors
from shortcut.models.unpickle import FOUND, NO_ROOM, REFUSED, UNDER, allowance_for

SECONDS = 120.0
"""For a file of no size. Most of it is for importing torch on a slow machine."""
BYTES_PER_SECOND = 10e6
"""The slowest disk we wait for."""
LONGEST_REASON = 300
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # each thread more would reserve memory that counts against the limit
    "PYTHONIOENCODING": "utf-8:backslashreplace",
    # A file may ask for tensors and bring no numbers for them. Where glibc allocates these are
    # then noughts, and not what the process had in that memory, such as its environment.
    "MALLOC_PERTURB_": "255",
}


def open_pickle(file: IO[bytes], name: str) -> tuple[dict[str, Tensor], str]:
    """Tensors of a pickled state dict, and the entry of a checkpoint they were in, or "".

    It is read by torch's restricted unpickler, in `python -m shortcut.models.unpickle`, which has
    a limit of memory (on Linux alone) and of time; its crash is an error here and no more.

    Args:
        file: an open file of the system, read from its beginning.
        name: what messages call it.

    Raises:
        ModelError: it holds more than dense tensors, is damaged, or takes too much memory or time.
        ResourceError: the process cannot be started, or there is no room for its result.
    """
    size = os.fstat(file.fileno()).st_size
    seconds = SECONDS + size / BYTES_PER_SECOND
    try:
        file.flush()
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # seek() may move within Python's own buffer only
        with tempfile.TemporaryDirectory(prefix="shortcut-") as folder:
            result = Path(folder) / "tensors.safetensors"
            ended = _run_child(file, result, seconds)
            if ended.returncode == FOUND:
                return _read_result(result, name)
    except subprocess.TimeoutExpired as error:
        raise ModelError(_refusal(name, f"reading it took over {seconds:.0f} s")) from error
    except OSError as error:
        raise ResourceError(
            f"cannot read `{name}` in a process of its own: {reason_of(error)}. "
            "Free memory and space for temporary files."
        ) from error
    if ended.returncode == REFUSED:
        raise ModelError(f"{_refusal(name, ended.stdout.strip())} Nothing in it was run.")
    if ended.returncode == NO_ROOM:
        raise ResourceError(
            f"cannot write what `{name}` holds: {_last_line(ended.stdout)}. "
            f"Free space for temporary files, in {tempfile.gettempdir()}."
        )
    if ended.returncode < 0:  # the system's signal: an allocation beyond the limit ends so too
        most = f"{allowance_for(size) >> 20:,} MiB of memory"
        reason = f"signal {-ended.returncode} ended the reading of it, which may take {most}"
        raise ModelError(f"{_refusal(name, reason)} It takes more, or it is damaged.")
    raise ResourceError(
        f"cannot read `{name}` in a process of its own: {_last_line(ended.stderr)}. "
        "See that `python -m shortcut.models.unpickle` starts."
    )


def _run_child(file: IO[bytes], result: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    # -P: a torch.py in the current folder, such as one beside the download, is not torch.
    command = [sys.executable, "-P", "-m", "shortcut.models.unpickle", str(result)]
    return subprocess.run(
        command,
        stdin=file,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=seconds,
        env=os.environ | ENVIRONMENT,
        check=False,
    )


def _read_result(result: Path, name: str) -> tuple[dict[str, Tensor], str]:
    try:
        tensors, facts = read_tensors(result)
    except ModelError as error:  # a tensor called `__metadata__` breaks the format
        raise ModelError(_refusal(name, "it gave no readable tensors")) from error
    return tensors, facts.get(UNDER, "")


def _refusal(name: str, reason: str) -> str:
    # Names in the file stand in the reason, and they may hold anything.
    return f"`{name}` is refused: {printable(' '.join(reason.split()), LONGEST_REASON)}."


def _last_line(text: str) -> str:
    last = (text.strip().splitlines() or ["no reason given"])[-1]
    return printable(last.rstrip("."), LONGEST_REASON)
