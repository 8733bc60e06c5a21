"""While the queue is full: what is refused from its bytes gets the answer that it would have got
in full, and nothing is refused so that is not plainly one whole request."""

import asyncio
import json
import re
import socket
from collections.abc import Sequence
from pathlib import Path

import h11
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.conftest import Server, asked, jpeg, pretend, started

from shortcut.server.limits import Limits
from shortcut.server.overload import refused_at_once
from shortcut.server.service import Service
from shortcut.server.tasks import Result, Task


async def never(tasks: Sequence[Task]) -> list[Result]:
    raise AssertionError(tasks)


def full(token: str | None = None) -> Service:
    return pretend(never, Limits(queue=0), token=token)


def request(*lines: str, first: str = "POST /predict HTTP/1.1", body: bytes = b"abc") -> bytes:
    told = lines or ("host: here", f"content-length: {len(body)}")
    return "\r\n".join((first, *told, "", "")).encode() + body


def parsed(data: bytes) -> tuple[h11.Response, dict[str, object]]:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    client.receive_data(data)
    response, body, end = (client.next_event() for _ in range(3))
    assert isinstance(response, h11.Response) and isinstance(body, h11.Data)
    assert isinstance(end, h11.EndOfMessage) and client.trailing_data == (b"", False)
    return response, json.loads(body.data)


def test_it_is_the_answer_that_is_given_in_full() -> None:
    sent = ["host: here", "content-length: 3", "x-request-id: mine"]
    told, body = parsed(refused_at_once(request(*sent), full()) or b"")

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/predict", content=b"abc", headers={"x-request-id": "mine"})

    whole = asked(full(), talk)
    assert isinstance(whole, httpx.Response)
    assert (told.status_code, body) == (whole.status_code, whole.json())
    assert {name.decode(): value.decode() for name, value in told.headers} == dict(whole.headers)


def test_it_is_counted_and_has_a_number() -> None:
    service = full()
    for _ in range(3):
        _, body = parsed(refused_at_once(request(first="POST /explain HTTP/1.1"), service) or b"")
        assert re.fullmatch("[0-9a-f]{16}", str(body["request_id"]))
    assert b'shortcut_requests_total{route="explain",status="429"} 3.0' in service.meters.text()


def test_a_worker_that_is_away_is_another_reason() -> None:
    service = full()
    service.supervisor.ready = False
    told, _ = parsed(refused_at_once(request(), service) or b"")
    assert told.status_code == 503 and dict(told.headers)[b"retry-after"] == b"2"


@pytest.mark.parametrize(
    "lines",
    [
        ["host: here", "content-length: 2"],
        ["host: here", "content-length: 4"],
        ["host: here", "content-length: 3", "content-length: 3"],
        ["host: here", "content-length: +3"],
        ["host: here", "content-length: ３"],
        ["host: here", "content-length:"],
        ["host: here"],
        ["content-length: 3"],
        ["host: here", "host: there", "content-length: 3"],
        ["host: here", "content-length : 3"],
        ["host: here", " content-length: 3"],
        ["host: here", "content-length: 3", "transfer-encoding: chunked"],
        ["host: here", "content-length: 3", "Expect: 100-continue"],
        ["host: here", "content-length: 3", "connection: close"],
        ["host: here", "content-length: 3", "origin: https://there.example"],
        ["host: here", "content-length: 3", "a\x00b: c"],
        ["host: here", "content-length: 3", "a: b\nc: d"],
    ],
)
def test_anything_unusual_is_heard_in_full(lines: list[str]) -> None:
    assert refused_at_once(request(*lines), full()) is None


@pytest.mark.parametrize(
    "first",
    [
        *("GET /predict HTTP/1.1", "POST /predict HTTP/1.0", "POST /predict?class=a HTTP/1.1"),
        *("POST /predict/ HTTP/1.1", "POST /labels HTTP/1.1", "post /predict HTTP/1.1"),
        *("POST  /predict HTTP/1.1", " POST /predict HTTP/1.1", "POST http://x/predict HTTP/1.1"),
    ],
)
def test_other_first_lines_are_heard_in_full(first: str) -> None:
    assert refused_at_once(request(first=first), full()) is None


def test_where_there_is_room_or_the_end_is_near_all_are_heard() -> None:
    assert refused_at_once(request(), pretend(never, Limits())) is None
    ending = full()
    ending.draining = True
    assert refused_at_once(request(), ending) is None


