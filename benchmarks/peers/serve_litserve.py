"""The same exported model behind LitServe, batched as its documentation shows: PORT MODEL."""

import io
import sys

import litserve
from fastapi import Request
from PIL import Image

import shortcut


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = shortcut.load_exported(sys.argv[2])

    async def decode_request(self, request: Request) -> object:
        return await request.body()

    def predict(self, bodies: list[bytes]) -> list[object]:
        return self.model.predict_many([Image.open(io.BytesIO(body)) for body in bodies])

    def unbatch(self, output: list[object]) -> list[object]:
        return output

    def encode_response(self, output: object) -> dict[str, object]:
        return {"label": output.label, "score": output.score}  # type: ignore[attr-defined]


if __name__ == "__main__":
    api = Api(max_batch_size=16, batch_timeout=0.002)
    server = litserve.LitServer(api, accelerator="cpu", timeout=30, track_requests=False)
    server.run(
        port=int(sys.argv[1]), num_api_servers=1, log_level="error", generate_client_file=False
    )
