"""What is where."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shortcut.server import protocol, routes
from shortcut.server.document import describe_routes
from shortcut.server.guards import Guards
from shortcut.server.refusals import RefusedError, on_http_error, on_refused
from shortcut.server.service import Service

PAGE = {
    "index.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "asking.js": "text/javascript",
    "card.js": "text/javascript",
    "words.js": "text/javascript",
}
"""The only files that are sent, by name: no path is ever made of what a request says."""


def make_application(
    service: Service, *, origins: Sequence[str] = (), gave_up: Callable[[], None] = lambda: None
) -> Starlette:
    """The server as an ASGI application.

    Args:
        origins: pages of other servers that may ask; none by default.
        gave_up: called when too many workers have died.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        tasks = [
            asyncio.create_task(service.batcher.run()),
            asyncio.create_task(service.supervisor.watch(gave_up)),
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Outermost: a browser asks whether it may ask without any token.
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "x-request-id"],
        expose_headers=["retry-after", "x-request-id"],
    )
    app = Starlette(
        routes=_routes(),
        lifespan=lifespan,
        middleware=[*([cors] if origins else []), Middleware(Guards, service=service)],
        exception_handlers={
            RefusedError: on_refused,
            HTTPException: on_http_error,
        },
    )
    app.state.service = service
    return app


def _routes() -> list[Route]:
    get, post = ["GET"], ["POST"]
    versions = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
    return [
        Route("/", _page("index.html"), methods=get),
        *(Route(f"/static/{name}", _page(name), methods=get) for name in list(PAGE)[1:]),
        Route("/predict", routes.predict, methods=post),
        Route("/explain", routes.explain, methods=post),
        Route("/labels", routes.labels, methods=get),
        Route("/model", routes.model, methods=get),
        Route("/healthz", routes.health, methods=get),
        Route("/readyz", routes.readiness, methods=get),
        Route("/metrics", routes.metrics, methods=get),
        Route("/openapi.json", _document, methods=get),
        Route("/v2", protocol.server_metadata, methods=get),
        Route("/v2/health/live", protocol.live, methods=get),
        Route("/v2/health/ready", routes.readiness, methods=get),
        *(Route(path, protocol.model_metadata, methods=get) for path in versions),
        *(Route(f"{path}/ready", protocol.model_ready, methods=get) for path in versions),
        *(Route(f"{path}/infer", protocol.infer, methods=post) for path in versions),
    ]


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = files("shortcut.server").joinpath("page", name).read_bytes()

    async def page(_: Request) -> Response:
        return Response(content, media_type=PAGE[name], headers={"cache-control": "no-cache"})

    return page


async def _document(request: Request) -> Response:
    return JSONResponse(describe_routes(routes.service_of(request).facts()))
