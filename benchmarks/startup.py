"""How long until something happens: `--help`, `models`, and the first step of `train`?

Whole processes, seconds of the wall clock, medians over rounds on a warm disk: each is run once
before the first round. `import torch` alone stands beside them, since most of it is waiting for
that.

    python benchmarks/startup.py DATA [--rounds 5]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pairs import Figures, describe_machine, median, report

TORCH = [sys.executable, "-c", "import torch"]


def until_exit(command: list[str]) -> float:
    """Seconds from start to exit."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def until_first_step(data: Path) -> float:
    """Seconds from the start of `train` to the event of its first step; it is stopped then."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "shortcut", "train", str(data), "--log-interval", "1"]
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--output", str(run)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while process.poll() is None:
                log = run / "log.txt"
                if log.exists() and "[epoch 1, batch 1]" in log.read_text("utf-8"):
                    return time.perf_counter() - started
                time.sleep(0.01)
            raise RuntimeError(f"train ended with {process.returncode} before its first step")
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    """Run every command in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    shortcut = [sys.executable, "-m", "shortcut"]
    tasks = {
        "import torch": lambda: until_exit(TORCH),
        "shortcut --help": lambda: until_exit([*shortcut, "--help"]),
        "shortcut train --help": lambda: until_exit([*shortcut, "train", "--help"]),
        "shortcut models": lambda: until_exit([*shortcut, "models"]),
        "shortcut train, to the first step": lambda: until_first_step(options.data),
    }
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SHORTCUT_CACHE"] = cache
        found: dict[str, list[Figures]] = {name: [] for name in tasks}
        for number in range(options.rounds + 1):
            for name, task in tasks.items():
                seconds = task()
                if number:  # the first round warms the disk
                    found[name].append({"seconds": seconds})
                print(f"round {number}  {name:<34} {seconds:.2f} s", file=sys.stderr, flush=True)
    rows = [[name, f"{median(rounds, 'seconds'):.2f}"] for name, rounds in found.items()]
    print(json.dumps(describe_machine(), indent=1), file=sys.stderr)
    report("startup", ["command", "seconds"], rows, found)


if __name__ == "__main__":
    main()
