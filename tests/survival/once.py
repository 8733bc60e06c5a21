"""For torchrun: `once.py RANK COMMAND...` runs shortcut's command; the first time, process RANK
kills itself in its sixth step. `once.py alone COMMAND...` takes its time for each step while there
is one process, so that another can come."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shortcut import cli, training


def main() -> None:
    """Run the command."""
    rank = sys.argv.pop(1)
    if rank == "alone" and os.environ["WORLD_SIZE"] == "1":
        _before_each_step(lambda _: time.sleep(3))
    if os.environ["RANK"] == rank and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        _before_each_step(_kill_in_the_sixth)
    cli.main()


def _kill_in_the_sixth(number: int) -> None:
    if number == 6:
        run = Path(sys.argv[sys.argv.index("--output") + 1])
        (run / "resume" / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _before_each_step(act: Callable[[int], None]) -> None:
    original, taken = training.train_step, 0

    def counted(*arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        act(taken)
        return original(*arguments)

    training.train_step = counted


if __name__ == "__main__":
    main()
