"""One connection: uvicorn's, which waits for ever for the rest of a request's headers and parses
whatever comes; this does neither."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shortcut.server.overload import refused_at_once
from shortcut.server.service import Service


class Connection(H11Protocol):
    """One of a server's."""

    service: Service
    """Set by `connection_to`: uvicorn makes connections of a class, and knows no arguments."""
    _timer: asyncio.TimerHandle | None = None
    _rest = 0
    """Bytes of a refused body that are still to be thrown away."""
    _heard = False
    """A request for the network has come whole, and has no answer yet."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        thrown = min(self._rest, len(data))
        self._rest, data = self._rest - thrown, data[thrown:]
        if not data:
            return
        always, idle = self.server_state.default_headers, self._idle()
        if idle and (refused := refused_at_once(data, self.service, always)):
            self._unset_keepalive_if_required()
            self._stop_waiting()
            self._wait()
            self.transport.write(refused.response)
            self._rest = refused.rest
            return
        super().data_received(data)
        if self._answering():
            if idle:
                self._count_heard(self._asks_network())
            self._stop_waiting()
        elif self._timer is None:
            self._wait()

    def on_response_complete(self) -> None:
        self._count_heard(False)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._count_heard(False)
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

    def _count_heard(self, heard: bool) -> None:
        """Until it is in the queue nothing else knows of it: all that come in one turn of the loop
        would see the same free place, and most be refused only after they were heard in full."""
        self.service.heard += heard - self._heard
        self._heard = heard

    def _asks_network(self) -> bool:
        """Whether the request has come whole: who sends slowly keeps no place from others."""
        scope: Any = self.cycle.scope
        whole = not self.cycle.more_body
        return whole and scope["method"] == "POST" and scope["path"] in ("/predict", "/explain")

    def _answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        return cycle is not None and not cycle.response_complete

    def _idle(self) -> bool:
        """Whether the next byte begins a request, and answers are read: who does not read them
        waits, as with every other answer."""
        begun = self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]
        deaf = self.flow.write_paused or self.transport.is_closing()
        return not (begun or deaf or self._answering())


def connection_to(service: Service) -> type[Connection]:
    """The class of which uvicorn makes one for each connection."""
    return type("Connection", (Connection,), {"service": service})
