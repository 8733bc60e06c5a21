"""How many pictures a second does a server answer, how late, and is each answer the right one?

Sides, with the same exported model: `shortcut serve`; a plain FastAPI handler, as tutorials write
it; LitServe. The peers live in an environment of their own (`.venv-serving`, made by uv when it is
missing). In turn, each in a process of its own on this machine, which the clients share.
Closed loop: so many clients, each of which asks again when it was answered. Open loop: requests
come at so many times the rate of the closed loop, whether answered or not; what counts is goodput
(right answers a second, while it lasts) and how fast refusals are.

    python benchmarks/serving.py DATA EXPORT [--seconds 20] [--clients 64] [--times 2 5 10]
                                             [--rounds 1] [--sides shortcut fastapi litserve]

Each client has pictures of its own and knows their answers: one that belongs to another is wrong.
"""

import argparse
import asyncio
import json
import math
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from loading import find_files
from pairs import Figures, end_group, peer_server, report, start_group

SIDES = ("shortcut", "fastapi", "litserve")
LATE = 30.0
"""Seconds after which a client gives up."""


@dataclass
class Picture:
    """What is sent, and what must come back."""

    request: bytes
    label: str
    score: float


@dataclass
class Seen:
    """What clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    end: float = math.inf
    """When the clients stop: answers that come later are too late to count as goodput."""
    right: int = 0
    late: int = 0
    """Right, but after the end."""
    wrong: int = 0
    answered: list[float] = field(default_factory=list)
    """Seconds of each answer."""
    refused: list[float] = field(default_factory=list)


def prepare(model: Path, files: list[Path]) -> list[Picture]:
    """Requests and the answers that are known."""
    import shortcut

    classifier = shortcut.load_exported(model)
    made: list[Picture] = []
    for file in files:
        body = file.read_bytes()
        answer = classifier.predict(body)
        head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        request = f"{head}content-type: image/jpeg\r\n\r\n".encode() + body
        made.append(Picture(request, answer.label, answer.score))
    return made


class Line(asyncio.Protocol):
    """A connection, until either side closes it.

    Streams would take three times as long for each answer, and the clients share the machine.
    """

    def __init__(self, port: int) -> None:
        self.port, self.over = port, False
        self.transport: asyncio.Transport | None = None
        self.come = bytearray()
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        if self.transport is None:
            self.transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", self.port)
        self.answer = loop.create_future()
        self.transport.write(request)
        return await self.answer

    def data_received(self, data: bytes) -> None:
        self.come += data
        end = self.come.find(b"\r\n\r\n")
        if end < 0 or self.answer is None:
            return
        head = bytes(self.come[:end]).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self.come) < end + 4 + length:
            return
        body = bytes(self.come[end + 4 : end + 4 + length])
        self.come.clear()
        if b"connection: close" in head:
            self.close()
        if not self.answer.done():
            self.answer.set_result((int(head.split()[1]), body))

    def connection_lost(self, _: Exception | None) -> None:
        self.over = True
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(ConnectionError())

    def close(self) -> None:
        self.over = True
        if self.transport is not None:
            self.transport.close()


async def ask_once(line: Line, picture: Picture, seen: Seen) -> None:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(LATE):  # `wait_for` would make a task of it
            status, body = await line.ask(picture.request)
    except (OSError, TimeoutError):
        line.close()
        seen.statuses[0] += 1
        return
    took = time.perf_counter() - started
    seen.statuses[status] += 1
    if status != 200:
        seen.refused.append(took)
        return
    seen.answered.append(took)
    answer = json.loads(body)
    same = answer["label"] == picture.label and abs(answer["score"] - picture.score) < 0.02
    if not same:
        seen.wrong += 1
    elif time.perf_counter() <= seen.end:
        seen.right += 1
    else:
        seen.late += 1


async def closed_loop(port: int, pictures: list[Picture], clients: int, seconds: float) -> Seen:
    """Each client asks again when it was answered."""
    end = time.perf_counter() + seconds
    seen = Seen(end=end)

    async def client(number: int) -> None:
        line, mine = Line(port), pictures[number::clients]
        turn = 0
        while time.perf_counter() < end:
            await ask_once(line, mine[turn % len(mine)], seen)
            line = Line(port) if line.over else line
            turn += 1
        line.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return seen


async def open_loop(port: int, pictures: list[Picture], rate: float, seconds: float) -> Seen:
    """Requests at a rate, each on a line of its own unless one is free."""
    began = time.perf_counter()
    seen = Seen(end=began + seconds)
    free, tasks = list[Line](), set[asyncio.Task[None]]()

    async def one(picture: Picture) -> None:
        while free and free[-1].over:  # the server closes what is not used
            free.pop()
        line = free.pop() if free else Line(port)
        await ask_once(line, picture, seen)
        if not line.over:
            free.append(line)

    sent = 0
    while (now := time.perf_counter() - began) < seconds:
        while sent < now * rate:
            task = asyncio.create_task(one(pictures[sent % len(pictures)]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        # Not more often than something is due: each look takes time from the server.
        await asyncio.sleep(max(0.002, (sent + 1) / rate - (time.perf_counter() - began)))
    if tasks:
        await asyncio.wait(tasks, timeout=LATE)
    return seen


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(side: str, model: Path, port: int) -> subprocess.Popen[bytes]:
    ours = [sys.executable, "-m", "shortcut", "serve", model, "--port", port]
    process = start_group(ours if side == "shortcut" else peer_server(side, port, model))
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.1)
    end_group(process)
    raise SystemExit(f"{side} does not start.")


def figures(seen: Seen, seconds: float) -> Figures:
    def at(values: list[float], share: float) -> float:
        return 1000 * sorted(values)[int(share * (len(values) - 1))] if values else 0.0

    errors = sum(count for status, count in seen.statuses.items() if status in (0, 500))
    return {
        "goodput": seen.right / seconds,
        "late": seen.late,
        "wrong": seen.wrong,
        "errors": errors,
        "refusals": len(seen.refused),
        "p50": at(seen.answered, 0.5),
        "p95": at(seen.answered, 0.95),
        "p99": at(seen.answered, 0.99),
        "refused p99": at(seen.refused, 0.99),
    }


def measure(side: str, options: argparse.Namespace, pictures: list[Picture]) -> dict[str, Figures]:
    """One server: warmed up, then each load."""
    port = free_port()
    process = start(side, options.model, port)
    try:
        asyncio.run(closed_loop(port, pictures, options.clients, 2.0))
        seen = asyncio.run(closed_loop(port, pictures, options.clients, options.seconds))
        found = {"closed": figures(seen, options.seconds)}
        for times in options.times:
            rate = times * found["closed"]["goodput"]
            seen = asyncio.run(open_loop(port, pictures, rate, options.seconds))
            found[f"open {times:g}x"] = figures(seen, options.seconds)
            time.sleep(1.0)
    finally:
        # At once: one without an end to its queue would be busy for minutes.
        end_group(process)
    return found


def main() -> None:
    """Run all sides in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--times", type=float, nargs="*", default=[2.0, 5.0, 10.0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    options = parser.parse_args()
    pictures = prepare(options.model, find_files(options.data, 4 * options.clients))
    rounds: dict[str, dict[str, list[Figures]]] = {side: {} for side in options.sides}
    for _ in range(options.rounds):
        for side in options.sides:
            for load, found in measure(side, options, pictures).items():
                rounds[side].setdefault(load, []).append(found)
                print(side, load, found, file=sys.stderr, flush=True)
    keys = ("goodput", "late", "p50", "p95", "p99", "refusals", "refused p99", "errors", "wrong")
    rows = [
        [side, load, *(f"{statistics.median(one[key] for one in found):,.0f}" for key in keys)]
        for side, loads in rounds.items()
        for load, found in loads.items()
    ]
    report("serving", ["side", "load", *keys], rows, rounds)


if __name__ == "__main__":
    main()
