"""For torchrun: `once.py RANK COMMAND...` runs shortcut's command; the first time, process RANK
kills itself in its sixth step."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from shortcut import cli, training


def main() -> None:
    """Run the command."""
    rank = sys.argv.pop(1)
    if os.environ["RANK"] == rank and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        _kill_in_step(6)
    cli.main()


def _kill_in_step(number: int) -> None:
    original, taken = training.train_step, 0

    def counted(*arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == number:
            run = Path(sys.argv[sys.argv.index("--output") + 1])
            (run / "resume" / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)

    training.train_step = counted


if __name__ == "__main__":
    main()
