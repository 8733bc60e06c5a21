"""What holds for every request, around all routes: a number, a token, headers that keep browsers
safe, and a count."""

import hmac
import logging
import re
import secrets
import time
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shortcut.server.refusals import RefusedError, refusal
from shortcut.server.service import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
OPEN = ("/", "/static/", "/healthz", "/readyz", "/model", "/openapi.json", "/v2/health/")
"""Begin the paths that need no token: the page asks for it, and health is nobody's secret."""
REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Guards:
    """ASGI around the application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        started, status, heard = time.perf_counter(), 0, False

        async def hearing() -> Message:
            nonlocal heard
            heard = True
            return await receive()

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                add_headers(headers, request_id)
                # Who was not told to go on may send the next request instead of the body; and
                # nobody is to hold a line that ends soon.
                unsent = not heard and "expect" in Headers(scope=scope)
                if unsent or self.service.draining:
                    headers["connection"] = "close"
            await send(message)

        if self._may_pass(scope):
            try:
                await self.app(scope, hearing, guarded)
            except Exception:
                logging.getLogger("shortcut.server").exception("request %s", request_id)
                if status:
                    raise
                fault = RefusedError(500, "fault", "the server made a mistake.")
                await refusal(Request(scope), fault)(scope, hearing, guarded)
        else:
            error = RefusedError(401, "no-token", "send the token: Authorization: Bearer TOKEN.")
            response = refusal(Request(scope), error)
            response.headers["www-authenticate"] = "Bearer"
            await response(scope, hearing, guarded)
        # The function, not the path: of these a stranger could make any number.
        route = getattr(scope.get("endpoint"), "__name__", "none")
        self.service.meters.count(route, status, time.perf_counter() - started)

    def _may_pass(self, scope: Scope) -> bool:
        token, path = self.service.token, scope["path"]
        if token is None or path == "/" or path.startswith(OPEN[1:]):
            return True
        return shows_token(Headers(scope=scope).getlist("authorization"), token)


def shows_token(given: Sequence[str], token: str) -> bool:
    """Whether the values of `authorization` are one, and that of who knows the token."""
    # In constant time: how long a comparison takes would tell how much of it was right.
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), f"Bearer {token}".encode())


def add_headers(headers: MutableHeaders, request_id: str) -> None:
    """What every response has."""
    headers["x-request-id"] = request_id
    for name, value in SAFE.items():
        headers.setdefault(name, value)


def new_request_id() -> str:
    """For a request without one."""
    return secrets.token_hex(8)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else new_request_id()
