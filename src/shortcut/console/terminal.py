"""One way to a stream: is it a terminal, what may be printed on it, one line at a time."""

import os
import re
import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

# Controls, half surrogates, marks that turn the writing: file names may hold them, terminals not.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


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


def error_line(text: str) -> None:
    """Print `shortcut: TEXT` to standard error, as one line however long."""
    console = open_console(sys.stderr)
    line = clean(" ".join(map(str.strip, text.splitlines())), console)
    console.print(Text.assemble(("shortcut:", "bold red"), " ", line), soft_wrap=True)
