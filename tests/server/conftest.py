"""Real servers in processes of their own, and one in this process whose worker is made up."""

import asyncio
import io
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.classifier.made import encoded, make, noise

from shortcut.server.application import make_application
from shortcut.server.batching import Batcher
from shortcut.server.limits import Limits
from shortcut.server.meters import Meters
from shortcut.server.service import Service
from shortcut.server.supervisor import Supervisor
from shortcut.server.tasks import Result, Task
from shortcut.server.worker import Model

CLASSES = ("cat", "dog", "<img src=x onerror=alert(1)>")


@dataclass
class Server:
    """A real one."""

    process: subprocess.Popen[str]
    address: str

    def worker(self) -> int:
        """The process id of its worker."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        (worker,) = [
            int(child)
            for file in tasks
            for child in file.read_text().split()
            if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()
        ]
        return worker

    def wait_until_asked(self, pictures: int = 1) -> None:
        """Until so many pictures are in the queue or being answered."""
        for _ in range(300):
            if f"shortcut_waiting_pictures {pictures:.1f}" in self.get("/metrics").text:
                return
            time.sleep(0.1)
        raise AssertionError(f"{pictures} pictures have not come")

    def said(self) -> str:
        """Of what it says besides where it listens, all; it must have ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def post(self, content: bytes, path: str = "/predict", **options: object) -> httpx.Response:
        body = {} if "files" in options else {"content": content}
        return httpx.post(self.address + path, timeout=30, **body, **options)  # type: ignore[arg-type]

    def get(self, path: str, **options: object) -> httpx.Response:
        return httpx.get(self.address + path, timeout=30, **options)


@contextmanager
def started(model: Path, *words: object) -> Iterator[Server]:
    """A server on a free port, the first of a group of processes."""
    command = [sys.executable, "-m", "shortcut", "serve", str(model), "--port", "0"]
    process = subprocess.Popen(
        [*command, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"at (http://\S+)", line)
        assert found, f"{line}{process.stderr.read() if process.stderr else ''}"
        yield Server(process, found[1])
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class Crowd:
    """Clients that ask again and again, and note what came."""

    def __init__(self, address: str, count: int = 8) -> None:
        self.address, self.stop = address, threading.Event()
        self.statuses: list[int] = []
        self.lost: list[str] = []
        self.threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def _ask(self) -> None:
        content = jpeg()
        with httpx.Client(timeout=30) as client:
            while not self.stop.is_set():
                try:
                    answer = client.post(f"{self.address}/predict", content=content)
                except httpx.ConnectError:
                    return  # nobody listens any more: nothing was promised
                except httpx.HTTPError as error:
                    self.lost.append(repr(error))
                    continue
                self.statuses.append(answer.status_code)

    def __enter__(self) -> "Crowd":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model file."""
    path = tmp_path_factory.mktemp("served") / "small.safetensors"
    made = make(size=32, classes=CLASSES)
    made.metrics = {"val_accuracy": 0.9, "val_images": 50}
    made.save(path)
    return path


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Server]:
    """One for all tests of a file."""
    with started(model) as running:
        yield running


@pytest.fixture
def picture() -> bytes:
    """A PNG."""
    return encoded(noise(40, 50), "PNG")


Ask = Callable[[Sequence[Task]], Awaitable[list[Result]]]


class Pretended(Supervisor):
    """One without a process."""

    def __init__(self, ask: Ask, limits: Limits) -> None:
        super().__init__(Model(Path("none")), limits)
        self._pretend = ask
        self.ready = True
        self.facts = {"name": "none", "classes": ["a", "b"], "image_size": 8, "version": "0"}
        self.facts |= {"tells_unlike": False, "engine": "torch"}

    async def ask(self, tasks: Sequence[Task]) -> list[Result]:
        return await self._pretend(tasks)

    async def watch(self, gave_up: Callable[[], None]) -> None:
        await asyncio.Event().wait()


def pretend(ask: Ask, limits: Limits, **options: object) -> Service:
    """A service whose answers come from `ask`."""
    supervisor, meters = Pretended(ask, limits), Meters()
    batcher = Batcher(supervisor.ask, limits, meters.batches.observe)
    service = Service(supervisor, batcher, meters, limits, **options)  # type: ignore[arg-type]
    meters.observe(lambda: batcher.waiting, lambda: service.ready, lambda: supervisor.lost)
    return service


def asked(
    service: Service, talk: Callable[[httpx.AsyncClient], Awaitable[object]], **options: object
) -> object:
    """What `talk` returns, which is given a client of an application with this service."""

    async def whole() -> object:
        app = make_application(service, **options)  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://here") as client,
        ):
            return await talk(client)

    return asyncio.run(whole())


def jpeg(width: int = 40, height: int = 30) -> bytes:
    content = io.BytesIO()
    noise(width, height).save(content, "JPEG")
    return content.getvalue()
