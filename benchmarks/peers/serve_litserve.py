"""The same exported model behind LitServe, batched as its documentation shows: PORT MODEL.

What LitServe has of its own for a case is switched on: a limit of the body, a time-out, workers
that are started again, CORS as one of its `middlewares`, uvicorn's limit of what runs at once. The
body is taken as FastAPI gives it: LitServe itself reads JSON and forms, and answers 500 to a raw
picture.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import litserve
from fastapi import Body
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

import shortcut
from shortcut.errors import DecodeError


class Api(litserve.LitAPI):
    """One picture is a body, its answer JSON; what is no picture is 422."""

    place: Path

    def setup(self, device: str) -> None:
        self.model = shortcut.load_exported(self.place)

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> Any:
        try:
            return self.model.pixels(request)
        except DecodeError as error:
            return error  # raised, it would be the answer to all of the batch

    def batch(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return inputs  # its own stacks arrays, and an error is none

    def predict(self, read: Sequence[Any]) -> list[Any]:
        good = [one for one in read if not isinstance(one, DecodeError)]
        found = iter(self.model.predict_pixels(good))
        return [one if isinstance(one, DecodeError) else next(found) for one in read]

    def unbatch(self, output: list[Any]) -> list[Any]:
        return output

    def encode_response(self, output: Any):
        if isinstance(output, DecodeError):
            return JSONResponse({"detail": str(output)}, 422)
        return {"label": output.label, "score": output.score}


def options() -> argparse.Namespace:
    """What is said on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("model", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--batch", type=int, default=16, help="from 2 on: one alone is no list")
    parser.add_argument("--timeout", type=float, default=30.0)
    parser.add_argument("--max-body", type=int, help="bytes")
    parser.add_argument("--at-once", type=int, help="uvicorn's limit_concurrency")
    parser.add_argument("--origin", action="append", default=[])
    parser.add_argument("--certificate", type=Path, help="with its key")
    return parser.parse_args()


def main() -> None:
    """Serve."""
    asked = options()
    api = Api(max_batch_size=asked.batch, batch_timeout=0.002)
    api.place = asked.model
    cors = [(CORSMiddleware, {"allow_origins": asked.origin, "allow_methods": ["GET", "POST"]})]
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        timeout=asked.timeout,
        max_payload_size=asked.max_body,
        middlewares=cors if asked.origin else [],
        restart_workers=True,
    )
    more: dict[str, Any] = {}
    if asked.at_once:
        more["limit_concurrency"] = asked.at_once
    if asked.certificate:
        more |= {"ssl_certfile": asked.certificate, "ssl_keyfile": asked.certificate}
    server.run(
        host=asked.host,
        port=asked.port,
        num_api_servers=1,
        log_level="error",
        generate_client_file=False,
        **more,
    )


if __name__ == "__main__":
    main()
