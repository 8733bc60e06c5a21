"""A server that shows the page and answers with made-up data, errors included.

What comes of a picture is chosen by the name of its file, which `picture` hides behind the pixels:
a name that begins with a key of `ANSWERS` or `FAILURES` gets that.

    python stub.py [PORT]
"""

import base64
import json
import struct
import sys
import threading
import time
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

FOLDER = Path(__file__).parents[3] / "src/shortcut/server/page"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
MARK = b"name="
HOSTILE = "<img src=x onerror=alert(1)>"
DIGITS = {"7": 0.61, "1": 0.2, "9": 0.1, "4": 0.05, "0": 0.02} | {
    str(n): 0.004 for n in (2, 3, 5, 6, 8)
}
FACTS: dict[str, Any] = {
    **{"name": "best", "network": "resnet18_pool32", "classes": ["cat", "dog"], "image_size": 144},
    **{"accuracy": 0.943, "interval": [0.932, 0.952], "images": 1998, "part": "test"},
    **{"created": "2026-11-29T17:00:00+00:00", "version": "0.1.0", "precision": "fp32"},
    **{"engine": "openvino", "sure_from": 0.8, "tells_unlike": True, "explains": True},
    **{"needs_token": False, "largest_body": 33554432, "most_pictures": 32},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "unsure": {"scores": {"dog": 0.58, "cat": 0.42}, "sure": False},
    "unlike": {"scores": {"dog": 0.91, "cat": 0.09}, "unlike": True, "distance": 7.9},
    "digits": {"scores": DIGITS, "sure": False},
    "hostile": {"scores": {HOSTILE: 0.9, "cat": 0.1}},
    "garbled": {},
    "": {"scores": {"cat": 0.97, "dog": 0.03}},
}
FAILURES = {
    "unreadable": (422, "unreadable", "the file is not a picture of a known format."),
    "slow": (504, "too-slow", "the answer took longer than 10 s."),
    "fault": (500, "fault", "the server made a mistake."),
    "lost": (503, "lost", "the worker died over this picture, or over one beside it."),
    "evil": (422, "unreadable", f"no class is named {HOSTILE}."),
}
DELAYS = {"busy": 429, "starting": 503}


