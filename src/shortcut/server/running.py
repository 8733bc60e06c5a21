"""From a model to a server that listens: first the place to listen at, then the model, then doors
open; and at the end the same backwards."""

import asyncio
import contextlib
import ctypes
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn

from shortcut.errors import RecipeError, ResourceError
from shortcut.server.application import make_application
from shortcut.server.batching import Batcher
from shortcut.server.connection import connection_to
from shortcut.server.limits import Limits
from shortcut.server.meters import Meters
from shortcut.server.service import Service
from shortcut.server.supervisor import Supervisor
from shortcut.server.worker import Model

LONGEST_HEADERS = 64 << 10
"""Bytes of a request's first lines."""
BACKLOG = 2048
SO_ATTACH_FILTER, RETURN = 26, 0x06
"""Linux's numbers, which Python does not name: `asm-generic/socket.h`, and `BPF_RET | BPF_K` of
`linux/bpf_common.h`."""
HEARING = 0.3
"""Seconds at the very end, for requests on lines that are open already."""


def serve(
    model: Model,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    origins: Sequence[str] = (),
    limits: Limits | None = None,
    listening: Callable[[str], object] = print,
) -> None:
    """Answer over HTTP until SIGTERM or Ctrl-C; then what has begun is answered first.

    Args:
        token: that every request must show, but for health and the page.
        origins: pages of other servers that may ask.
        listening: told the address once the model is loaded and requests are taken.

    Raises:
        RecipeError: the address cannot be taken.
        ModelError: the model cannot be loaded.
        ResourceError: too many workers died.
    """
    limits = limits or Limits()
    with _bound(host, port) as place:
        supervisor, meters = Supervisor(model, limits), Meters()
        try:
            supervisor.start()
            batcher = Batcher(supervisor.ask, limits, meters.batches.observe)
            service = Service(supervisor, batcher, meters, limits, token)
            meters.observe(lambda: batcher.waiting, lambda: service.ready, lambda: supervisor.lost)
            server = _Server(service, origins, lambda: listening(_address(place)))
            server.run(sockets=[place])
        finally:
            supervisor.stop()
    if server.gave_up:
        raise ResourceError(
            f"the process that holds the model died {len(supervisor.deaths)} times within a "
            "minute; is there enough memory?"
        )


class _Server(uvicorn.Server):
    """uvicorn, but the end is told before it comes."""

    def __init__(
        self, service: Service, origins: Sequence[str], listening: Callable[[], object]
    ) -> None:
        self.service, self.gave_up, self._listening = service, False, listening
        limits = service.limits
        config = uvicorn.Config(
            make_application(service, origins=origins, gave_up=self._give_up),
            http=connection_to(service),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=int(limits.reading),
            timeout_graceful_shutdown=int(limits.timeout + limits.draining) + 1,
            h11_max_incomplete_event_size=LONGEST_HEADERS,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; then somebody is told."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, which hangs up on whoever is connected and has not asked yet, and on whom
        the system has connected without its knowing: these are heard first."""
        lines = _last_lines(sockets or [])
        for server in self.servers:
            server.close()
        for place in sockets or []:
            place.close()
        await asyncio.gather(*map(self._hear, lines), return_exceptions=True)
        await asyncio.sleep(HEARING)
        await super().shutdown(sockets)

    async def _hear(self, line: socket.socket) -> None:
        def protocol() -> asyncio.Protocol:
            make: Any = self.config.http_protocol_class
            state = self.lifespan.state
            return make(config=self.config, server_state=self.server_state, app_state=state)

        line.setblocking(False)
        await self._loop.connect_accepted_socket(protocol, line)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: still take requests for a while, and say that this ends; then answer what has
        begun. Ctrl-C: the latter alone. A second signal: end at once.

        uvicorn's own would raise the signal once more at the very end: killed, not done.
        """
        if self.service.draining:
            self.should_exit = self.force_exit = True
            return
        self.service.draining = True
        wait = 0.0 if sig == signal.SIGINT else self.service.limits.draining
        self._loop.call_soon_threadsafe(self._loop.call_later, wait, self._end)

    def _end(self) -> None:
        self.should_exit = True

    def _give_up(self) -> None:
        self.gave_up = self.should_exit = True


def _last_lines(places: Sequence[socket.socket]) -> list[socket.socket]:
    """Connections that the system has accepted and nobody has taken; none comes after them.

    Who was connected between the last look and the closing would be cut off with a request on the
    way. So first the system is told to hear nobody new: they try again in a second, and are told
    then that nobody listens.
    """
    lines: list[socket.socket] = []
    for place in places:
        _hear_nobody_new(place)
        with contextlib.suppress(BlockingIOError):
            while True:
                lines.append(place.accept()[0])
    return lines


def _hear_nobody_new(place: socket.socket) -> None:
    """By a packet filter that keeps no byte of any packet. Linux alone has it; elsewhere, and where
    a sandbox refuses it, a moment remains in which they are heard by nobody."""
    if not sys.platform.startswith("linux"):
        return
    program = ctypes.create_string_buffer(struct.pack("=HBBI", RETURN, 0, 0, 0))
    filtering = struct.pack("@HP", 1, ctypes.addressof(program))
    with contextlib.suppress(OSError):
        place.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtering)


def _bound(host: str, port: int) -> socket.socket:
    """A socket at the address, which does not listen yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind((host, port))
    except (OSError, OverflowError) as error:
        place.close()
        said = error.strerror if isinstance(error, OSError) else "no such port"
        raise RecipeError(
            f"cannot listen at {host}, port {port}: {said}. `--port 0` takes a free one."
        ) from error
    return place


def _address(place: socket.socket) -> str:
    host, port = place.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
