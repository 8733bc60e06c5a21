"""Requests as clients send them, and as none should."""

import http.client
import select
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Answer:
    """What came back."""

    status: int
    """0: nothing did, or the server hung up."""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""
    """Why there is none."""

    @property
    def refused(self) -> bool:
        """4xx: the fault is the client's, and the server says so."""
        return 400 <= self.status < 500

    def __str__(self) -> str:
        return str(self.status) if self.status else self.problem


@dataclass
class Seen:
    """What a side did in a case."""

    fine: bool | None
    """As expected; None: it has nothing of the kind."""
    did: str


def has_none(what: str) -> Seen:
    """It cannot be asked, and why."""
    return Seen(None, f"has none: {what}")


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 30.0,
) -> Answer:
    """One request on a line of its own."""
    line, began = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds), time.monotonic()
    try:
        line.request(method, path, body, dict(headers or {}))
        answer = line.getresponse()
        content = answer.read()
    except TimeoutError:
        return Answer(0, seconds=time.monotonic() - began, problem="no answer")
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, seconds=time.monotonic() - began, problem=_problem(error))
    finally:
        line.close()
    named = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, content, named, time.monotonic() - began)


def send(port: int, pieces: Iterable[bytes], seconds: float = 30.0) -> Answer:
    """Bytes as they are, until they end or the server answers."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), seconds) as line:
        problem = ""
        try:
            for piece in pieces:
                if select.select([line], [], [], 0)[0]:
                    break
                line.sendall(piece)
        except OSError as error:
            problem = _problem(error)  # it may have answered before
        try:
            answer = http.client.HTTPResponse(line)
            answer.begin()
            content = answer.read(1 << 20)
        except TimeoutError:
            return Answer(0, seconds=time.monotonic() - began, problem="no answer")
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, b"", {}, time.monotonic() - began, problem or _problem(error))
    return Answer(answer.status, content, {}, time.monotonic() - began)


def at_once(works: Iterable[Callable[[], T]]) -> list[T]:
    """What each returns, all begun together."""
    waiting = list(works)
    with ThreadPoolExecutor(len(waiting)) as pool:
        return [one.result() for one in [pool.submit(work) for work in waiting]]


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """The first lines of a request."""
    told = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *lines, "", ""]
    return "\r\n".join(told).encode()


def counted(answers: Iterable[Answer]) -> str:
    """As `9 x 200, 1 x 422`."""
    names = [str(answer) for answer in answers]
    return ", ".join(f"{names.count(name)} x {name}" for name in sorted(set(names)))


def _problem(error: Exception) -> str:
    refused = isinstance(error, ConnectionRefusedError)
    return "nobody listens" if refused else "hung up"
