"""Being asked to end: SIGTERM, SIGHUP, Ctrl-C. Heard at once, obeyed where it costs nothing."""

import contextlib
import signal
import sys
import threading
from collections.abc import Generator
from types import FrameType, TracebackType
from typing import Any

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Stopped(KeyboardInterrupt):
    """A signal ended what was going on; like Ctrl-C, no `except Exception` catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """Hears signals while it is entered; one that never is never asks for anything.

    A signal raises `Stopped` wherever the program is. Inside `deferred` it only sets `number`, and
    the program looks at that where it can end well. A second Ctrl-C ends the process at once. What
    was ignored before (SIGHUP under nohup, Ctrl-C in the background) still is.
    """

    def __init__(self) -> None:
        self.number = 0
        """Of the signal that came first; 0 while none has."""
        self.later = False
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        # Elsewhere than in the main thread Python lets nobody listen.
        here = threading.current_thread() is threading.main_thread()
        for number in SIGNALS if here else ():
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Generator[None]:
        """Inside, who is asked to end goes on until he looks at `number`; whoever looked too early
        is stopped at the end.

        Raises:
            Stopped: a signal came meanwhile, and nobody has obeyed it.
        """
        self.later = True
        try:
            yield
        finally:
            self.later = False
        if self.number:
            raise Stopped(self.number)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
        if not self.later:
            raise Stopped(self.number)
        if number == signal.SIGINT:
            # Not even Python has to get a word in: a second one works within a long step, too.
            signal.signal(number, signal.SIG_DFL)
            if sys.stderr and sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h")  # the live display may have hidden the cursor
