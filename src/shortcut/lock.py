"""One process at a time works in a run folder."""

import contextlib
import os
import socket
from collections.abc import Generator
from pathlib import Path

from filelock import FileLock, Timeout

from shortcut.disk import reason_of
from shortcut.errors import ResourceError


@contextlib.contextmanager
def locked(run: Path) -> Generator[None]:
    """Hold the run folder `run` while inside. The system frees it when the process dies, however
    that dies.

    Raises:
        ResourceError: another process has it, which is named; or nothing can be written there.
    """
    path = run / "resume" / "lock"
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ResourceError(f"{run}: in use by {_owner(path)}; wait for it, or end it.") from error
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written ({reason_of(error)}).") from error
    with contextlib.suppress(OSError):  # Windows lets nobody write to a locked file
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}", "utf-8")
    try:
        yield
    finally:
        lock.release()


def _owner(path: Path) -> str:
    with contextlib.suppress(OSError):
        if text := path.read_text("utf-8", errors="replace").strip():
            return text
    return "another process"