def test_strangers_are_heard_in_full() -> None:
    lines = ["host: here", "content-length: 3"]
    assert refused_at_once(request(*lines), full("secret")) is None
    wrong = request(*lines, "authorization: Bearer secre")
    assert refused_at_once(wrong, full("secret")) is None
    twice = request(*lines, *["authorization: Bearer secret"] * 2)
    assert refused_at_once(twice, full("secret")) is None
    assert refused_at_once(request(*lines, "Authorization: Bearer secret"), full("secret"))


PIECES = [
    *(b"POST /predict HTTP/1.1\r\n", b"POST /predict HTTP/1.1\n", b"host: x\r\n", b"Host: y\r\n"),
    *(b"content-length: 3\r\n", b"content-length:\t3 \r\n", b"Content-Length: 03\r\n"),
    *(b"content-length: 3, 3\r\n", b"content-length: -3\r\n", b"transfer-encoding: chunked\r\n"),
    *(b"a: b\r\n", b"a:\r\n", b" folded\r\n", b"\r\n", b"\n", b"abc", b"0\r\n\r\n", b":\r\n"),
    *(b"x-request-id: 1\r\n", b"\x00", b"a: \xff\r\n", b"\r", b"a: \x0b\r\n", b"a: \x85b\r\n"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=5))
def test_what_is_refused_at_once_is_one_whole_request_to_the_parser_too(
    middle: list[bytes],
) -> None:
    """Else two programs in a row could see different requests in the same bytes (smuggling)."""
    data = b"".join([PIECES[0], b"host: x\r\n", *middle])
    if refused_at_once(data, full()) is None:
        return
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    head, body, end = (server.next_event() for _ in range(3))
    assert isinstance(head, h11.Request) and head.target == b"/predict"
    assert isinstance(body, h11.Data | h11.EndOfMessage)
    assert isinstance(end, h11.EndOfMessage) or end is h11.PAUSED
    assert server.trailing_data[0] == b""


def test_one_connection_goes_on_behind_refusals(model: Path) -> None:
    """A real server that takes one picture at a time: of two who ask again and again each gets
    answers and refusals on the connection that it has, and all are whole."""
    with started(model, "--queue", "1") as server:
        asyncio.run(_two_who_insist(server))


async def _two_who_insist(server: Server) -> None:
    content = jpeg(600, 400)
    seen: list[int] = []

    async def insist() -> None:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as client:
            for _ in range(40):
                answer = await client.post(f"{server.address}/predict", content=content)
                seen.append(answer.status_code)
                assert ("label" if answer.status_code == 200 else "error") in answer.json()

    await asyncio.gather(*(insist() for _ in range(4)))
    assert set(seen) == {200, 429} and len(seen) == 160


def test_bodies_of_all_together_are_bounded() -> None:
    async def slow(tasks: Sequence[Task]) -> list[Result]:
        await asyncio.sleep(0.2)
        return [{"label": "a"} for _ in tasks]

    async def talk(client: httpx.AsyncClient) -> list[int]:
        contents = [b"x" * 600] * 3
        answers = await asyncio.gather(*(client.post("/predict", content=c) for c in contents))
        assert (await client.post("/predict", content=b"x" * 900)).status_code == 200
        return sorted(answer.status_code for answer in answers)

    service = pretend(slow, Limits(memory=1200, company=0))
    assert asked(service, talk) == [200, 200, 429]
    assert service.memory.held == 0


def test_headers_that_come_in_pieces_are_heard(model: Path) -> None:
    with started(model, "--queue", "1") as server:
        host, port = server.address.removeprefix("http://").split(":")
        content = jpeg()
        with socket.create_connection((host, int(port)), 10) as line:
            whole = request("host: x", f"content-length: {len(content)}", body=content)
            for part in (whole[:9], whole[9:40], whole[40:]):
                line.sendall(part)
            assert line.recv(12) == b"HTTP/1.1 200"


def test_who_sends_too_much_is_told_while_he_still_sends(model: Path) -> None:
    """A connection that is closed over unread bytes takes the answer along."""
    with started(model, "--max-body", "1") as server:
        host, port = server.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 10) as line:
            line.sendall(request("host: x", f"content-length: {8 << 20}", body=b""))
            for _ in range(8):
                line.sendall(bytes(1 << 20))
            assert line.recv(12) == b"HTTP/1.1 413"
