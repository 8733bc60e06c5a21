"""The Open Inference Protocol, version 2, by HTTP: what Triton, KServe and others speak.

https://github.com/kserve/open-inference-protocol
"""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shortcut.runtime.engine import DISTANCE, IMAGES, PROBABILITIES
from shortcut.server.bodies import held_body
from shortcut.server.refusals import RefusedError
from shortcut.server.routes import service_of
from shortcut.server.service import Service, checked
from shortcut.server.tasks import Task
from shortcut.server.tensors import REST

DIGITS = 6
"""Letters that a byte takes in JSON, at most, with its comma and a space."""


async def server_metadata(request: Request) -> Response:
    """What this is."""
    version = service_of(request).supervisor.facts["version"]
    return JSONResponse({"name": "shortcut", "version": version, "extensions": []})


async def model_metadata(request: Request) -> Response:
    """What the model takes and gives."""
    service = _named(request)
    facts = service.supervisor.facts
    side = facts["image_size"]
    outputs = [_tensor(PROBABILITIES, "FP32", [-1, len(facts["classes"])])]
    if facts["tells_unlike"]:
        outputs.append(_tensor(DISTANCE, "FP32", [-1]))
    return JSONResponse(
        {
            "name": facts["name"],
            "versions": ["1"],
            "platform": f"shortcut_{facts['engine']}",
            "inputs": [_tensor(IMAGES, "UINT8", [-1, side, side, 3])],
            "outputs": outputs,
        }
    )


async def model_ready(request: Request) -> Response:
    """Whether it answers."""
    ready = _named(request).ready
    return JSONResponse({"ready": ready}, 200 if ready else 503)


async def live(_: Request) -> Response:
    """That somebody is there."""
    return JSONResponse({"live": True})


async def infer(request: Request) -> Response:
    """Probabilities, and distances where the model knows any, of pictures that are resized already:
    (N, S, S, 3) uint8."""
    service = _named(request)
    service.check_room()
    side, most = service.supervisor.facts["image_size"], service.limits.pictures
    largest = min(service.limits.body, DIGITS * most * side * side * 3 + REST)
    limits = replace(service.limits, body=largest)
    async with held_body(request, limits, service.memory) as body:
        until = service.deadline()
        (read,) = await service.answer(request, [Task("read", body, most=most)], until)
        del body  # from here on it is not counted any more
    asked = checked(read)
    tasks = [Task("judge", picture) for picture in asked["pixels"]]
    results = [checked(one) for one in await service.answer(request, tasks, until)]
    answers = [value for one in results for value in one["probabilities"]]
    facts = service.supervisor.facts
    outputs = [_tensor(PROBABILITIES, "FP32", [len(results), len(facts["classes"])], answers)]
    if facts["tells_unlike"]:
        distances = [one["distance"] for one in results]
        outputs.append(_tensor(DISTANCE, "FP32", [len(results)], distances))
    wanted = asked["outputs"]
    told = {
        "model_name": facts["name"],
        "model_version": "1",
        "outputs": [one for one in outputs if not wanted or one["name"] in wanted],
    }
    if asked["id"] is not None:
        told["id"] = asked["id"]
    return JSONResponse(told)


def _named(request: Request) -> Service:
    service = service_of(request)
    version = request.path_params.get("version", "1")
    if request.path_params["model"] != service.supervisor.facts["name"] or version != "1":
        raise RefusedError(404, "unknown-model", "there is no such model here; see /model.")
    return service


def _tensor(name: str, kind: str, shape: list[int], data: Any = None) -> dict[str, Any]:
    whole: dict[str, Any] = {"name": name, "datatype": kind, "shape": shape}
    return whole if data is None else whole | {"data": data}
