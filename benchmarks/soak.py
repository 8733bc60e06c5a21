"""Does a server that is busy for half an hour grow?

`shortcut serve` is asked at 70 % of the rate that it reached in a closed loop. Every ten seconds
the memory and the open files of all its processes are counted. Told are the medians of the first
and of the last fifth of the time after warming up, and every answer that was wrong or missing.

    python benchmarks/soak.py DATA EXPORT [--minutes 30] [--share 0.7]
"""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

from loading import find_files
from pairs import Figures, end_group, report
from serving import Picture, Seen, closed_loop, figures, free_port, open_loop, prepare, start

EVERY = 10.0
"""Seconds between two looks."""
WARMING = 60.0
"""Seconds in which memory that is kept for good may still be taken."""
CLIENTS = 64


def processes(first: int) -> list[int]:
    """A process and all that it started."""
    found = [first]
    for process in found:
        for file in Path(f"/proc/{process}/task").glob("*/children"):
            found += [int(child) for child in file.read_text().split()]
    return found


def look(first: int) -> Figures:
    """Megabytes that are these processes' own, and their open files."""
    memory, files = 0, 0
    for process in processes(first):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                memory += int(line.split()[1])
        files += sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())
    return {"MB": memory / 1024, "files": files}


async def ask_and_look(
    port: int, process: int, pictures: list[Picture], rate: float, seconds: float
) -> tuple[Seen, list[Figures]]:
    """What clients saw, and a look every ten seconds."""
    looks: list[Figures] = []

    async def looking() -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(EVERY)
            looks.append(look(process) | {"after": time.monotonic() - began})
            print(looks[-1], file=sys.stderr, flush=True)

    task = asyncio.create_task(looking())
    seen = await open_loop(port, pictures, rate, seconds)
    task.cancel()
    return seen, looks


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--share", type=float, default=0.7)
    options = parser.parse_args()
    seconds = 60 * options.minutes
    pictures = prepare(options.model, find_files(options.data, 4 * CLIENTS))
    port = free_port()
    server = start("shortcut", options.model, port)
    try:
        asyncio.run(closed_loop(port, pictures, CLIENTS, 2.0))
        peak = figures(asyncio.run(closed_loop(port, pictures, CLIENTS, 10.0)), 10.0)["goodput"]
        work = ask_and_look(port, server.pid, pictures, options.share * peak, seconds)
        seen, looks = asyncio.run(work)
    finally:
        end_group(server)
    warm = [one for one in looks if one["after"] > WARMING] or looks
    fifth = max(1, len(warm) // 5)
    rows = []
    for key in ("MB", "files"):
        first, last = (
            statistics.median(one[key] for one in part) for part in (warm[:fifth], warm[-fifth:])
        )
        rows.append([key, f"{first:,.0f}", f"{last:,.0f}", f"{last / first - 1:+.1%}"])
    found = figures(seen, seconds)
    for key in ("goodput", "p50", "p99", "refusals", "errors", "wrong"):
        rows.append([key, "", f"{found[key]:,.0f}", ""])
    header = ["what", "first fifth", "last fifth", "growth"]
    report("soak", header, rows, {"peak": peak, "seen": found, "looks": looks})


if __name__ == "__main__":
    main()
