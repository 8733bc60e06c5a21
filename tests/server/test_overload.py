"""While the queue is full: what is refused from its first lines gets the answer that it would have
got in full, and nothing is refused so that is not plainly the beginning of one request."""

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import h11
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.classifier.made import encoded, noise
from tests.server.conftest import Server, asked, jpeg, pretend, started

from shortcut.server.limits import Limits
from shortcut.server.overload import Refused, refused_at_once
from shortcut.server.service import Service
from shortcut.server.tasks import Result, Task

GOOD = encoded(noise(60, 44), "PNG")


async def never(tasks: Sequence[Task]) -> list[Result]:
    raise AssertionError(tasks)


def full(token: str | None = None) -> Service:
    return pretend(never, Limits(queue=0), token=token)


def request(*lines: str, first: str = "POST /predict HTTP/1.1", body: bytes = b"abc") -> bytes:
    told = lines or ("host: here", f"content-length: {len(body)}")
    return "\r\n".join((first, *told, "", "")).encode() + body


def refused(data: bytes, service: Service) -> Refused:
    found = refused_at_once(data, service)
    assert found is not None
    return found


def parsed(data: bytes) -> tuple[h11.Response, dict[str, object]]:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    client.receive_data(data)
    response, body, end = (client.next_event() for _ in range(3))
    assert isinstance(response, h11.Response) and isinstance(body, h11.Data)
    assert isinstance(end, h11.EndOfMessage) and client.trailing_data == (b"", False)
    return response, json.loads(body.data)


@pytest.mark.parametrize("number", ["mine", "a" * 64, "a" * 65, "é", "a b", ""])
def test_it_is_the_answer_that_is_given_in_full(number: str) -> None:
    told = f"x-request-id: {number}".encode("latin-1")
    lines = b"POST /predict HTTP/1.1", b"host: here", b"content-length: 3", told, b"", b"abc"
    first, body = parsed(refused(b"\r\n".join(lines), full()).response)

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        headers = {b"x-request-id": number.encode("latin-1")}
        return await client.post("/predict", content=b"abc", headers=headers)

    whole = asked(full(), talk)
    assert isinstance(whole, httpx.Response)
    found = {name.decode(): value.decode() for name, value in first.headers}
    expected, answer = dict(whole.headers), whole.json()
    if number not in ("mine", "a" * 64):
        for known in (found, expected):
            assert re.fullmatch("[0-9a-f]{16}", known.pop("x-request-id"))
        for told_in_body in (body, answer):
            assert re.fullmatch("[0-9a-f]{16}", str(told_in_body.pop("request_id")))
    assert (first.status_code, body, found) == (whole.status_code, answer, expected)


def test_what_is_kept_of_a_response_is_what_stays() -> None:
    """Not the date, nor the number of the request, nor after how many seconds to come again."""
    seen: list[tuple[bytes, bytes, object]] = []
    for date, number, hurry in [
        *((b"Mon", "one", False), (b"Mon", "two", False), (b"Tue", "two", False)),
        *((b"Tue", "three", False), (b"Tue", "three", True), (b"Mon", "one", False)),
    ]:
        service = full()
        service.supervisor.ready = not hurry
        data = request("host: x", "content-length: 3", f"x-request-id: {number}")
        found = refused_at_once(data, service, [(b"date", date)])
        assert found is not None
        told, body = parsed(found.response)
        headers = dict(told.headers)
        assert headers[b"x-request-id"].decode() == body["request_id"] == number
        seen.append((headers[b"date"], headers[b"retry-after"], body["request_id"]))
    assert seen == [
        *((b"Mon", b"1", "one"), (b"Mon", b"1", "two"), (b"Tue", b"1", "two")),
        *((b"Tue", b"1", "three"), (b"Tue", b"2", "three"), (b"Mon", b"1", "one")),
    ]


def test_it_is_counted_and_has_a_number() -> None:
    service = full()
    for _ in range(3):
        _, body = parsed(refused(request(first="POST /explain HTTP/1.1"), service).response)
        assert re.fullmatch("[0-9a-f]{16}", str(body["request_id"]))
    assert b'shortcut_requests_total{route="explain",status="429"} 3.0' in service.meters.text()


def test_a_worker_that_is_away_is_another_reason() -> None:
    service = full()
    service.supervisor.ready = False
    told, _ = parsed(refused(request(), service).response)
    assert told.status_code == 503 and dict(told.headers)[b"retry-after"] == b"2"


