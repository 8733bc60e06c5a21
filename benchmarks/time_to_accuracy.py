"""How good is the classifier after so many minutes, everything included?

For each budget every side trains from scratch on DATA/train for the same time of the wall clock,
start-up and measuring included, and is measured once on DATA/test: `shortcut train --budget`, and
the peers as they are shipped, each in an environment of its own (`.venv-peers`, made by uv when it
is missing). One after the other, never two at once.

    python benchmarks/time_to_accuracy.py DATA [--minutes 3 10 20] [--seeds 0] [--sides ...]
                                               [--keep FOLDER]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pairs import Figures, earlier, make_environment, median, report

HERE = Path(__file__).parent
PEERS = HERE / "peers"
HEADER = ["minutes, side", "runs", "mean test accuracy", "seconds", "epochs"]
SIDES = ("shortcut", "fastai", "ultralytics", "torchvision", "timm")


def ours(data: Path, seconds: float, seed: int, keep: Path | None) -> Figures:
    """Wall seconds from the command's start to its exit, and the accuracy that it prints.

    Args:
        keep: a folder for the run; None: it is thrown away.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = keep / f"{seconds:.0f}s-seed{seed}" if keep else Path(folder) / "run"
        # A cache of its own: decoding is part of the time.
        environment = os.environ | {"SHORTCUT_CACHE": str(Path(folder) / "cache")}
        command = [sys.executable, "-m", "shortcut", "train", str(data), "--quiet"]
        command += ["--budget", f"{seconds:.0f}s", "--seed", str(seed), "--format", "json"]
        started = time.monotonic()
        done = subprocess.run(
            [*command, "--output", str(output)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        took = time.monotonic() - started
        with (output / "results.csv").open() as file:
            epochs = sum(1 for _ in file) - 1
    test = json.loads(done.stdout)["test"]
    return {
        "accuracy": test["accuracy"],
        "images": test["images"],
        "seconds": took,
        "epochs": epochs,
    }


def peer(side: str, data: Path, seconds: float, seed: int) -> Figures:
    """What a peer's own script prints."""
    loop = side in ("torchvision", "timm")
    script = [PEERS / "with_loop.py", side] if loop else [PEERS / f"with_{side}.py"]
    python = make_environment(".venv-peers", "requirements.txt")
    command: Sequence[object] = [python, *script, data, seconds, seed]
    done = subprocess.run(
        [str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Run all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[3.0, 10.0, 20.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--keep", type=Path, help="a folder for the runs of shortcut")
    options = parser.parse_args()
    name = f"time_to_accuracy_{options.data.name}"
    figures = earlier(name)
    for minutes in options.minutes:
        for side in options.sides:
            found: list[Figures] = []
            for seed in options.seeds:
                task = options.data, 60 * minutes, seed
                keep = options.keep
                found.append(ours(*task, keep) if side == "shortcut" else peer(side, *task))
                print(f"{minutes:g} min  {side:<12} {found[-1]}", file=sys.stderr, flush=True)
            figures[f"{minutes:g} min, {side}"] = found
            # After each: the next may take long, and a machine may not last.
            report(name, HEADER, [row(what, runs) for what, runs in figures.items()], figures)


def row(what: str, runs: list[Figures]) -> list[str]:
    """One line of the table: means of the accuracy, medians of the rest."""
    accuracy = sum(run["accuracy"] for run in runs) / len(runs)
    took, epochs = median(runs, "seconds"), median(runs, "epochs")
    return [what, str(len(runs)), f"{accuracy:.2%}", f"{took:.0f}", f"{epochs:.0f}"]


if __name__ == "__main__":
    main()
