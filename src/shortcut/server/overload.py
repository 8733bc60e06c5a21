"""While nothing can be answered, a plain request is refused from its first lines: to parse it and
to make what a route needs takes several times as long, which the network would lack."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.datastructures import MutableHeaders

from shortcut.server.bodies import MULTIPART
from shortcut.server.guards import REQUEST_ID, add_headers, new_request_id, shows_token
from shortcut.server.refusals import RefusedError, refusal_to
from shortcut.server.routes import TAKEN
from shortcut.server.service import Service

ASKING = ("/predict", "/explain")
"""Paths of the routes that take a picture as it is."""
HEAD = re.compile(
    rb"POST (" + "|".join(ASKING).encode() + rb") HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
)
"""The first lines of a request that could hardly be plainer; RFC 9112, sections 3 and 5."""
UNUSUAL = {"transfer-encoding", "content-encoding", "expect", "upgrade", "origin"}
"""Headers that ask for more than an answer: who sends one is heard in full."""
ONCE = ("host", "content-length")
"""Must come, and once; all others at most once."""
FORM = MULTIPART.decode()
UNKNOWN = "~"
"""Each character of a number that is filled in later; no number has one."""
REASONS = {429: "Too Many Requests", 503: "Service Unavailable"}


@dataclass(frozen=True)
class Refused:
    """What is said at once."""

    response: bytes
    rest: int
    """Bytes of the body that are still to come, and to be thrown away."""


def refused_at_once(
    data: bytes, service: Service, always: Sequence[tuple[bytes, bytes]] = ()
) -> Refused | None:
    """The refusal of what has arrived on a connection; None: it must be heard in full, because
    there is room, or because it is not plainly the beginning of one request, and no more.

    Args:
        always: headers that the server adds to every response.
    """
    if service.draining:
        return None
    try:
        service.check_room(coming=service.coming)
    except RefusedError as error:
        return _refused(data, service, always, error)
    return None


def _refused(
    data: bytes, service: Service, always: Sequence[tuple[bytes, bytes]], error: RefusedError
) -> Refused | None:
    head = HEAD.match(data)
    fields = _fields(head[2]) if head else None
    if head is None or fields is None:
        return None
    route, length = head[1].decode().removeprefix("/"), fields["content-length"]
    # `int` meets very many digits with an error.
    if not (length.isascii() and length.isdecimal() and len(length) < 10):
        return None
    rest = int(length) - (len(data) - head.end())
    if rest < 0 or int(length) > service.limits.body or not _takes(route, fields):
        return None
    shown = [fields["authorization"]] if "authorization" in fields else []
    if service.token is not None and not shows_token(shown, service.token):
        return None
    given = fields.get("x-request-id", "")
    request_id = given if REQUEST_ID.fullmatch(given) else new_request_id()
    service.meters.count(route, error.status, 0.0)
    told = (error.status, error.code, error.message, error.retry_after)
    response = _response(UNKNOWN * len(request_id), tuple(always), *told)
    return Refused(response.replace(UNKNOWN * len(request_id), request_id).encode("latin-1"), rest)


def _fields(lines: bytes) -> dict[str, str] | None:
    """Headers by name; None where they are not plain."""
    fields: dict[str, str] = {}
    for line in lines.splitlines():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() in fields:
            return None
        fields[name.lower()] = value.strip(" \t")
    goes_on = fields.get("connection", "keep-alive").lower() == "keep-alive"
    plain = goes_on and not (UNUSUAL & fields.keys()) and all(name in fields for name in ONCE)
    return fields if plain else None


def _takes(route: str, fields: dict[str, str]) -> bool:
    """Whether a route would look at a body of such a type."""
    kind = fields.get("content-type", TAKEN[0]).lower()
    return kind.startswith(TAKEN) and not (route == "explain" and kind.startswith(FORM))


@lru_cache(maxsize=64)
def _response(
    request_id: str,
    always: tuple[tuple[bytes, bytes], ...],
    status: int,
    code: str,
    message: str,
    retry_after: int | None,
) -> str:
    """Made as every other response, which takes longer than all the rest; so it is kept, and made
    anew where the `date` in `always` is another."""
    response = refusal_to(request_id, RefusedError(status, code, message, retry_after=retry_after))
    headers = MutableHeaders(raw=[*always, *response.raw_headers])
    add_headers(headers, request_id)
    first = f"HTTP/1.1 {status} {REASONS[status]}\r\n".encode()
    lines = [b"%b: %b\r\n" % pair for pair in headers.raw]
    return b"".join((first, *lines, b"\r\n", bytes(response.body))).decode("latin-1")
