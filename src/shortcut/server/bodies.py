"""What a request brings, read within limits, and never laid down on the disk."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from shortcut.server.limits import Limits
from shortcut.server.refusals import RefusedError

PARTS = 4
"""For each picture that is taken: the other fields of a form."""

SMALL = 1 << 20
"""Bytes of a body; a photo of a telephone is larger."""

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MULTIPART = b"multipart/form-data"


class Memory:
    """Bytes of bodies that are held, by all requests together. A quarter is for small ones: some
    that send large bodies slowly must not keep everybody away.

    Args:
        most: that may be. While a body is put together, or a form taken apart, it is there twice.
    """

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0

    def check(self, size: int, *, large: bool) -> None:
        """Whether so many more may be held.

        Raises:
            RefusedError: there would be too many.
        """
        if self.held + size > (self.most - self.most // 4 if large else self.most):
            message = "too many bytes are waiting; try again."
            raise RefusedError(429, "busy", message, retry_after=1)


@asynccontextmanager
async def held_body(request: Request, limits: Limits, memory: Memory) -> AsyncGenerator[bytes]:
    """All of it; it counts as held until it is done with.

    Raises:
        RefusedError: it is too long, or longer than it said, packed, does not come to an end, or
            too much is held already.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, "packed", "packed bodies are not opened; send the picture itself.")
    too_long = RefusedError(413, "too-large", f"at most {limits.body:,} bytes are taken.")
    told = request.headers.get("content-length", "")
    length = int(told) if told.isdecimal() else 0  # h11 takes 20 digits at most
    if length > limits.body:
        raise too_long
    memory.check(length, large=length > SMALL)
    pieces: list[bytes] = []
    size = 0
    try:
        async with _in_time(limits.reading):
            async for piece in _pieces(request):
                memory.check(len(piece), large=size > SMALL)
                memory.held += len(piece)
                size += len(piece)
                pieces.append(piece)
                if size > limits.body:
                    raise too_long
        whole = b"".join(pieces)
        pieces.clear()
        yield whole
    finally:
        memory.held -= size


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise RefusedError(408, "too-slow", "the body did not arrive in time.") from None


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        raise RefusedError(400, "cut-short", "the body ended before its end.") from None


def pictures_in(body: bytes, content_type: str, limits: Limits) -> list[bytes]:
    """The files of a form, or the body itself.

    Raises:
        RefusedError: the form is damaged, has no files, or more than are taken.
    """
    kind, options = parse_options_header(content_type)
    if kind != MULTIPART:
        if not body:
            raise RefusedError(422, "empty", "the body is empty; send a picture.")
        return [body]
    boundary = options.get(b"boundary")
    if not boundary:
        raise RefusedError(422, "damaged-form", "the form says no boundary.")
    files = _Files(limits.pictures)
    try:
        parser = MultipartParser(boundary, files.callbacks(), max_size=limits.body)
        parser.write(body)
        parser.finalize()
    except MultipartParseError as error:
        raise RefusedError(422, "damaged-form", "the form is damaged or cut short.") from error
    if not files.ended:
        raise RefusedError(422, "damaged-form", "the form is damaged or cut short.")
    if not files.whole:
        raise RefusedError(422, "empty", "the form holds no files; send pictures as files.")
    return files.whole


@dataclass
class _Files:
    """The parts of a form that have a file name."""

    most: int
    whole: list[bytes] = field(default_factory=list)
    ended: bool = False
    parts: int = 0
    _part: bytearray | None = None
    _is_file: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)

    def callbacks(self) -> "MultipartCallbacks":
        """As the parser wants them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._whole,
        }

    def _whole(self) -> None:
        self.ended = True

    def _begin(self) -> None:
        self.parts += 1
        if self.parts > PARTS * self.most:
            raise RefusedError(413, "too-many", "the form has too many parts.")
        self._part, self._is_file = bytearray(), False

    def _header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._is_file = b"filename" in options or b"filename*" in options
        self._header.clear()
        self._value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file and self._part is not None:
            self._part += data[start:end]

    def _end(self) -> None:
        if self._is_file and self._part is not None:
            if len(self.whole) == self.most:
                raise RefusedError(413, "too-many", f"at most {self.most} pictures are taken.")
            self.whole.append(bytes(self._part))
        self._part = None
