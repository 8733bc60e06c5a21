"""Permissions that bind root as well, so that tests of them run wherever tests run as root."""

import ctypes
import os
from collections.abc import Generator
from contextlib import contextmanager

OVERRIDE = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of capabilities(7): root may read and write anything."""
VERSION = 0x20080522
"""Of the call, for 64 capabilities."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Rights(ctypes.Structure):
    """32 capabilities."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def overrides_laid_down() -> Generator[None]:
    """In this thread, and those it starts, root is an owner like any other. Linux alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, rights = _Header(VERSION, 0), (_Rights * 2)()
    _check(libc.capget(ctypes.byref(header), rights))
    before = rights[0].effective
    rights[0].effective = before & ~OVERRIDE
    _check(libc.capset(ctypes.byref(header), rights))
    try:
        yield
    finally:
        rights[0].effective = before
        _check(libc.capset(ctypes.byref(header), rights))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
