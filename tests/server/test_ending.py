"""The end: who is connected is answered, nobody else is kept waiting, and nothing is left."""

import contextlib
import errno
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.server.conftest import Crowd, Server, jpeg, started

from shortcut.errors import ModelError
from shortcut.server.ending import hear_nobody_new, last_lines
from shortcut.server.limits import Limits
from shortcut.server.supervisor import Supervisor
from shortcut.server.worker import Model

ON_LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux can hold them off"
)


@ON_LINUX
def test_nobody_is_connected_and_then_cut_off() -> None:
    """Between the last look at who waits and the end of listening."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        place.setblocking(False)
        address = place.getsockname()
        before = socket.create_connection(address)
        hear_nobody_new(place)
        (line,) = last_lines([place])
        with before, line:
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.3)
            place.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, timeout=30)
            before.sendall(b"asked")
            line.setblocking(True)
            assert line.recv(5) == b"asked"


@ON_LINUX
def test_who_is_half_connected_is_heard() -> None:
    """Whoever counts himself connected while the system still waits for his third packet."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        place.setblocking(False)
        # So the system forgets a third packet without data, and waits for the next.
        place.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
        with socket.create_connection(place.getsockname()) as client:
            hear_nobody_new(place)
            assert last_lines([place]) == []
            client.sendall(b"asked")
            assert select.select([place], [], [], 10)[0]
            (line,) = last_lines([place])
            with line:
                line.setblocking(True)
                assert line.recv(5) == b"asked"


class Place:
    """A socket whose `accept` gives these, and raises those that are errors."""

    def __init__(self, *outcomes: socket.socket | OSError) -> None:
        self.outcomes = list(outcomes)

    def accept(self) -> tuple[socket.socket, object]:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome, None


def test_one_that_cannot_be_taken_ends_nothing() -> None:
    first, second = socket.socketpair()
    with first, second:
        full = OSError(errno.EMFILE, "too many open files")
        left = Place(first, ConnectionAbortedError(), full)
        other = Place(second, BlockingIOError())
        assert last_lines([left, other]) == [first, second]  # type: ignore[list-item]


def first_process(server: Server) -> None:
    """As `kill` and `docker stop` do."""
    server.process.send_signal(signal.SIGTERM)


def whole_group(server: Server) -> None:
    """As systemd does."""
    os.killpg(server.process.pid, signal.SIGTERM)


Tell = Callable[[Server], None]


def stop_under_load(model: Path, tell: Tell) -> Crowd:
    # Long enough for a slow machine to be asked once more.
    with started(model, "--drain", 3) as server, Crowd(server.address) as crowd:
        time.sleep(0.5)
        tell(server)
        time.sleep(0.3)
        assert httpx.get(f"{server.address}/readyz", timeout=30).status_code == 503
        assert server.process.wait(60) == 0
        assert server.said() == ""
    return crowd


@pytest.mark.parametrize("tell", [first_process, whole_group])
def test_nothing_is_lost_at_the_end(model: Path, tell: Tell) -> None:
    crowd = stop_under_load(model, tell)
    assert crowd.lost == []
    assert set(crowd.statuses) == {200} and len(crowd.statuses) > 10


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_nothing_is_lost_at_twenty_ends(model: Path) -> None:
    for tell in (first_process, whole_group) * 10:
        crowd = stop_under_load(model, tell)
        assert crowd.lost == [] and set(crowd.statuses) == {200}


def test_ctrl_c_ends_it_too(model: Path) -> None:
    with started(model) as server:
        server.post(jpeg())
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0


def test_a_second_signal_ends_it_at_once(model: Path) -> None:
    """Also where an answer is still waited for, by a worker that gives none."""
    with started(model, "--timeout", 60, "--drain", 60) as server:
        os.kill(server.worker(), signal.SIGSTOP)

        def ask() -> None:
            with contextlib.suppress(httpx.HTTPError):
                server.post(jpeg())

        asking = threading.Thread(target=ask)
        asking.start()
        server.wait_until_asked()
        for _ in range(2):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        assert server.process.wait(20) == 0
        asking.join()
        assert server.said() == ""


@contextlib.contextmanager
def loading(model: Path) -> Iterator[tuple[Server, int]]:
    """A server that has just started its worker, and the worker's process id."""
    command = [sys.executable, "-m", "shortcut", "serve", str(model), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        server, worker, began = Server(process, ""), 0, time.monotonic()
        try:
            while not worker and time.monotonic() - began < 60:
                with contextlib.suppress(ValueError, FileNotFoundError, ProcessLookupError):
                    worker = server.worker()
            yield server, worker
        finally:
            process.kill()


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_sigterm_while_the_model_is_loaded(model: Path) -> None:
    """As the first process of a container it would not even hear it."""
    with loading(model) as (server, worker):
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 128 + signal.SIGTERM
        assert server.said().count("\n") == 1
        assert not is_there(worker)


def test_two_signals_while_the_model_is_loaded(model: Path) -> None:
    """Nobody waits for a worker that hears none."""
    with loading(model) as (server, worker):
        os.kill(worker, signal.SIGSTOP)
        for _ in range(2):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        server.process.wait(20)
        assert not is_there(worker)


def test_a_worker_that_is_started_at_the_end_is_ended(model: Path) -> None:
    supervisor = Supervisor(Model(model), Limits())
    supervisor.stop()
    with pytest.raises(ModelError, match="ended while loading"):
        supervisor.start()
    for child in multiprocessing.active_children():
        child.join(10)
    assert multiprocessing.active_children() == []
