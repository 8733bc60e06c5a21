"""What can go wrong, as one small tree. The command line catches the root and prints one line.

ShortcutError            what a user can cause and a user can mend    exit code 1
  RecipeError            a setting is unknown, impossible or idle     2
  DataError              the pictures are not as described            3
    DecodeError          one picture cannot be read                   3
  ModelError             a model or checkpoint file does not fit      4
  ResourceError          disk, memory or a missing package            5
  NumbersError           the numbers of a training went wrong         6
  InterruptedRunError    Ctrl-C, SIGTERM, SIGHUP: what is there       130, 143, 129
"""

import re


class ShortcutError(Exception):
    """Root of the tree. The message is one line: what, which, why, and what to do."""

    exit_code = 1


class RecipeError(ShortcutError):
    """A setting is unknown, out of range, or would have no effect."""

    exit_code = 2


class DataError(ShortcutError):
    """A data set is missing, empty, or not as described."""

    exit_code = 3


class DecodeError(DataError):
    """One file cannot be decoded as a picture; the message names the file and the reason.

    Args:
        passing: the system withheld it (permissions, disk, memory): another time it may be read.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class ModelError(ShortcutError):
    """A model name, model file, weight file or checkpoint cannot be used."""

    exit_code = 4


class ResourceError(ShortcutError):
    """The machine lacks something: disk space, write permission, memory, an extra package."""

    exit_code = 5


class NumbersError(ShortcutError):
    """Loss or weights stopped being finite numbers."""

    exit_code = 6


class InterruptedRunError(ShortcutError):
    """What was going on was asked to stop; the message says what is there and how to go on.

    Args:
        number: of the signal; a shell expects 128 more as the exit code.
    """

    def __init__(self, message: str, number: int = 2) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


def printable(text: str, longest: int = 80) -> str:
    """Text out of a file, as a message can say it: one line, no controls, not long."""
    short = text if len(text) <= longest else f"{text[:longest]}..."
    return re.sub(r"[^ -~]", _escaped, short)


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
