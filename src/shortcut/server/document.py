"""The server in words for programs: its OpenAPI document."""

from typing import Any

Schema = dict[str, Any]

FAULTS = {
    401: "the token is missing or wrong",
    404: "there is no such model",
    408: "the body did not arrive in time",
    413: "too many bytes or pictures",
    415: "neither a picture nor a form",
    422: "not a picture, or a damaged form",
    429: "too many pictures are waiting",
    501: "this model does not tell where it saw its answer",
    503: "the model is being loaded (with Retry-After), or its worker died over the pictures",
    504: "no answer in time",
}
_TEXT, _NUMBER, _TRUTH = {"type": "string"}, {"type": "number"}, {"type": "boolean"}


def describe_routes(facts: dict[str, Any]) -> Schema:
    """OpenAPI 3.1 of a server with this model.

    Args:
        facts: what `/model` tells.
    """
    secured: list[Schema] = [{"token": []}] if facts["needs_token"] else []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"shortcut: {facts['name']}",
            "version": facts["version"] or "0",
            "description": "Answers about pictures. Errors tell a code, a sentence and a number.",
        },
        "security": secured,
        "components": {
            "schemas": _schemas(facts),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "paths": _pictures() | _facts() | _inference(facts),
    }


def _schemas(facts: dict[str, Any]) -> Schema:
    score = {"type": "number", "minimum": 0, "maximum": 1}
    names = {"type": "string", "enum": facts["classes"]}
    maybe = {"type": ["number", "null"]}
    error = _object(code=_TEXT, message=_TEXT)
    return {
        "Prediction": _object(
            label=names,
            score=score,
            scores={"type": "object", "additionalProperties": score},
            sure=_TRUTH,
            unlike={"type": ["boolean", "null"]},
            distance=maybe,
        ),
        "Explanation": _object(label=names, picture=_TEXT, heat=_TEXT),
        "Error": _object(error=error, request_id=_TEXT),
    }


def _pictures() -> Schema:
    raw = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
    form = {"schema": _object(files={"type": "array", "items": {"type": "string"}})}
    prediction = {"$ref": "#/components/schemas/Prediction"}
    either = {"anyOf": [prediction, _object(predictions={"type": "array"})]}
    wanted = {"name": "class", "in": "query", "required": False, "schema": _TEXT}
    kinds = {"application/octet-stream": raw, "image/jpeg": raw, "image/png": raw}
    several = kinds | {"multipart/form-data": form}
    asked = (401, 408, 413, 415, 422, 429, 503, 504)
    explained = _operation(
        "What in a picture speaks for its answer.",
        {"$ref": "#/components/schemas/Explanation"},
        (*asked, 501),
        body=kinds,
    )
    return {
        "/predict": {
            "post": _operation(
                "The answer about one picture, or about each file of a form.",
                either,
                asked,
                body=several,
            )
        },
        "/explain": {"post": explained | {"parameters": [wanted]}},
    }


def _facts() -> Schema:
    names = _object(labels={"type": "array", "items": _TEXT})
    ready = _operation("Whether requests are answered.", _object(ready=_TRUTH), (503,))
    live = _operation("That the server is there.", _object(live=_TRUTH), ())
    return {
        "/labels": {"get": _operation("The classes.", names, (401,))},
        "/model": {"get": _operation("The model's card.", {"type": "object"}, ())},
        "/healthz": {"get": live},
        "/readyz": {"get": ready},
        "/v2/health/live": {"get": live},
        "/v2/health/ready": {"get": ready},
        "/v2": {"get": _operation("What this is.", {"type": "object"}, (401,))},
    }


def _inference(facts: dict[str, Any]) -> Schema:
    """The Open Inference Protocol."""
    name = {"type": "string", "enum": [facts["name"]]}
    parameter = {"name": "model", "in": "path", "required": True, "schema": name}
    side = facts["image_size"]
    data = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
    images = _object(
        name={"const": "images"},
        datatype={"const": "UINT8"},
        shape={
            "type": "array",
            "prefixItems": [
                {"type": "integer", "minimum": 1, "maximum": facts["most_pictures"]},
                *[{"const": n} for n in (side, side, 3)],
            ],
            "items": False,
            "minItems": 4,
        },
        data=data,
    )
    body = {
        "schema": _object(inputs={"type": "array", "minItems": 1, "maxItems": 1, "items": images})
    }
    base = "/v2/models/{model}"
    asked = (401, 404, 408, 413, 415, 422, 429, 503, 504)
    told = _operation("What it takes and gives.", {"type": "object"}, (401, 404))
    ready = _operation("Whether it answers.", _object(ready=_TRUTH), (401, 404, 503))
    infer = _operation(
        "Probabilities of pixels that are resized already.",
        {"type": "object"},
        asked,
        body={"application/json": body},
    )
    return {
        path: {method: operation | {"parameters": [parameter]}}
        for path, method, operation in (
            (base, "get", told),
            (f"{base}/ready", "get", ready),
            (f"{base}/infer", "post", infer),
        )
    }


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _operation(
    summary: str, schema: Schema, faults: tuple[int, ...], *, body: Schema | None = None
) -> Schema:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    # Readiness says no with the same words as yes.
    same = {"application/json": {"schema": schema}}
    responses = {"200": {"description": summary, "content": same}}
    for status in faults:
        says_no = status == 503 and "ready" in schema.get("properties", {})
        content = same if says_no else error
        responses[str(status)] = {"description": FAULTS[status], "content": content}
    operation: Schema = {"summary": summary, "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return operation
