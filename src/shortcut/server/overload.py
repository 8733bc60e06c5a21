"""While nothing can be answered, a request that has arrived whole is refused from its bytes: to
parse it and to make what a route needs takes several times as long, which the network would
lack."""

import re

from starlette.datastructures import MutableHeaders

from shortcut.server.guards import REQUEST_ID, add_headers, new_request_id, shows_token
from shortcut.server.refusals import RefusedError, refusal_to
from shortcut.server.service import Service

HEAD = re.compile(
    rb"POST /(predict|explain) HTTP/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)+)\r\n"
)
"""The first lines of a request that could hardly be plainer; RFC 9112, sections 3 and 5."""
UNUSUAL = {b"transfer-encoding", b"expect", b"connection", b"upgrade", b"origin"}
"""Headers that ask for more than an answer: who sends one is heard in full."""
ALONE = (b"host", b"content-length")
"""Must come once."""
REASONS = {429: "Too Many Requests", 503: "Service Unavailable"}


def refused_at_once(data: bytes, service: Service) -> bytes | None:
    """The whole response to what has arrived on a connection; None: it must be heard in full,
    because there is room, or because it is not plainly one whole request."""
    if service.draining:
        return None
    try:
        service.check_room()
    except RefusedError as error:
        return _response(data, service, error)
    return None


def _response(data: bytes, service: Service, error: RefusedError) -> bytes | None:
    head = HEAD.match(data)
    if head is None:
        return None
    fields: dict[bytes, list[str]] = {}
    for line in head[2].splitlines():
        name, _, value = line.partition(b":")
        fields.setdefault(name.lower(), []).append(value.strip(b" \t").decode("latin-1"))
    if UNUSUAL & fields.keys() or any(len(fields.get(name, ())) != 1 for name in ALONE):
        return None
    (length,) = fields[b"content-length"]
    if not (length.isascii() and length.isdecimal() and int(length) == len(data) - head.end()):
        return None
    if service.token is not None and not shows_token(
        fields.get(b"authorization", []), service.token
    ):
        return None
    given = fields.get(b"x-request-id", [""])[0]
    request_id = given if REQUEST_ID.fullmatch(given) else new_request_id()
    route = head[1].decode()
    service.meters.requests.labels(route, str(error.status)).inc()
    response = refusal_to(request_id, error)
    headers = MutableHeaders(raw=response.raw_headers)
    add_headers(headers, request_id)
    first = f"HTTP/1.1 {error.status} {REASONS[error.status]}\r\n".encode()
    lines = [b"%b: %b\r\n" % pair for pair in headers.raw]
    return b"".join((first, *lines, b"\r\n", bytes(response.body)))
