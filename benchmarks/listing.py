"""How long does it take to know what is there? Seconds to list 100,000 labelled pictures in 1,000
folders, in a new process and once more in the same one; against torchvision's ImageFolder.

Files are empty: neither opens one. The folders are made anew in a temporary place, so the system
has them in memory; a slow disk adds its own time, the same for both. `loop` is one picture in each
of two folders with three links back to themselves: a side that finds no end is stopped.

    python benchmarks/listing.py [--rounds 5] [--folders 1000] [--pictures 100000]
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pairs import Figures, median, report, run_in_turn

PATIENCE = 5
"""Seconds for a loop of links."""


def make_folders(root: Path, folders: int, pictures: int) -> Path:
    """`pictures` empty files, evenly in `folders` folders of their own labels."""
    for number in range(folders):
        (root / f"class-{number:04}").mkdir(parents=True)
    for number in range(pictures):
        (root / f"class-{number % folders:04}" / f"picture-{number:06}.jpg").touch()
    return root


def make_loop(root: Path) -> Path:
    """Two pictures, and three links a folder that lead back into it."""
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        (root / name / "1.jpg").touch()
        for link in "abc":
            (root / name / link).symlink_to(".", target_is_directory=True)
    return root


def lister(side: str, folder: Path) -> Callable[[], int]:
    """A function that lists and counts."""
    if side == "torchvision":
        from torchvision.datasets import ImageFolder

        return lambda: len(ImageFolder(folder).samples)
    from shortcut.data.folders import read_folder

    return lambda: sum(len(samples) for samples in read_folder(folder).parts.values())


class NoEndError(Exception):
    """Not a `TimeoutError`: that is an `OSError`, which `os.walk` passes over."""


def give_up(*_: object) -> None:
    """After `PATIENCE` seconds."""
    raise NoEndError


def time_side(side: str, folder: Path) -> Figures:
    """Seconds of the first and the second listing; no pictures where it did not come to an end."""
    work = lister(side, folder)
    if folder.name == "loop":
        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(PATIENCE)
    started = time.perf_counter()
    try:
        work()
        between = time.perf_counter()
        count = work()
    except NoEndError:
        return {"first": PATIENCE, "again": PATIENCE, "pictures": 0}
    return {
        "first": between - started,
        "again": time.perf_counter() - between,
        "pictures": count,
    }


def main() -> None:
    """Parse; be a side, or make the folders, run all sides in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", help="not used")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--side", nargs=2, metavar=("SIDE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(time_side(options.side[0], Path(options.side[1]))))
        return
    with tempfile.TemporaryDirectory() as place:
        many = make_folders(Path(place, "many"), options.folders, options.pictures)
        loop = make_loop(Path(place, "loop"))
        base = [sys.executable, __file__, "--side"]
        sides = {
            f"{side}, {folder.name}": [*base, side, str(folder)]
            for folder in (many, loop)
            for side in ("torchvision", "shortcut")
        }
        found = run_in_turn(sides, options.rounds)
    rows = [[side, *cells(figures)] for side, figures in found.items()]
    report("listing", ["side", "first, s", "again, s", "pictures"], rows, found)


def cells(rounds: list[Figures]) -> list[str]:
    """Medians, or that there was no end."""
    if any(figures["pictures"] == 0 for figures in rounds):
        return [f"> {PATIENCE}", "", "no end"]
    seconds = [f"{median(rounds, key):.2f}" for key in ("first", "again")]
    return [*seconds, f"{median(rounds, 'pictures'):,.0f}"]


if __name__ == "__main__":
    main()
