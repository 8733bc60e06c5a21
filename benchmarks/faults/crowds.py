"""Many at once, and a network that takes too long (the worker is stopped by SIGSTOP meanwhile)."""

import json
import socket
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from faults.asking import Answer, Seen, ask, at_once, counted, has_none, head
from faults.pictures import encoded, good, heavy, noise
from faults.sides import SHORTCUT, Ground, Server

PICTURE = encoded(noise(40, 50))
BUSY = (429, 503)


def full_queue(ground: Ground) -> Seen:
    """G3."""
    with ground.server(batch=1, room=2, timeout=20.0) as server:
        with server.stopped():
            answers: list[Answer] = []
            threads = [
                threading.Thread(target=lambda: answers.append(server.predict(PICTURE)))
                for _ in range(12)
            ]
            for thread in threads:
                thread.start()
            time.sleep(2)
            early = len(answers)
        for thread in threads:
            thread.join()
        after = server.predict(PICTURE)
    answered = [one for one in answers if one.status == 200]
    busy = [one for one in answers if one.status in BUSY]
    told = sum("retry-after" in one.headers for one in busy)
    fine = (len(answered), len(busy), early) == (2, 10, 10) and after.status == 200
    return Seen(fine, f"{counted(answers)}; {told} with Retry-After; the next: {after}")


def too_slow(ground: Ground) -> Seen:
    """G4."""
    late: list[Answer] = []
    with ground.server(timeout=1.0) as server:
        server.predict(PICTURE)
        for _ in range(3):
            with ThreadPoolExecutor(1) as pool, server.stopped():
                asked = pool.submit(server.predict, PICTURE)
                time.sleep(4)
            late.append(asked.result())
        after = server.predict(PICTURE)
    took = statistics.median(one.seconds for one in late)
    fine = all(one.status == 504 and 0.9 < one.seconds < 1.5 for one in late)
    said = f"{counted(late)} after {took:.1f} s; the next: {after}"
    return Seen(fine and after.status == 200, said)


def slow_senders(ground: Ground) -> Seen:
    """G8."""
    with ground.server() as server:
        before = statistics.median(_slowest(server, 5) for _ in range(20))
        lines = [_open(server.port, n % 2 == 0) for n in range(200)]
        began, during = time.monotonic(), []
        while time.monotonic() - began < 13:
            during.append(_slowest(server, 5))
            for line in lines:
                _dribble(line)
            time.sleep(0.5)
        left = sum(not _cut(line) for line in lines)
        for line in lines:
            line.close()
    slowest = statistics.median(during)
    fine = left == 0 and slowest < max(2 * before, before + 0.05)
    said = f"{200 - left} of 200 cut within 13 s; others: {1000 * before:.0f} ms without them, "
    return Seen(fine, f"{said}{1000 * slowest:.0f} with")


def _slowest(server: Server, count: int) -> float:
    found = [server.predict(PICTURE) for _ in range(count)]
    return max(one.seconds if one.status == 200 else 30.0 for one in found)


def _open(port: int, in_headers: bool) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), 10)
    whole = head("/predict", "content-type: image/png", "content-length: 5000")
    line.sendall(whole[:-2] if in_headers else whole)
    if in_headers:
        line.sendall(b"x-slow: ")
    return line


def _dribble(line: socket.socket) -> None:
    try:
        line.sendall(b"x")
    except OSError:
        return


def _cut(line: socket.socket) -> bool:
    line.settimeout(0.05)
    try:
        while line.recv(1 << 16):
            pass  # an answer before the end
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def gone_clients(ground: Ground) -> Seen:
    """G25: by the processor's time that the worker spends on them."""
    picture, count = heavy(), 40
    with ground.server(batch=2, timeout=60.0) as server:
        server.predict(picture)
        began = server.worked()
        for _ in range(6):
            server.predict(picture)
        each = (server.worked() - began) / 6
        began = server.worked()
        with server.stopped():
            at_once([partial(server.predict, picture, 4) for _ in range(count)])
            time.sleep(0.5)
        last = server.predict(PICTURE, 60)
        time.sleep(1)
        share = (server.worked() - began) / (each * count)
    fine = share < 0.2 and last.status == 200
    return Seen(fine, f"{min(share, 1):.0%} of the work for them was done; the next: {last}")


def one_bad(ground: Ground) -> Seen:
    """G26."""
    with ground.server(batch=8, timeout=20.0) as server:
        server.predict(PICTURE)
        contents = [b"none" if n == 3 else PICTURE for n in range(8)]
        threads, answers = [], dict[int, Answer]()

        def work(number: int) -> None:
            answers[number] = server.predict(contents[number])

        with server.stopped():
            for number in range(8):
                threads.append(threading.Thread(target=work, args=(number,)))
                threads[-1].start()
            time.sleep(0.5)
        for thread in threads:
            thread.join()
    right = all((answers[n].status == 422) == (n == 3) for n in range(8))
    fine = right and [one.status for one in answers.values()].count(200) == 7
    return Seen(fine, counted(answers.values()))


def own_answers(ground: Ground) -> Seen:
    """G27."""
    import shortcut

    pictures, clients, turns = good(160), 16, 5
    known = shortcut.load_exported(ground.model).predict_many(pictures)
    with ground.server() as server:

        def client(number: int) -> list[tuple[int, Answer]]:
            mine = range(number, len(pictures), clients)
            return [(n, server.predict(pictures[n])) for _ in range(turns) for n in mine]

        found = [
            one for some in at_once([partial(client, n) for n in range(clients)]) for one in some
        ]
    right = 0
    for n, answer in found:
        told = json.loads(answer.body) if answer.status == 200 else {"label": None, "score": 0}
        right += told["label"] == known[n].label and abs(told["score"] - known[n].score) < 1e-4
    return Seen(right == len(found), f"{right} of {len(found)} right")


def figures(ground: Ground) -> Seen:
    """G28."""
    if ground.side != SHORTCUT:
        return has_none("figures are for a Logger of one's own")
    with ground.server() as server:
        for body, count in ((PICTURE, 7), (b"none", 3)):
            for _ in range(count):
                server.predict(body)
        text = ask(server.port, "GET", "/metrics").body.decode()
    name = 'shortcut_requests_total{route="predict",status='
    told = [
        next((float(x.split()[-1]) for x in text.splitlines() if x.startswith(name + status)), 0.0)
        for status in ('"200"', '"422"')
    ]
    return Seen(told == [7, 3], f"counted {told[0]:.0f} and {told[1]:.0f} of 7 and 3")


CASES = (
    ("G3", "room for two, twelve come", "2 x 200, 10 x 429 or 503 at once", full_queue),
    ("G4", "no answer within the time-out (1 s)", "504 after 1 s; then 200", too_slow),
    ("G8", "200 that send a byte at a time", "cut after 10 s, others not slower", slow_senders),
    ("G25", "40 leave the queue", "not worked on", gone_clients),
    ("G26", "one bad picture in a batch of 8", "7 x 200, 1 x 422", one_bad),
    ("G27", "16 clients, 160 pictures", "each gets its own answer", own_answers),
    ("G28", "figures", "those that the client counted", figures),
)