def picture(name: str = "", side: int = 96) -> bytes:
    """A PNG: a disc whose place and colour follow from the name."""
    seed = zlib.crc32(name.encode())
    rows = []
    for y in range(side):
        row = bytearray(b"\0")
        for x in range(side):
            inside = (x - side * 0.3 - seed % 30) ** 2 + (y - side * 0.5) ** 2 < (side / 4) ** 2
            wall = (90 + y, 120 + x // 2, 140)
            row += bytes((seed >> 8 & 255, seed >> 16 & 255, 90) if inside else wall)
        rows.append(bytes(row))
    return png(side, side, b"".join(rows)) + MARK + name.encode()


def png(width: int, height: int, rows: bytes) -> bytes:
    """An RGB file of rows of pixels, each after its zero."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def heat(side: int = 96) -> bytes:
    """A PNG that is blue with a yellow middle."""
    rows = bytearray()
    for y in range(side):
        rows.append(0)
        for x in range(side):
            near = max(
                0.0, 1 - ((x - side * 0.45) ** 2 + (y - side * 0.5) ** 2) / (side / 2.5) ** 2
            )
            rows += bytes(int(a + near * (b - a)) for a, b in ((70, 245), (50, 230), (130, 40)))
    return png(side, side, bytes(rows))


def address(data: bytes) -> str:
    """As a page may hold it."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def named(body: bytes) -> str:
    """The name behind the pixels."""
    return body.rpartition(MARK)[2].decode("utf-8", "replace") if MARK in body else ""


def answer(name: str) -> dict[str, Any]:
    """What `/predict` says of a picture."""
    key = next(key for key in ANSWERS if name.startswith(key))
    told = {"sure": True, "unlike": False, "distance": 0.3} | ANSWERS[key]
    if "scores" not in told:
        return told
    label, score = next(iter(told["scores"].items()))
    return {"label": label, "score": score} | told


class Stub(ThreadingHTTPServer):
    """Serves while its `with` lasts.

    Args:
        facts: of `/model`, in place of those in `FACTS`.
        token: without which nothing is answered.
        delay: seconds that an answer takes.
        refusals: how often `/predict` says 429 or 503 first, where the name asks for that.
        starting: how often `/model` says 503 first.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        facts: dict[str, Any] | None = None,
        *,
        token: str = "",
        delay: float = 0.0,
        refusals: int = 1,
        starting: int = 0,
        port: int = 0,
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.facts = FACTS | {"needs_token": bool(token)} | (facts or {})
        self.token, self.delay, self.refusals, self.starting = token, delay, refusals, starting
        self.asked: list[str] = []
        self.refused: Counter[str] = Counter()
        self.running = self.most_running = 0
        self.guard = threading.Lock()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/"

    def __enter__(self) -> "Stub":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Stub

    def do_GET(self) -> None:
        """The page, its files and the model."""
        path = urlsplit(self.path).path
        self.server.asked.append(path)
        if path == "/model":
            if self.server.starting > 0:
                self.server.starting -= 1
                return self.refuse(503, "not-ready", "the model is being loaded.", 1)
            return self.tell(200, self.server.facts)
        file = FOLDER / ("index.html" if path == "/" else path.removeprefix("/static/"))
        if path != "/" and (not path.startswith("/static/") or file.parent != FOLDER):
            return self.refuse(404, "not-found", "there is nothing here.")
        if not file.is_file():
            return self.refuse(404, "not-found", "there is nothing here.")
        return self.reply(200, file.read_bytes(), f"{KINDS[file.suffix]}; charset=utf-8", {})

    def do_POST(self) -> None:
        """An answer or an explanation."""
        server, path = self.server, urlsplit(self.path)
        body = self.rfile.read(int(self.headers["content-length"]))
        name = named(body)
        server.asked.append(self.path)
        with server.guard:
            server.running += 1
            server.most_running = max(server.most_running, server.running)
        try:
            time.sleep(server.delay)
            self.judge(path.path, parse_qs(path.query), body, name)
        finally:
            with server.guard:
                server.running -= 1

    def judge(self, path: str, query: dict[str, list[str]], body: bytes, name: str) -> None:
        """Chooses what to say."""
        if self.server.token and self.headers["authorization"] != f"Bearer {self.server.token}":
            return self.refuse(401, "token", "the token is missing or wrong.")
        status = next((DELAYS[key] for key in DELAYS if name.startswith(key)), 0)
        if status and self.server.refused[name] < self.server.refusals:
            self.server.refused[name] += 1
            return self.refuse(status, "busy", "too many pictures are waiting.", 1)
        failure = next((FAILURES[key] for key in FAILURES if name.startswith(key)), None)
        if failure:
            return self.refuse(*failure)
        if path == "/predict":
            return self.tell(200, answer(name))
        if name.startswith("unexplained"):
            return self.refuse(*FAILURES["slow"])
        label = query.get("class", [answer(name)["label"]])[0]
        seen = address(body) if body.startswith(b"\x89PNG") else address(picture(name))
        return self.tell(200, {"label": label, "picture": seen, "heat": address(heat())})

    def refuse(self, status: int, code: str, message: str, after: int | None = None) -> None:
        """No answer."""
        headers = {} if after is None else {"Retry-After": str(after)}
        told = {"error": {"code": code, "message": message}, "request_id": "5f0c2a9be417"}
        self.reply(status, json.dumps(told).encode(), "application/json", headers)

    def tell(self, status: int, told: dict[str, Any]) -> None:
        """JSON, as short as it can be."""
        data = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        self.reply(status, data, "application/json", {})

    def reply(self, status: int, data: bytes, kind: str, headers: dict[str, str]) -> None:
        """With the headers that everything has."""
        self.send_response(status)
        fixed = {"Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff"}
        fixed |= {"Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
        length = {"Content-Type": kind, "Content-Length": str(len(data))}
        for key, value in (fixed | length | headers).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests look at `asked`."""


if __name__ == "__main__":
    with Stub(port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000) as served:
        print(served.address, flush=True)
        threading.Event().wait()
