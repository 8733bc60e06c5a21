"""Pictures in, answers out, and what the model is."""

import asyncio
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shortcut.server.bodies import MULTIPART, held_body, pictures_in
from shortcut.server.refusals import RefusedError
from shortcut.server.service import Service, checked
from shortcut.server.tasks import Refusal, Task

TAKEN = (
    "image/",
    "application/octet-stream",
    "application/x-www-form-urlencoded",  # what curl says of every body unless it is told
    MULTIPART.decode(),
)


def service_of(request: Request) -> Service:
    """The one that this application was made with."""
    return cast("Service", request.app.state.service)


async def predict(request: Request) -> Response:
    """Of a picture its answer; of a form with files a list, an answer or an error for each."""
    service, kind = service_of(request), _content_type(request)
    service.check_room()
    async with held_body(request, service.limits, service.memory) as body:
        if _is_form(kind):
            pictures = await asyncio.to_thread(pictures_in, body, kind, service.limits)
        else:
            # Before anything else is heard it is in the queue: see `Connection`.
            pictures = pictures_in(body, kind, service.limits)
        results = await service.answer(request, [Task("predict", one) for one in pictures])
    if not _is_form(kind):
        return JSONResponse(checked(results[0]))
    answers = [
        {"error": {"code": one.code, "message": one.message}} if isinstance(one, Refusal) else one
        for one in results
    ]
    return JSONResponse({"predictions": answers})


async def explain(request: Request) -> Response:
    """The square that the network sees, and the same with what in it speaks for a class."""
    service, kind = service_of(request), _content_type(request)
    if _is_form(kind):
        raise RefusedError(415, "wrong-type", "one picture at a time is explained: send it alone.")
    service.check_room()
    async with held_body(request, service.limits, service.memory) as body:
        (picture,) = pictures_in(body, kind, service.limits)
        task = Task("explain", picture, request.query_params.get("class"))
        (result,) = await service.answer(request, [task])
    return JSONResponse(checked(result))


async def labels(request: Request) -> Response:
    """The names of the classes, in the order of the network's outputs."""
    return JSONResponse({"labels": service_of(request).supervisor.facts["classes"]})


async def model(request: Request) -> Response:
    """The model's card."""
    return JSONResponse(service_of(request).facts())


def _content_type(request: Request) -> str:
    kind = request.headers.get("content-type", "application/octet-stream").strip().lower()
    if not kind.startswith(TAKEN):
        raise RefusedError(
            415, "wrong-type", "send a picture as the body, or several in multipart/form-data."
        )
    return request.headers.get("content-type", "application/octet-stream").strip()


def _is_form(kind: str) -> bool:
    return kind.lower().startswith(MULTIPART.decode())


async def health(_: Request) -> Response:
    """That somebody is there, whatever the worker does."""
    return JSONResponse({"live": True})


async def readiness(request: Request) -> Response:
    """Whether to send requests here."""
    ready = service_of(request).ready
    return JSONResponse({"ready": ready}, 200 if ready else 503)


async def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(service_of(request).meters.text(), media_type="text/plain; version=0.0.4")
