"""What does it cost to train as several processes? Seconds a picture by one and by two.

Whole trainings of random pictures, in turn; the speed of the second epoch counts. On a
machine without GPUs both processes share its cores, so what is seen is the price of talking.

    python benchmarks/together.py [--rounds 5] [--processes 1 2] [--steps 12]
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pairs import Figures, median, report
from PIL import Image

RECIPE = """\
name: together
model: {name: resnet18, stem: small}
data: {image_size: 64, val_fraction: 0.05}
train: {batch_size: 64, epochs: 2, precision: fp32}
"""


def make_pictures(folder: Path, count: int) -> None:
    """Random ones, in two classes."""
    noise = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (72, 72, 3), np.uint8)).save(place / f"{number}.png")


def train(folder: Path, processes: int) -> Figures:
    """Pictures a second in the second epoch, and wall seconds of it all."""
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        command = [sys.executable, "-m"]
        if processes > 1:
            command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
            command += ["-m"]
        command += ["shortcut", "train", str(folder / "photos"), "--quiet", "--device", "auto"]
        command += ["--recipe", str(folder / "together.yaml"), "--output", str(run)]
        threads = str(max(1, (os.cpu_count() or 1) // processes))
        started = time.monotonic()
        subprocess.run(
            command,
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": threads},
            stdout=subprocess.DEVNULL,
        )
        with (run / "results.csv").open(encoding="utf-8") as file:
            speed = float(list(csv.DictReader(file))[-1]["images_per_second"])
        return {"images_per_second": speed, "seconds": time.monotonic() - started}


def main() -> None:
    """Run all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", help="not used: the pictures are random")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=12, help="of an epoch")
    options = parser.parse_args()
    figures: dict[str, list[Figures]] = {str(count): [] for count in options.processes}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "together.yaml").write_text(RECIPE, "utf-8")
        make_pictures(folder / "photos", round(64 * options.steps / 0.95))
        for turn in range(options.rounds):
            for count in options.processes:
                found = train(folder, count)
                figures[str(count)].append(found)
                print(f"round {turn}  {count} process(es)  {found}", file=sys.stderr, flush=True)
    rows = []
    first = median(figures[str(options.processes[0])], "images_per_second")
    for count in options.processes:
        speed = median(figures[str(count)], "images_per_second")
        rows.append([str(count), f"{speed:.1f}", f"{1000 / speed:.2f}", f"{speed / first:.2f}"])
    header = ["processes", "images/s", "ms a picture", "of one"]
    report("together", header, rows, figures)


if __name__ == "__main__":
    main()
