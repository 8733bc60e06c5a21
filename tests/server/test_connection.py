"""One connection among many that ask in the same turn of the loop: as many are heard in full as
there are places, and no place is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from tests.server.conftest import pretend
from tests.server.test_overload import request
from uvicorn.server import ServerState

from shortcut.server.connection import Connection, connection_to
from shortcut.server.limits import Limits
from shortcut.server.service import Service
from shortcut.server.tasks import Result, Task


class Line(asyncio.Transport):
    """What the server sends, kept."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.sent, self.closing = b"", False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    @property
    def status(self) -> int:
        """0 where nothing came."""
        return int(self.sent.split()[1]) if self.sent else 0


class Server:
    """Hears requests and answers them when `go` is set; a picture never reaches the queue."""

    def __init__(self, places: int) -> None:
        async def never(tasks: Sequence[Task]) -> list[Result]:
            raise AssertionError(tasks)

        self.service: Service = pretend(never, Limits(queue=places))
        self.go, self.in_full = asyncio.Event(), 0
        self.config = uvicorn.Config(self.answer, interface="asgi3", ws="none", log_config=None)
        self.config.load()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.in_full += 1
        await receive()
        await self.go.wait()
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start | {"headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def connect(self) -> tuple[Connection, Line]:
        made, line = connection_to(self.service)(self.config, ServerState(), {}), Line()
        made.connection_made(line)
        return made, line


def talk(steps: Callable[[Server], Awaitable[None]], places: int = 2) -> None:
    async def whole() -> None:
        await asyncio.wait_for(steps(Server(places)), 30)

    asyncio.run(whole())


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_as_many_as_there_are_places_are_heard() -> None:
    async def steps(server: Server) -> None:
        lines = [server.connect() for _ in range(5)]
        for connection, _ in lines:
            connection.data_received(request())
        assert [line.status for _, line in lines] == [0, 0, 429, 429, 429]
        await turns()
        assert server.in_full == server.service.heard == 2
        server.go.set()
        await turns()
        assert [line.status for _, line in lines] == [200, 200, 429, 429, 429]
        assert server.service.heard == 0
        lines[4][0].data_received(request())
        await turns()
        assert lines[4][1].sent.count(b"HTTP/1.1 200") == 1

    talk(steps)


def test_who_leaves_leaves_a_place() -> None:
    async def steps(server: Server) -> None:
        (first, _), (second, line) = server.connect(), server.connect()
        first.data_received(request())
        second.data_received(request())
        assert line.status == 429 and server.service.heard == 1
        await turns()
        first.connection_lost(None)
        assert server.service.heard == 0
        second.data_received(request())
        assert server.service.heard == 1

    talk(steps, places=1)


@pytest.mark.parametrize(
    "data",
    [
        request("host: x", "content-length: 9"),
        request(first="POST /labels HTTP/1.1"),
        request("host: x", first="GET /predict HTTP/1.1", body=b""),
    ],
    ids=["still on its way", "no picture", "no body"],
)
def test_what_asks_for_no_answer_yet_takes_no_place(data: bytes) -> None:
    """Else sixty who send slowly would keep everybody out."""

    async def steps(server: Server) -> None:
        connection, _ = server.connect()
        connection.data_received(data)
        await turns()
        assert server.in_full == 1 and server.service.heard == 0

    talk(steps)


def test_the_next_request_behind_it_changes_nothing() -> None:
    async def steps(server: Server) -> None:
        connection, line = server.connect()
        connection.data_received(request())
        connection.data_received(request())
        await turns()
        assert server.service.heard == 1
        server.go.set()
        await turns()
        assert server.service.heard == 0 and line.sent.count(b"HTTP/1.1 200") == 2

    talk(steps)
