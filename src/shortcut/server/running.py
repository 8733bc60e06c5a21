"""From a model to a server that listens: first the place to listen at, then the model, then doors
open; and at the end the same backwards."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn

from shortcut.errors import InterruptedRunError, RecipeError, ResourceError
from shortcut.server.application import make_application
from shortcut.server.batching import Batcher
from shortcut.server.connection import connection_to
from shortcut.server.ending import hear_nobody_new, last_lines
from shortcut.server.limits import Limits
from shortcut.server.meters import Meters
from shortcut.server.service import Service
from shortcut.server.supervisor import Supervisor
from shortcut.server.worker import Model
from shortcut.signals import Stop, Stopped

LONGEST_HEADERS = 64 << 10
"""Bytes of a request's first lines."""
BACKLOG = 2048
HEARING = 0.3
"""Seconds at the very end: first for connections that are just being made, then for requests on
those that were. Less than the second after which a system tries anew to connect."""


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
        InterruptedRunError: a signal came while the model was being loaded; or SIGHUP, at any time.
    """
    limits = limits or Limits()
    # In a container this is the first process, for which the system ignores SIGTERM unless it is
    # listened for; uvicorn does that once it runs.
    with _bound(host, port) as place, Stop() as stop:
        supervisor, meters = Supervisor(model, limits), Meters()
        try:
            supervisor.start(stop.deferred())
            batcher = Batcher(supervisor.ask, limits, meters.batches.observe)
            service = Service(supervisor, batcher, meters, limits, token)
            meters.observe(lambda: batcher.waiting, lambda: service.ready, lambda: supervisor.lost)
            server = _Server(service, origins, lambda: listening(_address(place)))
            server.run(sockets=[place])
        except Stopped as stopped:
            raise InterruptedRunError("interrupted.", stopped.number) from stopped
        finally:
            supervisor.stop()
    if server.gave_up:
        raise ResourceError(
            f"the process that holds the model died {len(supervisor.deaths)} times within a "
            f"minute; {supervisor.trouble or 'is there enough memory?'}"
        )


class _Server(uvicorn.Server):
    """uvicorn, but the end is told before it comes."""

    def __init__(
        self, service: Service, origins: Sequence[str], listening: Callable[[], object]
    ) -> None:
        self.service, self.gave_up, self._listening = service, False, listening
        self._loop: asyncio.AbstractEventLoop | None = None
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
        try:
            await super().startup(sockets)
        except OSError as error:  # two may have an address as long as neither listens
            await self.lifespan.shutdown()
            host, port = (sockets or [])[0].getsockname()[:2]
            raise _taken(host, port, error) from error
        self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, which hangs up on whoever is connected and has not asked yet, and on whom
        the system has connected without its knowing: these are heard first."""
        if not self.force_exit:
            await self._hear_the_last(sockets or [])
        if self.force_exit:
            self._hang_up()
        await super().shutdown(sockets)
        if self.force_exit:  # else uvicorn has
            await self.lifespan.shutdown()

    async def _hear_the_last(self, places: Sequence[socket.socket]) -> None:
        for place in places:
            hear_nobody_new(place)
        await asyncio.sleep(HEARING)  # in which asyncio still takes whoever gets through
        lines = last_lines(places)
        for server in self.servers:
            server.close()
        for place in places:
            place.close()
        await asyncio.gather(*map(self._hear, lines), return_exceptions=True)
        await asyncio.sleep(HEARING)

    async def _hear(self, line: socket.socket) -> None:
        def protocol() -> asyncio.Protocol:
            make: Any = self.config.http_protocol_class
            state = self.lifespan.state
            return make(config=self.config, server_state=self.server_state, app_state=state)

        line.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(protocol, line)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: still take requests for a while, and say that this ends; then answer what has
        begun. Ctrl-C: the latter alone. A second signal: end at once.

        uvicorn's own would raise the signal once more at the very end: killed, not done.
        """
        if self._loop is None:  # nobody was told yet that it listens
            self.should_exit = True
        elif self.service.draining:
            self.should_exit = self.force_exit = True
            self._loop.call_soon_threadsafe(self._hang_up)
        else:
            self.service.draining = True
            wait = 0.0 if sig == signal.SIGINT else self.service.limits.draining
            self._loop.call_soon_threadsafe(self._loop.call_later, wait, self._end)

    def _hang_up(self) -> None:
        """From Python 3.12 on asyncio waits until all connections are closed."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def _end(self) -> None:
        self.should_exit = True

    def _give_up(self) -> None:
        self.gave_up = self.should_exit = True


def _bound(host: str, port: int) -> socket.socket:
    """A socket at the address, which does not listen yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it would take the address away from who has it
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind((host, port))
    except (OSError, OverflowError) as error:
        place.close()
        raise _taken(host, port, error) from error
    return place


def _taken(host: str, port: int, error: Exception) -> RecipeError:
    said = error.strerror if isinstance(error, OSError) else "no such port"
    return RecipeError(
        f"cannot listen at {host}, port {port}: {said}. `--port 0` takes a free one."
    )


def _address(place: socket.socket) -> str:
    host, port = place.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