@pytest.mark.parametrize(
    "lines",
    [
        ["host: here", "content-length: 2"],
        ["host: here", "content-length: " + "9" * 5000],
        ["host: here", "content-length: 99999999"],
        ["host: here", "content-length: 3", "content-type: application/json"],
        ["host: here", "content-length: 3", "content-encoding: gzip"],
        ["host: here", "content-length: 3", "a: b\x0bc"],
        ["host: here", "content-length: 3", "accept: a", "Accept: b"],
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


def test_a_form_is_never_explained() -> None:
    lines = ["host: here", "content-length: 3", "content-type: multipart/form-data; boundary=x"]
    assert refused_at_once(request(*lines), full()) is not None
    assert refused_at_once(request(*lines, first="POST /explain HTTP/1.1"), full()) is None


def test_the_body_may_be_on_its_way() -> None:
    assert refused(request("host: x", "content-length: 9"), full()).rest == 6


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


LINES = [
    *(b"Host: y\r\n", b"content-length: 3\r\n", b"content-length:\t3 \r\n", b"a: b\r\n", b"a:\r\n"),
    *(b"Content-Length: 03\r\n", b"content-length: 3, 3\r\n", b"content-length: -3\r\n"),
    *(b"transfer-encoding: chunked\r\n", b" folded\r\n", b":\r\n", b"x-request-id: 1\r\n"),
    *(b"accept: */*\r\n", b"user-agent: c\r\n", b"connection: keep-alive\r\n", b"b: \xff\r\n"),
    *(b"c: \x0b\r\n", b"d: \x85e\r\n", b"e: f\n", b"f: g\r\r\n", b"g : h\r\n", b"h: \x00\r\n"),
]


@st.composite
def nearly_plain(draw: st.DrawFn) -> bytes:
    """A plain request with lines in between, and now and then a byte changed."""
    lines = draw(st.lists(st.sampled_from(LINES), max_size=2))
    head = [b"POST /predict HTTP/1.1\r\nhost: x\r\n", *lines, b"content-length: 3\r\n\r\n"]
    data = bytearray(b"".join([*head, b"abc"]))
    if draw(st.integers(0, 3)) == 0:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


SEEN: list[bool] = []
"""Whether each example was refused."""


@settings(max_examples=300)
@given(nearly_plain())
def _no_other_request(data: bytes) -> None:
    found = refused_at_once(data, full())
    SEEN.append(found is not None)
    if found is None:
        return
    server = h11.Connection(h11.SERVER)
    server.receive_data(data + bytes(found.rest))
    head, *events = (server.next_event() for _ in range(3))
    assert isinstance(head, h11.Request) and head.target in (b"/predict", b"/explain")
    ends = [one for one in events if isinstance(one, h11.EndOfMessage)]
    assert ends and server.trailing_data[0] == b""


def test_what_is_refused_at_once_is_one_whole_request_to_the_parser_too() -> None:
    """Else two programs in a row could see different requests in the same bytes (smuggling)."""
    SEEN.clear()
    _no_other_request()
    assert sum(SEEN) > len(SEEN) / 20


def answers(line: socket.socket, count: int) -> list[tuple[int, dict[str, object]]]:
    """So many responses, read from a connection."""
    client, found = h11.Connection(h11.CLIENT), list[tuple[int, dict[str, object]]]()
    client.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    status, body = 0, b""
    while len(found) < count:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(line.recv(1 << 16))
        elif isinstance(event, h11.Response):
            status, body = event.status_code, b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            found.append((status, json.loads(body)))
            client.start_next_cycle()
            client.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
            client.send(h11.EndOfMessage())
    return found


def connected(server: Server) -> socket.socket:
    host, port = server.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 30)


@contextmanager
def the_place_taken(server: Server) -> Iterator[Future[httpx.Response]]:
    """A request that has the only place of a queue: its worker stands still meanwhile."""
    worker = server.worker()
    with ThreadPoolExecutor(1) as pool:
        os.kill(worker, signal.SIGSTOP)
        try:
            first = pool.submit(server.post, GOOD)
            time.sleep(1.5)
            yield first
        finally:
            os.kill(worker, signal.SIGCONT)


def test_one_connection_goes_on_behind_refusals(model: Path) -> None:
    """Of a real server without a queue: bodies of refused requests are thrown away, in whatever
    pieces they come, and no byte of them is taken for a request."""
    content = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
    told = ["host: x", f"content-length: {len(content)}", "connection: keep-alive"]
    whole = request(*told, body=content)
    with started(model, "--queue", "1") as server, connected(server) as line:
        with the_place_taken(server) as first:
            line.sendall(whole)
            assert answers(line, 1)[0][0] == 429
            for part in (whole[:-40], whole[-40:-9], whole[-9:]):
                line.sendall(part)
                time.sleep(0.05)
            assert answers(line, 1)[0][0] == 429
        assert first.result().status_code == 200
        line.sendall(request("host: x", f"content-length: {len(GOOD)}", body=GOOD))
        assert answers(line, 1)[0][0] == 200
        counted = server.get("/metrics").text
    assert 'shortcut_requests_total{route="predict",status="429"} 2.0' in counted


def test_who_reads_no_answers_is_not_answered_without_end(model: Path) -> None:
    """A client that only sends would fill the memory with refusals: after some it is not read."""
    one = request("host: x", "content-length: 3")
    with (
        started(model, "--queue", "1") as server,
        connected(server) as line,
        the_place_taken(server),
    ):
        line.settimeout(2)
        with pytest.raises(TimeoutError):
            for _ in range(2000):
                line.sendall(one * 1000)


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


def test_who_waits_to_be_told_to_go_on_and_is_refused_is_hung_up_on(model: Path) -> None:
    """He may send the next request where the body was to come."""
    with started(model, "--max-body", "1") as server, connected(server) as line:
        line.sendall(
            request("host: x", "content-length: 9000000", "expect: 100-continue", body=b"")
        )
        said = line.recv(4096)
        assert said.startswith(b"HTTP/1.1 413") and b"connection: close" in said.lower()
