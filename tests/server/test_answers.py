"""What comes back for pictures, and that it is what `predict` says."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.classifier.made import encoded, noise
from tests.server.conftest import CLASSES, Server, jpeg

from shortcut import load

PICTURES = {
    "png": encoded(noise(40, 50), "PNG"),
    "jpeg": jpeg(),
    "grey": encoded(noise(40, 50).convert("L"), "PNG"),
    "cmyk": encoded(noise(40, 50).convert("CMYK"), "JPEG"),
    "deep": encoded(
        Image.fromarray((np.arange(1600).reshape(40, 40) * 40).astype(np.uint16)), "PNG"
    ),
    "clear": encoded(noise(40, 50).convert("RGBA"), "PNG"),
    "narrow": encoded(noise(3, 300), "PNG"),
    "gif": encoded(noise(40, 50).convert("P"), "GIF"),
}


def turned() -> bytes:
    content, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    noise(40, 50).save(content, "JPEG", exif=exif)
    return content.getvalue()


@pytest.mark.parametrize("kind", [*PICTURES, "turned"])
def test_an_answer_is_that_of_predict(server: Server, model: Path, kind: str) -> None:
    content = PICTURES[kind] if kind in PICTURES else turned()
    expected = load(model).predict(content)
    answer = server.post(content, headers={"content-type": "image/png"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["label"] == expected.label and found["sure"] is True
    assert found["scores"] == pytest.approx(expected.scores, abs=1e-6)
    assert found["unlike"] is None and found["distance"] is None


def test_several_in_a_form(server: Server, model: Path, picture: bytes) -> None:
    files = [("files", ("a.png", picture)), ("files", ("b.jpg", b"none")), ("x", ("c", jpeg()))]
    answer = server.post(b"", files=files)
    first, second, third = answer.json()["predictions"]
    classifier = load(model)
    assert first["label"] == classifier.predict(picture).label
    assert second["error"]["code"] == "unreadable" and "picture" in second["error"]["message"]
    assert third["scores"] == pytest.approx(classifier.predict(jpeg()).scores, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"", "image/png", 422, "empty"),
        (b"none", "image/png", 422, "unreadable"),
        (b"{}", "application/json", 415, "wrong-type"),
        (b'{"url": "file:///etc/passwd"}', "application/json", 415, "wrong-type"),
        (b"a=1", "application/x-www-form-urlencoded", 422, "unreadable"),
        (b"--x\r\n", "multipart/form-data; boundary=x", 422, "damaged-form"),
        (b"x", "multipart/form-data", 422, "damaged-form"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422, "empty"),
    ],
)
def test_what_is_no_picture(
    server: Server, content: bytes, kind: str, status: int, code: str
) -> None:
    answer = server.post(content, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_no_message_tells_of_the_machine(server: Server, picture: bytes) -> None:
    for content in (picture[:100], b"%!PS", b"GIF89a", b"\xff\xd8\xff\xe0" + bytes(50)):
        text = server.post(content, headers={"content-type": "image/png"}).text
        assert "unreadable" in text
        for word in ("/", "Traceback", "Pillow", "python"):
            assert word not in text.replace("in /openapi.json", "")


def test_where_in_the_picture(server: Server, picture: bytes) -> None:
    answer = server.post(picture, "/explain?class=dog").json()
    assert answer["label"] == "dog"
    for part in ("picture", "heat"):
        assert answer[part].startswith("data:image/jpeg;base64,")
    assert answer["picture"] != answer["heat"]
    assert server.post(picture, "/explain").json()["label"] in CLASSES
    refused = server.post(picture, "/explain?class=bird")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unknown-class")


def test_the_model_says_what_it_is(server: Server) -> None:
    card = server.get("/model").json()
    assert (card["name"], card["network"], card["classes"]) == ("small", "resnet20", list(CLASSES))
    assert (card["accuracy"], card["images"], card["part"]) == (0.9, 50, "val")
    low, high = card["interval"]
    assert 0.75 < low < 0.9 < high < 0.97
    assert (card["needs_token"], card["explains"], card["engine"]) == (False, True, "torch")
    assert server.get("/labels").json() == {"labels": list(CLASSES)}


def test_health(server: Server) -> None:
    assert server.get("/healthz").json() == {"live": True}
    assert server.get("/readyz").json() == {"ready": True}


def test_counts_are_those_of_the_client(server: Server, picture: bytes) -> None:
    def count(status: int) -> float:
        for line in server.get("/metrics").text.splitlines():
            if line.startswith(f'shortcut_requests_total{{route="predict",status="{status}"}}'):
                return float(line.split()[-1])
        return 0.0

    before = count(200), count(422)
    for _ in range(7):
        server.post(picture)
    for _ in range(3):
        server.post(b"none")
    assert (count(200), count(422)) == (before[0] + 7, before[1] + 3)


def test_the_open_inference_protocol(server: Server, model: Path) -> None:
    assert server.get("/v2").json()["name"] == "shortcut"
    assert server.get("/v2/health/live").status_code == 200
    assert server.get("/v2/health/ready").status_code == 200
    base = "/v2/models/small"
    told = server.get(base).json()
    assert told["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 32, 32, 3]}]
    assert server.get(f"{base}/ready").status_code == 200
    assert server.get(f"{base}/versions/1/ready").status_code == 200
    assert server.get(f"{base}/versions/2/ready").status_code == 404
    assert server.get("/v2/models/other").status_code == 404
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    tensor = {"name": "images", "datatype": "UINT8", "shape": [2, 32, 32, 3]}
    asked = {"id": "7", "inputs": [tensor | {"data": pixels.ravel().tolist()}]}
    answer = server.post(json.dumps(asked).encode(), f"{base}/infer").json()
    (output,) = answer["outputs"]
    assert (answer["id"], output["name"], output["shape"]) == ("7", "probabilities", [2, 3])
    expected = load(model).judge_pixels(pixels)[0].ravel()
    assert output["data"] == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"inputs": 7}',
        b'{"inputs": [7]}',
        b'{"inputs": [{"name": "images", "datatype": "FP32", "shape": [1], "data": []}]}',
        b'{"inputs": [{"name":"images","datatype":"UINT8","shape":[1,32,32,3],"data":[1]}]}',
        b'{"inputs": [{"name":"images","datatype":"UINT8","shape":[-1,32,32,3],"data":[]}]}',
        b'{"inputs": [{"name":"images","datatype":"UINT8","shape":[true,32,32,3],"data":[]}]}',
        b'{"inputs": [{"name":"images","datatype":"UINT8","shape":[1,32,32,3],"data":"x"}]}',
        b'{"inputs": [{"name":"images","datatype":"UINT8","shape":[1,32,32,3],"data":[1e999]}]}',
    ],
    ids=lambda body: body[:40].decode(),
)
def test_inference_requests_that_are_none(server: Server, body: bytes) -> None:
    answer = server.post(body, "/v2/models/small/infer")
    assert answer.status_code == 422, answer.text
    assert set(answer.json()) == {"error", "request_id"}


def test_bytes_out_of_range_are_refused(server: Server) -> None:
    for value in (-1, 256, 0.5, "NaN"):
        tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 32, 32, 3]}
        data = [value, *[0] * (32 * 32 * 3 - 1)]
        asked = json.dumps({"inputs": [tensor | {"data": data}]}).encode()
        assert server.post(asked, "/v2/models/small/infer").status_code == 422


def test_the_type_of_a_form_in_any_letters(server: Server, picture: bytes) -> None:
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + one + b"\r\n"
        for one in (picture, jpeg())
    ]
    body = b"".join(parts) + b"--x--\r\n"
    kind = {"content-type": "Multipart/Form-Data; boundary=x"}
    assert len(server.post(body, headers=kind).json()["predictions"]) == 2
    assert server.post(body, "/explain", headers=kind).status_code == 415


def test_odd_words_of_an_inference_request(server: Server) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [0] * 3072}
    for more in ({"id": "\ud800"}, {"id": "x" * 201}, {"id": 7}, {"outputs": [{"name": "none"}]}):
        asked = json.dumps({"inputs": [tensor]} | more).encode()
        assert server.post(asked, "/v2/models/small/infer").status_code == 422, more
    named = {"outputs": [{"name": "probabilities"}], "id": "x" * 200}
    answer = server.post(
        json.dumps({"inputs": [tensor]} | named).encode(), "/v2/models/small/infer"
    )
    assert answer.json()["id"] == "x" * 200
    wrong = {"outputs": [{"name": []}], "inputs": [tensor]}
    assert server.post(json.dumps(wrong).encode(), "/v2/models/small/infer").status_code == 422


def test_a_form_of_a_million_parts(server: Server) -> None:
    body = b"--x\r\n\r\n\r\n" * 100_000 + b"--x--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer = server.post(body, headers=kind)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-many")


def test_more_numbers_than_pictures_have_are_not_even_parsed(server: Server) -> None:
    """Three letters can make a list of sixty bytes."""
    amounts = [(b"[]", 200_000, 422), (b"{}", 200_000, 422), (b"1", 300_000, 413)]
    for one, count, status in amounts:
        body = b'{"inputs":[{"data":[%b]}]}' % b",".join([one] * count)
        assert server.post(body, "/v2/models/small/infer").status_code == status, one
