"""One connection: uvicorn's, which waits for ever for the rest of a request's headers and parses
whatever comes; this does neither."""

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shortcut.server.overload import ASKING, refused_at_once
from shortcut.server.service import Service

PAUSE = 0.01
"""Seconds in which who was refused is not read."""


class Connection(H11Protocol):
    """One of a server's."""

    service: Service
    """Set by `connection_to`: uvicorn makes connections of a class, and knows no arguments."""
    _timer: asyncio.TimerHandle | None = None
    _rest = 0
    """Bytes of a refused body that are still to be thrown away."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        thrown = min(self._rest, len(data))
        self._rest, data = self._rest - thrown, data[thrown:]
        if not data:
            return
        always = self.server_state.default_headers
        if self._idle() and (refused := refused_at_once(data, self.service, always)):
            self._unset_keepalive_if_required()
            self._stop_waiting()
            self._wait()
            self.transport.write(refused.response)
            self._rest = refused.rest
            self._pause()
            return
        before = self._has_picture()
        super().data_received(data)
        if self._has_picture() and not before:
            self._count_until_queued()
        if self._answering():
            self._stop_waiting()
        elif self._timer is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.service.limits.reading, self._close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        if not self._answering():
            self.transport.close()

    def _pause(self) -> None:
        """Who was refused is heard again a little later, all together: for each time that this
        process wakes, the network's threads stand still and their caches are cold."""
        if not self.service.paused:
            self.loop.call_later(PAUSE, _resume, self.service.paused)
        self.service.paused.append(self.flow.resume_reading)
        self.flow.pause_reading()

    def _count_until_queued(self) -> None:
        """All that comes in one turn of the loop would see the same free place, and most of it be
        refused only after it was heard in full. What is heard now takes its first steps in the next
        turn, to the queue where it is a picture alone; what is called behind it comes after them.
        """
        self.service.coming += 1
        self.loop.call_soon(self._count_no_more)

    def _count_no_more(self) -> None:
        self.service.coming -= 1

    def _has_picture(self) -> bool:
        """Whether a request for the network has come whole and is not answered."""
        if not self._answering() or self.cycle.more_body:
            return False
        scope: Any = self.cycle.scope
        return scope["method"] == "POST" and scope["path"] in ASKING

    def _answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        return cycle is not None and not cycle.response_complete

    def _idle(self) -> bool:
        """Whether the next byte begins a request, and answers are read: who does not read them
        waits, as with every other answer."""
        begun = self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]
        deaf = self.flow.write_paused or self.transport.is_closing()
        return not (begun or deaf or self._answering())


def _resume(paused: list[Callable[[], None]]) -> None:
    for read_on in paused:
        read_on()
    paused.clear()


def connection_to(service: Service) -> type[Connection]:
    """The class of which uvicorn makes one for each connection."""
    return type("Connection", (Connection,), {"service": service})
