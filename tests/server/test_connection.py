"""Many connections that ask in the same turn of the event loop: as many are heard in full as there
are places, the others are refused before anything else is done, and no place is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
import uvicorn
from tests.server.conftest import pretend
from tests.server.test_overload import request
from uvicorn.server import ServerState

from shortcut.server.application import make_application
from shortcut.server.connection import PAUSE, Connection, connection_to
from shortcut.server.limits import Limits
from shortcut.server.tasks import Result, Task


class Line(asyncio.Transport):
    """What the server sends, kept."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.sent, self.closing, self.paused = b"", False, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    @property
    def status(self) -> int:
        """0 where nothing came."""
        return int(self.sent.split()[1]) if self.sent else 0


class Server:
    """One whose worker answers when `go` is set."""

    def __init__(self, places: int) -> None:
        self.go, self.asked = asyncio.Event(), 0
        self.service = pretend(self.answer, Limits(queue=places, company=0))
        self.app = make_application(self.service)
        self.config = uvicorn.Config(self.app, ws="none", log_config=None)
        self.config.load()

    async def answer(self, tasks: Sequence[Task]) -> list[Result]:
        self.asked += len(tasks)
        await self.go.wait()
        return [{"label": "a"} for _ in tasks]

    def connect(self) -> tuple[Connection, Line]:
        made, line = connection_to(self.service)(self.config, ServerState(), {}), Line()
        made.connection_made(line)
        return made, line

    @property
    def places(self) -> tuple[int, int]:
        """Taken by what is coming, and by what is in the queue or being answered."""
        return self.service.coming, self.service.batcher.waiting


def talk(steps: Callable[[Server], Awaitable[None]], places: int = 2) -> None:
    async def whole() -> None:
        server = Server(places)
        async with server.app.router.lifespan_context(server.app), asyncio.timeout(30):
            await steps(server)

    asyncio.run(whole())


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_as_many_as_there_are_places_are_heard() -> None:
    async def steps(server: Server) -> None:
        lines = [server.connect() for _ in range(5)]
        for connection, _ in lines:
            connection.data_received(request())
        assert [line.status for _, line in lines] == [0, 0, 429, 429, 429]
        assert server.places == (2, 0)
        await asyncio.sleep(0)
        assert server.places == (0, 2)
        server.go.set()
        await turns()
        assert [line.status for _, line in lines] == [200, 200, 429, 429, 429]
        assert server.places == (0, 0) and server.asked == 2
        lines[4][0].data_received(request())
        await turns()
        assert lines[4][1].sent.count(b"HTTP/1.1 200") == 1

    talk(steps)


def test_who_was_refused_is_read_again_a_moment_later_together_with_others() -> None:
    async def steps(server: Server) -> None:
        lines = [server.connect() for _ in range(4)]
        for connection, _ in lines:
            connection.data_received(request())
        assert [line.paused for _, line in lines] == [False, True, True, True]
        lines[3][1].close()
        lines[3][0].connection_lost(None)
        await asyncio.sleep(20 * PAUSE)
        assert not any(line.paused for _, line in lines) and not server.service.paused
        lines[1][0].data_received(request())
        assert lines[1][1].paused
        server.go.set()

    talk(steps, places=1)


def test_a_body_that_comes_later_counts_when_it_is_whole() -> None:
    """As most clients send it, and every large picture; who sends slowly keeps no place."""

    async def steps(server: Server) -> None:
        (slow, waits), (second, _) = server.connect(), server.connect()
        slow.data_received(request("host: x", "content-length: 3", body=b""))
        await turns()
        assert server.places == (0, 0)
        slow.data_received(b"ab")
        assert server.places == (0, 0)
        slow.data_received(b"c")
        assert server.places == (1, 0)
        second.data_received(request())
        third, refused = server.connect()
        third.data_received(request())
        assert refused.status == 429 and server.places == (2, 0)
        await asyncio.sleep(0)
        assert server.places == (0, 2)
        server.go.set()
        await turns()
        assert waits.status == 200

    talk(steps)


def test_who_leaves_leaves_a_place() -> None:
    async def steps(server: Server) -> None:
        (first, _), (second, line) = server.connect(), server.connect()
        first.data_received(request())
        second.data_received(request())
        assert line.status == 429 and server.places == (1, 0)
        first.connection_lost(None)
        server.go.set()
        await turns()
        assert server.places == (0, 0)
        second.data_received(request())
        await turns()
        assert line.sent.count(b"HTTP/1.1 200") == 1

    talk(steps, places=1)


def test_who_does_not_read_the_answer_keeps_no_place() -> None:
    async def steps(server: Server) -> None:
        (deaf, _), (other, line) = server.connect(), server.connect()
        deaf.data_received(request())
        deaf.pause_writing()
        server.go.set()
        await turns()
        assert server.places == (0, 0)
        other.data_received(request())
        await turns()
        assert line.status == 200
        deaf.resume_writing()  # uvicorn would wait for it even when it is cancelled

    talk(steps, places=1)


@pytest.mark.parametrize(
    "data",
    [
        request("host: x", "content-length: 9"),
        request(first="POST /labels HTTP/1.1"),
        request("host: x", first="GET /predict HTTP/1.1", body=b""),
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 3 3\r\n\r\nabc",
    ],
    ids=["still on its way", "no picture", "no body", "no request"],
)
def test_what_brings_no_picture_takes_no_place(data: bytes) -> None:
    async def steps(server: Server) -> None:
        connection, _ = server.connect()
        connection.data_received(data)
        assert server.places == (0, 0)
        await turns()
        assert server.places == (0, 0)

    talk(steps)


def test_the_next_request_behind_it_takes_its_place_later() -> None:
    async def steps(server: Server) -> None:
        connection, line = server.connect()
        connection.data_received(request())
        connection.data_received(request())
        assert server.places == (1, 0)
        server.go.set()
        await turns()
        assert server.places == (0, 0) and line.sent.count(b"HTTP/1.1 200") == 2

    talk(steps)


def test_pictures_of_a_form_and_others_share_the_places() -> None:
    part = b'--x\r\ncontent-disposition: form-data; name="a"; filename="a"\r\n\r\nabc\r\n'
    content = 2 * part + b"--x--\r\n"
    told = f"content-length: {len(content)}", "content-type: multipart/form-data; boundary=x"

    async def steps(server: Server) -> None:
        (form, _), (first, _), (second, line) = (server.connect() for _ in range(3))
        form.data_received(request("host: x", *told, body=content))
        while server.places != (0, 2):  # taken apart in a thread
            await asyncio.sleep(0.01)
        first.data_received(request())
        second.data_received(request())
        assert server.places == (1, 2) and line.status == 429
        server.go.set()

    talk(steps, places=3)
