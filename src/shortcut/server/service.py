"""What every route needs: the queue, the worker, the figures, and whether the end has begun."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from shortcut.server.batching import Batcher, BusyError
from shortcut.server.bodies import Memory
from shortcut.server.limits import Limits
from shortcut.server.meters import Meters
from shortcut.server.refusals import RefusedError
from shortcut.server.supervisor import Supervisor, WorkerAwayError, WorkerLostError
from shortcut.server.tasks import Refusal, Result, Task

STATUS = {"too-many": 413, "unexplained": 501}
"""Of what a worker refuses, where it is not 422."""


@dataclass
class Service:
    """The parts of a running server."""

    supervisor: Supervisor
    batcher: Batcher
    meters: Meters
    limits: Limits
    token: str | None = field(default=None, repr=False)
    draining: bool = False
    coming: int = 0
    """Pictures that have come in this turn of the event loop and are in the queue in the next."""
    paused: list[Callable[[], None]] = field(default_factory=list, repr=False)
    """How to read on from connections that are not read for a moment."""
    memory: Memory = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.memory = Memory(self.limits.memory)

    @property
    def ready(self) -> bool:
        """Whether the next request will probably be answered."""
        return self.supervisor.ready and not self.draining

    def facts(self) -> dict[str, Any]:
        """What `/model` tells."""
        return self.supervisor.facts | {
            "needs_token": self.token is not None,
            "largest_body": self.limits.body,
            "most_pictures": self.limits.pictures,
        }

    def check_room(self, *, coming: int = 0) -> None:
        """Refuse what cannot be answered before its body is read: that costs next to nothing.

        Args:
            coming: pictures before this one that the queue does not know yet.

        Raises:
            RefusedError: the worker is away, or the queue is full.
        """
        if not self.supervisor.ready:
            raise _away()
        try:
            self.batcher.check_room(coming=coming)
        except BusyError as error:
            raise _busy(error) from error

    def deadline(self) -> float:
        """Of what is asked now, as the loop counts time."""
        return asyncio.get_running_loop().time() + self.limits.timeout

    async def answer(
        self, request: Request, tasks: Sequence[Task], until: float | None = None
    ) -> list[Result]:
        """A result for each task, unless the client leaves or it takes too long.

        Args:
            until: the request's deadline; None: it begins now.

        Raises:
            RefusedError: 429, 503 or 504, or the client is gone.
        """
        try:
            asked = self.batcher.submit(tasks)
        except BusyError as error:
            raise _busy(error) from error
        left = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait(
                {asked, left},
                timeout=(until or self.deadline()) - asyncio.get_running_loop().time(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if asked.done():
                return asked.result()
            if left.done():
                raise RefusedError(499, "left", "the client has left.")
            raise RefusedError(
                504, "too-slow", f"no answer within {self.limits.timeout:g} seconds."
            )
        except WorkerLostError as error:
            raise _lost() from error
        except WorkerAwayError as error:
            raise _away() from error
        finally:
            asked.cancel()
            left.cancel()


def checked(result: Result) -> dict[str, Any]:
    """The result, unless it is a refusal.

    Raises:
        RefusedError: it is one.
    """
    if isinstance(result, Refusal):
        raise RefusedError(STATUS.get(result.code, 422), result.code, result.message)
    return result


async def _left(request: Request) -> None:
    """Ends when the client closes the connection; its body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _busy(error: BusyError) -> RefusedError:
    message = "too many pictures are waiting; try again."
    return RefusedError(429, "busy", message, retry_after=error.seconds)


def _away() -> RefusedError:
    return RefusedError(503, "not-ready", "the model is being loaded; try again.", retry_after=2)


def _lost() -> RefusedError:
    """No `Retry-After`: again and again, the picture that did it would end the server."""
    message = "the worker died over this picture, or over one beside it."
    return RefusedError(503, "lost", message)
