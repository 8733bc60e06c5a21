"""Requests that come at the same time go through the network together; the queue before it ends."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import ceil

from shortcut.server.limits import Limits
from shortcut.server.supervisor import WorkerAwayError, WorkerLostError
from shortcut.server.tasks import Result, Task

Ask = Callable[[Sequence[Task]], Awaitable[list[Result]]]
SMOOTHING = 0.2
"""Weight of the newest batch in the mean time of a picture."""


class BusyError(Exception):
    """The queue is full.

    Args:
        seconds: after which there is probably room.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


@dataclass(frozen=True, eq=False)
class _Waiting:
    task: Task
    answer: "asyncio.Future[Result]"


class Batcher:
    """First come, first served; whoever has left the queue is not answered."""

    def __init__(self, ask: Ask, limits: Limits, observed: Callable[[int], None]) -> None:
        self._ask, self._limits, self._observed = ask, limits, observed
        self._queue: deque[_Waiting] = deque()
        self._come = asyncio.Event()
        self._asked = 0
        self._seconds = 0.02
        """That a picture took lately."""

    @property
    def waiting(self) -> int:
        """Pictures in the queue and in the batch that is being answered."""
        return len(self._queue) + self._asked

    def check_room(self, pictures: int = 1, *, coming: int = 0) -> None:
        """Whether so many more may come, behind `coming` others that are on their way.

        Raises:
            BusyError: they may not.
        """
        before = self.waiting + coming
        if before + pictures > self._limits.queue:
            raise BusyError(max(1, ceil(before * self._seconds)))

    def submit(self, tasks: Sequence[Task]) -> "asyncio.Future[list[Result]]":
        """A result for each task; they are in the queue when this returns. If it is cancelled,
        those that still wait are forgotten; it ends with `WorkerAwayError` where there is no worker
        (any more).

        Raises:
            BusyError: the queue is full.
        """
        self.check_room(len(tasks))
        loop = asyncio.get_running_loop()
        mine = [_Waiting(task, loop.create_future()) for task in tasks]
        self._queue.extend(mine)
        self._come.set()
        answers = asyncio.gather(*(one.answer for one in mine))
        answers.add_done_callback(lambda done: self._forget(mine, done))
        return answers

    def _forget(self, mine: Sequence[_Waiting], done: "asyncio.Future[list[Result]]") -> None:
        if not done.cancelled():
            done.exception()  # asyncio complains of what nobody has looked at: of who left as well
        for one in mine:
            one.answer.cancel()
            # Asked first: the message of `remove`'s error has the whole picture in it, as text.
            if one in self._queue:
                self._queue.remove(one)

    async def run(self) -> None:
        """Answer until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._gather()
            if not batch:
                continue
            started = loop.time()
            self._asked = len(batch)
            try:
                results = await self._ask([one.task for one in batch])
            # Whatever it is: with this task everybody's answers would end.
            except Exception as error:
                lost = error if isinstance(error, WorkerAwayError) else WorkerLostError()
                for one in batch:
                    if not one.answer.done():
                        one.answer.set_exception(lost)
                continue
            finally:
                self._asked = 0
            if not batch[0].task.alone:
                each = (loop.time() - started) / len(batch)
                self._seconds += SMOOTHING * (each - self._seconds)
                self._observed(len(batch))
            for one, result in zip(batch, results, strict=True):
                if not one.answer.done():
                    one.answer.set_result(result)

    async def _gather(self) -> list[_Waiting]:
        while not self._queue:
            self._come.clear()
            await self._come.wait()
        if len(self._queue) < self._limits.batch and self._limits.company:
            await asyncio.sleep(self._limits.company)
        batch: list[_Waiting] = []
        while self._queue and len(batch) < self._limits.batch:
            alone = self._queue[0].task.alone
            if alone and batch:
                break
            one = self._queue.popleft()
            if not one.answer.done():
                batch.append(one)
                if alone:
                    break
        return batch
