"""The OpenAPI document tells of every route, and no other."""

import httpx
from tests.server.conftest import asked, pretend
from tests.server.test_limits import at_once

from shortcut.server.application import PAGE, make_application
from shortcut.server.limits import Limits

UNTOLD = {"/", "/openapi.json", *(f"/static/{name}" for name in PAGE)}
ELSEWHERE = {"/metrics"}  # in Prometheus' own form


def test_every_route_is_told() -> None:
    service = pretend(at_once, Limits())
    routes = {
        (route.path, method.lower())  # type: ignore[attr-defined]
        for route in make_application(service).routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
        if route.path not in UNTOLD | ELSEWHERE and "{version}" not in route.path  # type: ignore[attr-defined]
    }

    async def talk(client: httpx.AsyncClient) -> dict:  # type: ignore[type-arg]
        return (await client.get("/openapi.json")).json()

    document = asked(service, talk)
    told = {(path, m) for path, methods in document["paths"].items() for m in methods}  # type: ignore[index]
    assert told == routes
    assert document["openapi"] == "3.1.0"  # type: ignore[index]
