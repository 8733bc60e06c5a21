"""Too much, too long, too often, without a token: an answer that says so, and nothing else
suffers."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from tests.server.conftest import Server, asked, jpeg, pretend, started

from shortcut.server.limits import Limits
from shortcut.server.tasks import Refusal, Result, Task

ANSWER = {"label": "a"}


async def at_once(tasks: Sequence[Task]) -> list[Result]:
    return [
        Refusal("unreadable", "no picture.") if task.picture == b"bad" else dict(ANSWER)
        for task in tasks
    ]


def test_one_bad_picture_of_eight_spoils_no_other() -> None:
    async def talk(client: httpx.AsyncClient) -> list[int]:
        contents = [b"good"] * 3 + [b"bad"] + [b"good"] * 4
        answers = await asyncio.gather(*(client.post("/predict", content=c) for c in contents))
        return [answer.status_code for answer in answers]

    service = pretend(at_once, Limits(batch=8, company=0.02))
    assert asked(service, talk) == [200] * 3 + [422] + [200] * 4


def test_no_answer_in_time_and_the_place_is_free_again() -> None:
    calls = 0

    async def sleeping(tasks: Sequence[Task]) -> list[Result]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.6 if calls == 1 else 0)
        return [dict(ANSWER) for _ in tasks]

    async def talk(client: httpx.AsyncClient) -> None:
        started = time.monotonic()
        late = await client.post("/predict", content=b"x")
        assert (late.status_code, late.json()["error"]["code"]) == (504, "too-slow")
        assert time.monotonic() - started >= 0.25
        await asyncio.sleep(0.5)
        assert (await client.post("/predict", content=b"x")).status_code == 200

    service = pretend(sleeping, Limits(timeout=0.3, queue=1))
    asked(service, talk)
    assert service.batcher.waiting == 0


def test_who_finds_the_queue_full_is_told() -> None:
    async def never(tasks: Sequence[Task]) -> list[Result]:
        await asyncio.sleep(0.5)
        return [dict(ANSWER) for _ in tasks]

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        return await asyncio.gather(*(client.post("/predict", content=b"x") for _ in range(12)))

    answers = asked(pretend(never, Limits(batch=1, queue=2, company=0)), talk)
    busy = [one for one in answers if one.status_code == 429]  # type: ignore[attr-defined]
    assert len(busy) == 10
    assert all(int(one.headers["retry-after"]) >= 1 for one in busy)
    assert all(one.json()["error"]["code"] == "busy" for one in busy)


def test_a_fault_of_ours_tells_nothing() -> None:
    async def wrong(tasks: Sequence[Task]) -> list[Result]:
        return [{"label": object()} for _ in tasks]  # which JSON cannot say

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/predict", content=b"x")

    service = pretend(wrong, Limits())
    answer = asked(service, talk)
    assert answer.status_code == 500  # type: ignore[attr-defined]
    assert "default-src 'none'" in answer.headers["content-security-policy"]  # type: ignore[attr-defined]
    assert b'route="predict",status="500"} 1.0' in service.meters.text()
    assert answer.json()["error"]["code"] == "fault"  # type: ignore[attr-defined]
    assert "object" not in answer.text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, False),
        ({"authorization": "Bearer secret"}, True),
        ({"authorization": "Bearer secre"}, False),
        ({"authorization": "Bearer secrets"}, False),
        ({"authorization": "bearer SECRET"}, False),
        ({"authorization": "secret"}, False),
        ({"authorization": "Bearer " + "x" * 10_000}, False),
        ([("authorization", "Bearer secret"), ("authorization", "Bearer x")], False),
    ],
)
def test_tokens(headers: dict[str, str], passes: bool) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        for method, path in (("POST", "/predict"), ("GET", "/metrics"), ("GET", "/labels")):
            answer = await client.request(method, path, headers=headers, content=b"x")
            assert (answer.status_code != 401) == passes, path
        query = await client.post("/predict?token=secret", content=b"x")
        assert query.status_code == 401
        for path in ("/", "/static/page.js", "/healthz", "/readyz", "/model", "/v2/health/live"):
            assert (await client.get(path)).status_code == 200, path

    asked(pretend(at_once, Limits(), token="secret"), talk)


def test_other_pages_may_not_ask_unless_they_are_named() -> None:
    origin = {"origin": "https://there.example"}
    preflight = origin | {"access-control-request-method": "POST"}

    async def talk(client: httpx.AsyncClient) -> list[str | None]:
        first = await client.options("/predict", headers=preflight)
        second = await client.post("/predict", headers=origin, content=b"x")
        return [one.headers.get("access-control-allow-origin") for one in (first, second)]

    service = pretend(at_once, Limits())
    assert asked(service, talk) == [None, None]
    named = pretend(at_once, Limits())
    assert asked(named, talk, origins=["https://there.example"]) == ["https://there.example"] * 2
    other = pretend(at_once, Limits())
    assert asked(other, talk, origins=["https://elsewhere.example"]) == [None, None]


def test_a_named_page_may_ask_with_its_token() -> None:
    origin = {"origin": "https://there.example"}
    preflight = origin | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }

    async def talk(client: httpx.AsyncClient) -> None:
        assert (await client.options("/predict", headers=preflight)).status_code == 200
        secret = origin | {"authorization": "Bearer secret"}
        answer = await client.post("/predict", headers=secret, content=b"x")
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://there.example"
        refused = await client.post("/predict", headers=origin, content=b"x")
        assert refused.status_code == 401 and "access-control-allow-origin" in refused.headers

    service = pretend(at_once, Limits(), token="secret")
    asked(service, talk, origins=["https://there.example"])


def test_after_a_fault_others_are_answered() -> None:
    calls = 0

    async def once_wrong(tasks: Sequence[Task]) -> list[Result]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise MemoryError
        return [dict(ANSWER) for _ in tasks]

    async def talk(client: httpx.AsyncClient) -> list[int]:
        return [(await client.post("/predict", content=b"x")).status_code for _ in range(2)]

    assert asked(pretend(once_wrong, Limits()), talk) == [503, 200]


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../limits.py", "/static/%2e%2e/limits.py", "/static/..%2flimits.py"),
        *("/static//etc/passwd", "/static/page.js%00", "/static/page.js/", "/../../etc/passwd"),
        *("/static/", "/static", "/none", "/static/index.html", "/predict/", "/@host"),
    ],
)
def test_paths_lead_nowhere_else(path: str) -> None:
    async def talk(client: httpx.AsyncClient) -> int:
        return (await client.get(path)).status_code

    assert asked(pretend(at_once, Limits()), talk) in (307, 404, 405)


def test_headers_keep_browsers_safe() -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        for path in ("/", "/none", "/healthz"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert "server" not in headers
        own = await client.get("/healthz", headers={"x-request-id": "abc-1"})
        assert own.headers["x-request-id"] == "abc-1"
        made = await client.get("/healthz", headers={"x-request-id": "<script>"})
        assert len(made.headers["x-request-id"]) == 16
        assert (await client.put("/predict")).status_code == 405

    asked(pretend(at_once, Limits()), talk)


# With real sockets.


@pytest.fixture(scope="module")
def small(model: Path):
    with started(model, "--max-body", 1) as server:
        yield server


def test_bodies_that_are_too_long(small: Server) -> None:
    assert small.post(bytes(2 << 20)).status_code == 413
    pieces = (bytes(1 << 16) for _ in range(64))  # in chunks, whose length nobody tells
    answer = httpx.post(f"{small.address}/predict", content=pieces, timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-large")
    packed = small.post(b"x", headers={"content-encoding": "gzip"})
    assert (packed.status_code, packed.json()["error"]["code"]) == (415, "packed")
    form = [("f", (f"{n}.jpg", b"x")) for n in range(40)]
    assert small.post(b"", files=form).status_code == 413
    assert small.post(jpeg()).status_code == 200


def test_requests_that_are_none(small: Server) -> None:
    host, port = small.address.removeprefix("http://").split(":")
    for sent in (
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + bytes(1 << 20),
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000,
        b"\x00\x01\x02\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=15) as line:
            try:
                line.sendall(sent)
                answer = line.recv(1 << 16)
            except ConnectionError:
                continue
            assert answer.startswith(b"HTTP/1.1 4") or not answer
    assert small.get("/healthz").status_code == 200


def test_many_single_bytes(small: Server) -> None:
    pieces = (b"x" for _ in range(20_000))
    answer = httpx.post(f"{small.address}/predict", content=pieces, timeout=60)
    assert answer.status_code == 422


def test_busy_is_said_before_the_body_comes() -> None:
    """Only headers are sent: who waited for the body would wait for ever."""
    read = 0

    async def never(tasks: Sequence[Task]) -> list[Result]:
        await asyncio.sleep(1)
        return [dict(ANSWER) for _ in tasks]

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"x"

    async def talk(client: httpx.AsyncClient) -> int:
        first = asyncio.create_task(client.post("/predict", content=b"x"))
        await asyncio.sleep(0.1)
        refused = await client.post("/predict", content=body())
        first.cancel()
        return refused.status_code

    assert asked(pretend(never, Limits(batch=1, queue=1, company=0)), talk) == 429
    assert read == 0
