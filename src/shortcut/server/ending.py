"""The end of listening: who is connected is heard, and nobody is connected after that."""

import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Sequence

SO_ATTACH_FILTER = 26
"""Linux's number, which Python does not name: `asm-generic/socket.h`."""
NOBODY_NEW = (
    (0x30, 0, 0, 13),  # load the byte of flags; a filter of a TCP socket begins at its header
    (0x54, 0, 0, 0x12),  # of them SYN and ACK
    (0x15, 0, 1, 0x02),  # unless SYN is there alone, over the next line
    (0x06, 0, 0, 0),  # keep no byte of the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # keep all
)
"""Code, two jumps and a number of each step: classic BPF, `linux/bpf_common.h`. Only first packets
are dropped: whoever has had an answer to his counts himself connected, and may send his request
with the third."""


def hear_nobody_new(place: socket.socket) -> None:
    """Make the system deaf to first packets of connections.

    Their senders try again after a second, and are told then that nobody listens. Linux alone has
    it; elsewhere, and where a sandbox refuses it, who comes at the very end is cut off.
    """
    if not sys.platform.startswith("linux"):
        return
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("=HBBI", *step) for step in NOBODY_NEW)
    )
    filtering = struct.pack("@HP", len(NOBODY_NEW), ctypes.addressof(program))
    with contextlib.suppress(OSError):
        place.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtering)


def last_lines(places: Sequence[socket.socket]) -> list[socket.socket]:
    """Connections that the system has accepted and nobody has taken.

    Where there is no room for another open file, those behind it are lost, and nobody else.
    """
    lines: list[socket.socket] = []
    for place in places:
        with contextlib.suppress(OSError):  # nobody waits, or there is no room
            while True:
                with contextlib.suppress(ConnectionAbortedError):  # who has left again
                    lines.append(place.accept()[0])
    return lines
