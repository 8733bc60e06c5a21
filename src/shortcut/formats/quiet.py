"""What other people's converters would say."""

import contextlib
import io
import logging
from collections.abc import Generator

from shortcut.runtime.openvino import own_signal_stack, without_telemetry


@contextlib.contextmanager
def quietly() -> Generator[None]:
    """Without the progress bars and warnings of the converters, which nobody can act on, and
    without their telemetry. Nothing that somebody is to see may be said inside."""
    logging.disable(logging.WARNING)
    try:
        with (
            own_signal_stack(),
            without_telemetry(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        logging.disable(logging.NOTSET)
