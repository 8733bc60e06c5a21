"""No answer, and why: the same form of every error."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        code: a word for programs.
        message: one sentence that may be shown to anybody: no paths, no versions.
        retry_after: seconds after which it may go better.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after = retry_after


def refusal(request: Request, error: RefusedError) -> Response:
    """As the client sees it."""
    return refusal_to(request.scope.get("state", {}).get("request_id", ""), error)


def refusal_to(request_id: str, error: RefusedError) -> Response:
    """The same, where there is no more of the request than its number."""
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    # What is not read of other bodies is thrown away as it comes: a client that were cut off while
    # it still sends would never see why.
    if error.status == 408:
        headers["connection"] = "close"
    told = {
        "error": {"code": error.code, "message": error.message},
        "request_id": request_id,
    }
    return JSONResponse(told, error.status, headers)


async def on_refused(request: Request, error: Exception) -> Response:
    """For Starlette: ours."""
    assert isinstance(error, RefusedError)
    return refusal(request, error)


WORDS = {
    404: ("not-found", "there is nothing here; see /openapi.json."),
    405: ("wrong-method", "this address takes another method; see /openapi.json."),
}


async def on_http_error(request: Request, error: Exception) -> Response:
    """For Starlette: its own."""
    status = getattr(error, "status_code", 500)
    code, message = WORDS.get(status, ("refused", "the request cannot be answered."))
    response = refusal(request, RefusedError(status, code, message))
    for name, value in (getattr(error, "headers", None) or {}).items():
        response.headers[name] = value
    return response
