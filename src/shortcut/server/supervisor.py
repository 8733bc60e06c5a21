"""Keeps a worker alive: starts it, hands it tasks, sees it die, starts the next."""

import asyncio
import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing.process import BaseProcess
from typing import Any

from shortcut.errors import ModelError, ShortcutError
from shortcut.server.limits import ROLLING, Limits
from shortcut.server.tasks import Described, Failed, Result, Task
from shortcut.server.worker import Model, work

LOG = logging.getLogger("shortcut.server")
LOOKING = 0.1
"""Seconds between two looks at a worker that has nothing to do."""


class WorkerAwayError(Exception):
    """There is none at this moment."""


class WorkerLostError(WorkerAwayError):
    """It died, or had to be killed, over these tasks."""


class Supervisor:
    """One worker at a time. All talking with it happens in one thread of its own."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self.limits = limits
        self.ready = False
        self.facts: dict[str, Any] = {}
        self.deaths: deque[float] = deque()
        """When workers died, those of the last `ROLLING` seconds."""
        self.lost = 0
        """Workers that died, in all."""
        self.trouble = ""
        """Why one could not load the model, in its own words; empty: none has said anything."""
        self._stopped = False
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._process: BaseProcess | None = None
        self._pipe: Any = None
        self._asked = 0.0
        """When the worker was handed the tasks that it works at; 0: it works at none."""

    def start(self, uninterrupted: AbstractContextManager[object] | None = None) -> None:
        """Start a worker, and wait until it can answer.

        Args:
            uninterrupted: in which no signal ends this: else there may be a process of which
                `stop` does not know.

        Raises:
            ShortcutError: the model cannot be loaded.
        """
        # Not forked: a fork of a process with threads can hang, and would share torch's state.
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(target=work, args=(self._model, theirs), daemon=True)
        with uninterrupted or nullcontext():
            process.start()
            theirs.close()  # else the end of the worker would not be the end of the pipe
            self._process, self._pipe = process, pipe
        if self._stopped:  # meanwhile, by another thread, which knew of no such process
            process.kill()
        try:
            if not pipe.poll(self.limits.loading):
                process.kill()  # then the pipe ends
            told = pipe.recv()
        except (EOFError, OSError) as error:
            raise ModelError("the process that holds the model ended while loading it.") from error
        if isinstance(told, Failed):
            self.trouble = told.message
            raise _as_error(told)
        assert isinstance(told, Described)
        self.facts, self.ready, self.trouble = told.facts, True, ""

    async def ask(self, tasks: Sequence[Task]) -> list[Result]:
        """A result for each task.

        Raises:
            WorkerAwayError: there is no worker.
            WorkerLostError: it was lost over these.
        """
        if not self.ready:
            raise WorkerAwayError
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, tasks)

    async def watch(self, gave_up: Callable[[], None]) -> None:
        """Start another worker where one is gone, until too many are; then call `gave_up`."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOKING)
            if self._process is not None and self._process.is_alive():
                asked = self._asked  # once: the other thread may set it between two looks
                if asked and time.monotonic() - asked > self.limits.hanging:
                    LOG.warning("the worker has not answered for %g s", self.limits.hanging)
                    self._process.kill()
                continue
            self.ready = False
            self._count()
            LOG.warning("the worker %s", _end_of(self._process))
            if len(self.deaths) > self.limits.deaths:
                gave_up()
                return
            try:
                await loop.run_in_executor(self._thread, self.start)
            except Exception as error:  # whatever it is: the next look finds it dead, and counts
                LOG.warning("no new worker: %s", error)

    def stop(self) -> None:
        """End the worker: by itself, as nobody asks any more, or else by force."""
        self._stopped, self.ready = True, False
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            try:
                self._process.join(1)
            finally:  # also where another signal comes meanwhile: the worker hears none
                self._process.kill()
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def process_id(self) -> int | None:
        """Of the worker."""
        return self._process.pid if self._process else None

    def _ask(self, tasks: Sequence[Task]) -> list[Result]:
        pipe, process = self._pipe, self._process
        if pipe is None or process is None:
            raise WorkerAwayError
        if not process.is_alive():  # since the last look; it has never had these
            self.ready = False
            raise WorkerAwayError
        self._asked = time.monotonic()
        try:
            # Neither ends by itself where the worker hangs: `watch` kills it then.
            pipe.send(tasks)
            return pipe.recv()
        except (EOFError, OSError) as error:
            self.ready = False
            process.kill()
            process.join(1)
            raise WorkerLostError from error
        finally:
            self._asked = 0.0

    def _count(self) -> None:
        now = time.monotonic()
        self.lost += 1
        self.deaths.append(now)
        while now - self.deaths[0] > ROLLING:
            self.deaths.popleft()


def _end_of(process: BaseProcess | None) -> str:
    code = process.exitcode if process else None
    if code is None or code >= 0:
        return f"ended with {code}"
    return f"was ended by signal {-code}"


def _as_error(told: Failed) -> ShortcutError:
    """The error that the worker met, with its exit code."""
    error = ShortcutError(told.message)
    error.exit_code = told.exit_code
    return error
