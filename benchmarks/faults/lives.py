"""Beginnings and ends: of servers, and of the workers that hold the model."""

import os
import signal
import socket
import threading
import time

from faults.asking import Answer, Seen, counted
from faults.pictures import encoded, noise
from faults.sides import Ground, Server, Wish

PICTURE = encoded(noise(40, 50))


class Crowd:
    """So many clients that ask one after the other until told to stop, and what they got."""

    def __init__(self, server: Server, count: int, seconds: float = 40.0) -> None:
        self.found: list[Answer] = []
        self._server, self._seconds, self._stop = server, seconds, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            answer = self._server.predict(PICTURE, self._seconds)
            if answer.problem == "nobody listens":
                return  # nothing was promised
            self.found.append(answer)


def _ending(ground: Ground, tell: int, whole_group: bool) -> Seen:
    """Fifty that wait when the signal comes: are they answered? Three times: some ends differ."""
    ends = [_one_ending(ground, tell, whole_group) for _ in range(3)]
    fine = all(end == (50, False, 0, 0) for end in ends)
    answered, ready, codes, left = zip(*ends, strict=True)
    said = (
        f"{', '.join(map(str, answered))} of 50 answered; {'still' if any(ready) else 'not'} ready"
    )
    said += f"; {', '.join(sorted({_told(code) for code in codes}))}"
    return Seen(fine, said + (f", {max(left)} processes left" if any(left) else ""))


def _one_ending(ground: Ground, tell: int, whole_group: bool) -> tuple[int, bool, int | None, int]:
    """How many are answered, whether it says that it is ready, its exit code, and how many of its
    processes are left."""
    found: list[Answer] = []
    with ground.server(drain=1.0, timeout=20.0) as server:
        server.predict(PICTURE)
        with server.stopped():
            threads = [
                threading.Thread(target=lambda: found.append(server.predict(PICTURE, 20)))
                for _ in range(50)
            ]
            for thread in threads:
                thread.start()
            time.sleep(1)
            (os.killpg if whole_group else os.kill)(server.process.pid, tell)
            time.sleep(0.3)
            ready = server.ready(2)
        for thread in threads:
            thread.join()
        code = _exit(server, 45)
        answered = [one.status for one in found].count(200)
        return answered, ready, code, _left(server)


def _exit(server: Server, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.process.poll() is None:
        time.sleep(0.1)
    return server.process.poll()


def _left(server: Server) -> int:
    """Processes that outlive it by more than some seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end and server.processes():
        time.sleep(0.1)
    return len(server.processes())


def _told(code: int | None) -> str:
    return "runs on" if code is None else f"exit {code}"


def terminated(ground: Ground) -> Seen:
    """G14."""
    return _ending(ground, signal.SIGTERM, whole_group=False)


def all_terminated(ground: Ground) -> Seen:
    """G14 by systemd, which tells every process of a service."""
    return _ending(ground, signal.SIGTERM, whole_group=True)


def interrupted(ground: Ground) -> Seen:
    """G14 by Ctrl-C, which reaches every process of a terminal."""
    return _ending(ground, signal.SIGINT, whole_group=True)


def _replaced(server: Server, seconds: float) -> tuple[float, float, bool]:
    """Seconds until it said that it is not ready, until it was again, and whether it always
    answered; where it never did, `seconds`."""
    began, old = time.monotonic(), set(server.workers())
    down = up = seconds
    while time.monotonic() - began < seconds:
        ready, now = server.ready(2), time.monotonic() - began
        if not ready:
            down = min(down, now)
        elif set(server.workers()) - old and server.predict(PICTURE, 2).status == 200:
            up = now
            break
        time.sleep(0.02)
    return down, up, server.process.poll() is None


def _worker_lost(ground: Ground, tell: int, patience: float) -> Seen:
    with ground.server(timeout=10.0) as server, Crowd(server, 4) as crowd:
        time.sleep(1)
        before = len(crowd.found)
        for one in server.workers():
            os.kill(one, tell)
        down, up, alive = _replaced(server, patience)
        time.sleep(1)
        after = server.predict(PICTURE, 15)
    lost = crowd.found[before:]
    met = all(one.status in (200, 503, 504) for one in lost)
    # Under SIGSTOP nobody can know before a limit has passed.
    soon = down <= 1 if tell != signal.SIGSTOP else down < patience
    fine = alive and met and soon and up < patience and after.status == 200
    said = "never" if down >= patience else f"after {down:.1f} s"
    again = "never" if up >= patience else f"after {up:.1f} s"
    return Seen(fine, f"clients: {counted(lost)}; not ready {said}, answers again {again}")


def killed(ground: Ground) -> Seen:
    """G15."""
    return _worker_lost(ground, signal.SIGKILL, 30)


def crashed(ground: Ground) -> Seen:
    """G16: as by a fault in a library."""
    return _worker_lost(ground, signal.SIGSEGV, 30)


def hanging(ground: Ground) -> Seen:
    """G16: it stands still."""
    return _worker_lost(ground, signal.SIGSTOP, 60)


def dying(ground: Ground) -> Seen:
    """G16: every worker that comes is killed, for a minute."""
    with ground.server() as server:
        began, deaths = time.monotonic(), 0
        while server.process.poll() is None and time.monotonic() - began < 60:
            for one in server.workers():
                os.kill(one, signal.SIGKILL)
                deaths += 1
            time.sleep(0.5)
        code = _exit(server, 5)
        left = _left(server)
    fine = code not in (0, None) and left == 0
    return Seen(fine, f"{deaths} were killed: {_told(code)}")


def no_model(ground: Ground) -> Seen:
    """G17."""
    bad = ground.folder / "bad.onnx"
    bad.write_bytes(b"none")
    ends = {
        "missing": ground.with_model(ground.folder / "none.onnx").ended(Wish()),
        "damaged": ground.with_model(bad).ended(Wish()),
    }
    fine = all(one.code not in (0, None) and not one.listened for one in ends.values())
    return Seen(fine, ", ".join(f"{name}: {_told(one.code)}" for name, one in ends.items()))


def taken_port(ground: Ground) -> Seen:
    """G18."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        end = ground.ended(Wish(), taken.getsockname()[1])
    told = "in use" in end.said
    return Seen(end.code not in (0, None) and told, f"{_told(end.code)}: {end.last}")


CASES = (
    ("G14", "SIGTERM while 50 wait", "50 answered, not ready, exit 0", terminated),
    ("G14", "SIGTERM to all processes", "50 answered, not ready, exit 0", all_terminated),
    ("G14", "Ctrl-C while 50 wait", "50 answered, not ready, exit 0", interrupted),
    ("G15", "SIGKILL of the worker", "503, not ready within 1 s, then a new one", killed),
    ("G16", "a worker crashes (SIGSEGV)", "the same", crashed),
    ("G16", "a worker stands still (SIGSTOP)", "503 or 504, not ready, then a new one", hanging),
    ("G16", "every new worker dies", "it gives up, and says so", dying),
    ("G17", "a model that is missing or damaged", "ends, was never ready", no_model),
    ("G18", "a port that is taken", "ends, and says so", taken_port),
)
