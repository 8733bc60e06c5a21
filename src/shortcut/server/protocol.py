"""The Open Inference Protocol, version 2, by HTTP: what Triton, KServe and others speak.

https://github.com/kserve/open-inference-protocol
"""

import asyncio
import json
from dataclasses import replace
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shortcut.data.preprocess import Pixels
from shortcut.runtime.engine import DISTANCE, IMAGES, PROBABILITIES
from shortcut.server.bodies import held_body
from shortcut.server.refusals import RefusedError
from shortcut.server.routes import service_of
from shortcut.server.service import Service, checked
from shortcut.server.tasks import Task

DIGITS = 6
"""Letters that a byte takes in JSON, at most, with its comma and a space."""
LONGEST_ID = 200
REST = 64 << 10
"""Letters of all else."""


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
        asked, pixels = await asyncio.to_thread(_read, body, service)
        tasks = [Task("judge", picture) for picture in pixels]
        results = [checked(one) for one in await service.answer(request, tasks)]
    answers = [value for one in results for value in one["probabilities"]]
    facts = service.supervisor.facts
    outputs = [_tensor(PROBABILITIES, "FP32", [len(results), len(facts["classes"])], answers)]
    if facts["tells_unlike"]:
        distances = [one["distance"] for one in results]
        outputs.append(_tensor(DISTANCE, "FP32", [len(results)], distances))
    wanted = {one["name"] for one in asked.get("outputs", [])}
    told = {
        "model_name": facts["name"],
        "model_version": "1",
        "outputs": [one for one in outputs if not wanted or one["name"] in wanted],
    }
    if "id" in asked:
        told["id"] = asked["id"]
    return JSONResponse(told)


def _read(body: bytes, service: Service) -> tuple[dict[str, Any], Pixels]:
    """What is asked, checked as a whole before the network sees it, and the pixels."""
    asked = _parsed(body)
    known = (PROBABILITIES, DISTANCE)
    if any(one.get("name") not in known for one in _objects(asked.get("outputs", []))):
        raise RefusedError(422, "wrong-output", f"outputs are {' and '.join(known)}.")
    name = asked.get("id", "")
    if not isinstance(name, str) or len(name) > LONGEST_ID or not name.isprintable():
        raise RefusedError(422, "wrong-id", f"an id is text of at most {LONGEST_ID} letters.")
    return asked, _pixels(asked, service)


def _named(request: Request) -> Service:
    service = service_of(request)
    version = request.path_params.get("version", "1")
    if request.path_params["model"] != service.supervisor.facts["name"] or version != "1":
        raise RefusedError(404, "unknown-model", "there is no such model here; see /model.")
    return service


def _tensor(name: str, kind: str, shape: list[int], data: Any = None) -> dict[str, Any]:
    whole: dict[str, Any] = {"name": name, "datatype": kind, "shape": shape}
    return whole if data is None else whole | {"data": data}


def _parsed(body: bytes) -> dict[str, Any]:
    wrong = RefusedError(422, "damaged-json", "the body is no JSON of an inference request.")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise wrong from None
    if not isinstance(asked, dict):
        raise wrong
    return asked


def _objects(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise RefusedError(422, "damaged-json", "inputs and outputs are lists of objects.")
    return given


def _pixels(asked: dict[str, Any], service: Service) -> Pixels:
    side = service.supervisor.facts["image_size"]
    inputs = _objects(asked.get("inputs"))
    needed = f"one input is needed: `{IMAGES}`, UINT8, shape [N, {side}, {side}, 3]."
    wrong = RefusedError(422, "wrong-input", needed)
    if len(inputs) != 1 or inputs[0].get("name") != IMAGES or inputs[0].get("datatype") != "UINT8":
        raise wrong
    shape = inputs[0].get("shape")
    if not isinstance(shape, list) or len(shape) != 4 or shape[1:] != [side, side, 3]:
        raise wrong
    count = shape[0]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise wrong
    if count > service.limits.pictures:
        most = service.limits.pictures
        raise RefusedError(413, "too-many", f"at most {most} pictures are taken.")
    try:
        values = np.array(inputs[0].get("data"), np.float64)
    except (ValueError, TypeError, OverflowError):
        raise wrong from None
    if values.size != count * side * side * 3:
        raise wrong
    if not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        raise RefusedError(422, "wrong-input", "UINT8 data are whole numbers from 0 to 255.")
    return values.reshape(count, side, side, 3).astype(np.uint8)
