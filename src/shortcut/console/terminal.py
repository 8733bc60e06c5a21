"""One way to a stream: is it a terminal, what may be printed on it, one line at a time."""

import contextlib
import os
import re
import sys
from typing import TextIO, cast

from rich.console import Console
from rich.text import Text

# Controls, half surrogates, marks that turn the writing: file names may hold them, terminals not.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


class Aside:
    """A stream on which all is said as long as somebody listens. When its terminal is closed or its
    pipe broken, the rest goes nowhere and nothing fails: no training must end for want of a
    listener.

    Args:
        stream: None where the process was started without one.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream
        self.encoding = (stream and stream.encoding) or "utf-8"

    def isatty(self) -> bool:
        """Whether a person may be looking."""
        return self.stream is not None and self.stream.isatty()

    def fileno(self) -> int:
        """Of the stream.

        Raises:
            OSError: it has none.
        """
        if self.stream is None:
            raise OSError("nobody listens")
        return self.stream.fileno()

    def write(self, text: str) -> int:
        """Say it."""
        try:
            return self.stream.write(text) if self.stream else len(text)
        except OSError:
            self._fall_silent()
            return len(text)

    def flush(self) -> None:
        """Say it now."""
        try:
            if self.stream:
                self.stream.flush()
        except OSError:
            self._fall_silent()

    def _fall_silent(self) -> None:
        stream, self.stream = self.stream, None
        # The descriptor too: what is left in its buffer, what others write there, and what Python
        # does at its end would fail again, and turn the exit code into 120.
        with contextlib.suppress(OSError, ValueError):
            if stream:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                try:
                    os.dup2(nowhere, stream.fileno())
                finally:
                    os.close(nowhere)


def open_console(stream: TextIO) -> Console:
    """A console on `stream`, which is a terminal only where the stream is one."""
    # Decided here, since rich lets FORCE_COLOR and its like turn a pipe into a terminal.
    terminal = stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
    return Console(file=stream, force_terminal=terminal, force_jupyter=False)


def clean(text: str, console: Console) -> str:
    """The same text, with what this console must not or cannot print spelt as escapes."""
    shown = UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return shown.encode(console.encoding, "backslashreplace").decode(console.encoding)


def say(out: Console, text: str, style: str = "") -> None:
    """Print one line, however long."""
    out.print(Text(clean(text, out), style), soft_wrap=True)


def print_line(text: str) -> None:
    """Print one line to standard output, however long."""
    say(open_console(sys.stdout), text)


def open_aside(stream: TextIO | None = None) -> Console:
    """A console on standard error or in its place; see `Aside`."""
    return open_console(cast("TextIO", Aside(stream or sys.stderr)))


def error_line(text: str) -> None:
    """Print `shortcut: TEXT` to standard error, as one line however long."""
    console = open_aside()
    line = clean(" ".join(map(str.strip, text.splitlines())), console)
    console.print(Text.assemble(("shortcut:", "bold red"), " ", line), soft_wrap=True)
