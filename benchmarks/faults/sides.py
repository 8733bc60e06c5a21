"""The two servers: how each is started with what a case wishes, and what is seen of its processes
from outside."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pairs import end_group, peer_server, start_group

from faults.asking import Answer, ask

SHORTCUT, LITSERVE = "shortcut", "litserve"
READY = {SHORTCUT: "/readyz", LITSERVE: "/health"}
"""Where each says whether to send requests."""
PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a case wants a server to be started with; None: what it does by itself."""

    batch: int = 16
    timeout: float | None = None
    megabytes: int | None = None
    """Of a body."""
    room: int | None = None
    """Pictures that wait or run."""
    token: str | None = None
    origin: str | None = None
    certificate: Path | None = None
    drain: float | None = None
    host: str | None = None


@dataclass
class Server:
    """A running one."""

    side: str
    port: int
    process: subprocess.Popen[bytes]
    folder: Path
    """Where it runs, with its temporary files."""

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.folder.parent / "log").read_text("utf-8", errors="replace")

    def ready(self, seconds: float = 5.0) -> bool:
        """What it says of itself."""
        return ask(self.port, "GET", READY[self.side], seconds=seconds).status == 200

    def predict(self, picture: bytes, seconds: float = 30.0, **headers: str) -> Answer:
        """One picture."""
        kind = {"content-type": "image/png"}
        return ask(self.port, "POST", "/predict", picture, kind | headers, seconds)

    def workers(self) -> list[int]:
        """Processes that hold the model: the only ones that both sides spawn."""
        return [one for one in self.processes() if b"spawn_main" in _read(one, "cmdline")]

    def memory(self) -> int:
        """Bytes of all its processes."""
        told = [_read(one, "statm").split() for one in self.processes()]
        return sum(int(one[1]) * PAGE for one in told if one)

    def worked(self) -> float:
        """Seconds of the processor that the workers have used."""
        told = [_read(one, "stat").rpartition(b")")[2].split() for one in self.workers()]
        return sum(int(one[11]) + int(one[12]) for one in told if one) / TICK

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The worker stands still meanwhile, as if the network took for ever."""
        stopped = self.workers()
        for one in stopped:
            os.kill(one, signal.SIGSTOP)
        try:
            yield
        finally:
            for one in set(stopped) & set(self.workers()):
                os.kill(one, signal.SIGCONT)

    def processes(self) -> list[int]:
        """All that it started, and itself."""
        numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
        mine = [one for one in numbers if _group(one) == self.process.pid]
        return [one for one in mine if _read(one, "cmdline")]  # the dead have none


@dataclass(frozen=True)
class End:
    """Of a server that did not start."""

    code: int | None
    """None: it runs on."""
    said: str
    listened: bool

    @property
    def last(self) -> str:
        """The last line it printed."""
        return (self.said.strip().splitlines() or ["nothing"])[-1][:120]


@dataclass(frozen=True)
class Ground:
    """Where cases are tried: one side, with one model."""

    side: str
    model: Path
    folder: Path
    """For whatever servers write."""

    @contextmanager
    def server(self, **wishes: object) -> Iterator[Server]:
        """One that is ready; afterwards nothing of it is left."""
        server = self.begin(Wish(**wishes))  # type: ignore[arg-type]
        try:
            end = time.monotonic() + 60
            while not self._answers(server, Wish(**wishes)):  # type: ignore[arg-type]
                if time.monotonic() > end or server.process.poll() is not None:
                    raise RuntimeError(f"{self.side} does not start: {server.log[-500:]}")
                time.sleep(0.1)
            yield server
        finally:
            end_group(server.process)

    def begin(self, wish: Wish, port: int | None = None) -> Server:
        """One that was started just now."""
        port = port or free_port()
        # Not by the port alone: the system may give the same one twice.
        folder = Path(tempfile.mkdtemp(prefix=f"{port}-", dir=self.folder))
        (folder / "here").mkdir()
        make, name = COMMANDS[self.side]
        process = start_group(
            make(self, wish, port),
            log=folder / "log",
            folder=folder / "here",
            more={name: wish.token} if wish.token else {},
        )
        return Server(self.side, port, process, folder / "here")

    def ended(self, wish: Wish, port: int | None = None) -> "End":
        """How one ends that cannot start; within half a minute."""
        server, listened = self.begin(wish, port), False
        try:
            for _ in range(300):
                if server.process.poll() is not None:
                    break
                listened = listened or (port is None and _accepts(server.port))
                time.sleep(0.1)
            return End(server.process.poll(), server.log, listened)
        finally:
            end_group(server.process)

    def with_model(self, model: Path) -> "Ground":
        """The same with another."""
        return replace(self, model=model)

    @staticmethod
    def _answers(server: Server, wish: Wish) -> bool:
        if wish.certificate:
            return _accepts(server.port) and bool(server.workers())
        secret = secrets(server.side, wish.token) if wish.token else {}
        return ask(server.port, "GET", READY[server.side], headers=secret, seconds=2).status == 200


def secrets(side: str, token: str) -> dict[str, str]:
    """The header in which a side takes a token."""
    if side == SHORTCUT:
        return {"authorization": f"Bearer {token}"}
    return {"x-api-key": token}


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def watched(server: Server) -> Iterator[list[float]]:
    """A list that afterwards holds the megabytes by which the server grew at most."""
    before, grown, done = server.memory(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            grown[0] = max(grown[0], (server.memory() - before) / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield grown
    finally:
        done.set()
        thread.join()


def _ours(ground: Ground, wish: Wish, port: int) -> list[object]:
    told = {
        "--batch": wish.batch,
        "--timeout": wish.timeout,
        "--max-body": wish.megabytes,
        "--queue": wish.room,
        "--allow-origin": wish.origin,
        "--drain": wish.drain,
        "--host": wish.host,
    }
    command = [sys.executable, "-m", "shortcut", "serve", ground.model, "--port", port]
    return [*command, *_said(told)]


def _theirs(ground: Ground, wish: Wish, port: int) -> list[object]:
    told = {
        "--batch": max(2, wish.batch),  # with 1 it makes no batches at all
        "--timeout": wish.timeout,
        "--max-body": wish.megabytes and wish.megabytes << 20,
        "--at-once": wish.room and wish.room + 1,  # uvicorn refuses the last of these too
        "--origin": wish.origin,
        "--certificate": wish.certificate,
        "--host": wish.host,
    }
    return peer_server(LITSERVE, port, ground.model, *_said(told))


def _said(told: dict[str, object]) -> list[object]:
    return [word for flag, what in told.items() if what is not None for word in (flag, what)]


COMMANDS = {
    SHORTCUT: (_ours, "SHORTCUT_TOKEN"),
    LITSERVE: (_theirs, "LIT_SERVER_API_KEY"),
}
"""How each is started, and the variable that holds its token."""


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _read(process: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{name}").read_bytes()
    except OSError:
        return b""


def _group(process: int) -> int:
    try:
        return os.getpgid(process)
    except OSError:
        return 0
