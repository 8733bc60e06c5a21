"""Requests that are too much, damaged, of a wrong form, or not allowed."""

import contextlib
import json
import random
import re
import socket
import zlib
from collections.abc import Iterable, Iterator, Mapping

from faults.asking import Answer, Seen, ask, counted, head, send
from faults.pictures import bad, encoded, noise, odd
from faults.sides import Ground, Server, watched

PICTURE = encoded(noise(40, 50))
PIECE = bytes(1 << 16)
WHOLE = 200 << 20
"""Bytes of a body that is far too long."""
FORM = "content-type: multipart/form-data; boundary=x"
CHUNKED = "transfer-encoding: chunked"
TELLING = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|/(?:usr|tmp|opt|etc|var)/|\b\d+\.\d+\.\d+"
)
"""What no error should show: paths, source, versions."""

Sent = Mapping[str, Iterable[bytes]]


def _each(server: Server, sent: Sent, most: float) -> Seen:
    """All of these are refused by 4xx or hung up on, memory stays, and pictures are answered."""
    with watched(server) as grown:
        answers = {name: send(server.port, pieces) for name, pieces in sent.items()}
    after = server.predict(PICTURE)
    said = ", ".join(f"{name} {answer}" for name, answer in answers.items())
    held = all(one.refused or one.problem == "hung up" for one in answers.values())
    fine = held and grown[0] < most and after.status == 200
    return Seen(fine, f"{said}; grew by {grown[0]:.0f} MB; the next: {after}")


def _long(first: bytes, whole: int = WHOLE, chunks: bool = False) -> Iterator[bytes]:
    yield first
    for _ in range(whole // len(PIECE)):
        yield b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunks else PIECE


def _said(length: int) -> str:
    return f"content-length: {length}"


def long_bodies(ground: Ground) -> Seen:
    """G5."""
    packed = zlib.compress(bytes(WHOLE), wbits=31)
    kind = "content-type: image/png"
    with ground.server(megabytes=1) as server:
        sent = {
            "told": _long(head("/predict", kind, _said(WHOLE))),
            "chunked": _long(head("/predict", kind, CHUNKED), chunks=True),
            "longer than told": _long(head("/predict", kind, _said(1000))),
            "packed": [
                head("/predict", kind, "content-encoding: gzip", _said(len(packed))) + packed
            ],
        }
        return _each(server, sent, 64)


def odd_shapes(ground: Ground) -> Seen:
    """G6."""
    deep = b"[" * 100_000
    kind = "content-type: image/png"
    many = [f"x-{n}: y" for n in range(10_000)]
    singles = [head("/predict", kind, CHUNKED)] + [b"1\r\nx\r\n" * 30_000] * 100 + [b"0\r\n\r\n"]
    with ground.server() as server:
        sent = {
            "3 MB byte by byte": singles,
            "10,000 headers": [head("/predict", *many, _said(0))],
            "a header of 1 MB": [head("/predict", "x: " + "y" * (1 << 20), _said(0))],
            "deep JSON": [
                head("/predict", "content-type: application/json", _said(len(deep))),
                deep,
            ],
        }
        return _each(server, sent, 64)


def bad_forms(ground: Ground) -> Seen:
    """G7."""
    parts = b'--x\r\ncontent-disposition: form-data; name="f"\r\n\r\ny\r\n' * 10_000 + b"--x--\r\n"
    endless = b"--x\r\nx-long: " + b"y" * (1 << 20)
    field = b'--x\r\ncontent-disposition: form-data; name="f"\r\n\r\n'
    with ground.server(megabytes=1) as server:
        sent = {
            "10,000 parts": [head("/predict", FORM, _said(len(parts))), parts],
            "endless header": [head("/predict", FORM, _said(len(endless))), endless],
            "field of 1 GB": _long(head("/predict", FORM, CHUNKED), 1 << 30, chunks=True),
            "long preamble": [
                head("/predict", FORM, _said(len(field) + 900_000)),
                b"y" * 900_000 + field,
            ],
        }
        return _each(server, sent, 64)


def bad_pictures(ground: Ground) -> Seen:
    """G9."""
    import shortcut

    wrong, right = bad(), odd()
    labels = {
        name: one.label
        for name, one in zip(
            right,
            shortcut.load_exported(ground.model).predict_many(list(right.values())),
            strict=True,
        )
    }
    with ground.server() as server:
        refused = {name: server.predict(body) for name, body in wrong.items()}
        answered = {name: server.predict(body) for name, body in right.items()}
        after = server.predict(PICTURE)
    same = [
        name
        for name, one in answered.items()
        if one.status == 200 and json.loads(one.body)["label"] == labels[name]
    ]
    fine = all(one.status == 422 for one in refused.values()) and len(same) == len(right)
    said = f"bad: {counted(refused.values())}; odd: {len(same)} of {len(right)} right"
    return Seen(fine and after.status == 200, said)


def random_requests(ground: Ground) -> Seen:
    """G10, a short form of it."""
    generator = random.Random(0)
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
    kinds = ("image/png", "application/json", "multipart/form-data; boundary=x", "text/plain", "")
    with ground.server() as server:
        document = ask(server.port, "GET", "/openapi.json")
        paths = [*json.loads(document.body)["paths"], "/openapi.json", "/none"]
        found = []
        for _ in range(500):
            body = _spoilt(generator)
            kind = {"content-type": generator.choice(kinds)}
            path = generator.choice(paths).replace("{", "").replace("}", "")
            found.append(ask(server.port, generator.choice(methods), path, body, kind))
        after = server.predict(PICTURE)
    faults = sum(one.status >= 500 or one.status == 0 for one in found)
    return Seen(faults == 0 and after.status == 200, f"{faults} of 500 got 5xx or nothing")


def _spoilt(generator: random.Random) -> bytes:
    whole = bytearray(
        generator.choice(
            (
                PICTURE,
                b'{"inputs": [{"name": "images", "shape": [1]}]}',
                b"--x\r\n\r\n\r\n--x--",
                b"",
            )
        )
    )
    for _ in range(generator.randrange(4)):
        if whole:
            whole[generator.randrange(len(whole))] = generator.randrange(256)
    return bytes(
        whole[: generator.randrange(len(whole) + 1)] if generator.random() < 0.3 else whole
    )


def _wrong(server: Server) -> dict[str, Answer]:
    form = {"content-type": "multipart/form-data; boundary=x"}
    kind = {"content-type": "application/json"}
    port = server.port
    return {
        "unknown path": ask(port, "GET", "/none"),
        "GET /predict": ask(port, "GET", "/predict"),
        "PUT": ask(port, "PUT", "/predict", PICTURE),
        "JSON": ask(port, "POST", "/predict", b"{}", kind),
        "no JSON": ask(port, "POST", "/predict", b"{", kind),
        "text": ask(port, "POST", "/predict", b"none", {"content-type": "text/plain"}),
        "empty": server.predict(b""),
        "form without end": ask(port, "POST", "/predict", b"--x\r\n", form),
    }


def wrong_requests(ground: Ground) -> Seen:
    """G11."""
    with ground.server() as server:
        answers = _wrong(server)
    fine = all(one.status in (404, 405, 415, 422) for one in answers.values())
    return Seen(fine, ", ".join(f"{name} {one}" for name, one in answers.items()))


def error_texts(ground: Ground) -> Seen:
    """G12."""
    with ground.server() as server:
        answers = [*_wrong(server).values(), *map(server.predict, bad().values())]
        answers.append(send(server.port, [b"\x00\x01\r\n\r\n"]))
    told = [
        hit.group()
        for one in answers
        for hit in TELLING.finditer(one.body.decode("utf-8", "replace") + str(one.headers))
    ]
    return Seen(
        not told, f"{len(answers)} texts; tell of: {', '.join(sorted(set(told))) or 'none'}"
    )


PATHS = (
    *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd"),
    *("/static/../limits.py", "/static/%2e%2e/limits.py", "/static//etc/passwd", "/static/"),
    *("/docs/../etc/passwd", "/..\\..\\etc\\passwd", "/predict/..%5c..%5cetc", "/a#/etc/passwd"),
    *("/none?file=/etc/passwd", "/none?file=../pyproject.toml", "/static/page.js%00", "/%00"),
    *("/predict/", "/@x", "/static/.git/config", "/%252e%252e/etc/passwd"),
)


def paths(ground: Ground) -> Seen:
    """G19."""
    with ground.server() as server:
        before = sorted(server.folder.rglob("*"))
        found = [send(server.port, [head(path, method="GET")]) for path in PATHS]
        named = b'--x\r\ncontent-disposition: form-data; name="f"; filename="../../new"\r\n\r\n'
        whole = named + PICTURE + b"\r\n--x--\r\n"
        form = {"content-type": "multipart/form-data; boundary=x"}
        ask(server.port, "POST", "/predict", whole, form)
        written = set(server.folder.rglob("*")) - set(before)
        outside = list(server.folder.parent.parent.glob("new"))
    leaked = [one for one in found if b"root:" in one.body or b"import " in one.body]
    fine = not leaked and not written and not outside
    fine = fine and all(one.refused or one.status == 307 for one in found)
    said = f"{counted(found)}; {len(leaked)} files told, {len(written) + len(outside)} written"
    return Seen(fine, said)


def addresses(ground: Ground) -> Seen:
    """G20."""
    met: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        there = f"http://127.0.0.1:{trap.getsockname()[1]}/a.jpg"
        with ground.server() as server:
            found = [
                ask(server.port, "POST", "/predict", body.encode(), {"content-type": kind})
                for url in (there, "file:///etc/passwd", "http://169.254.169.254/latest/")
                for kind, body in (
                    ("application/json", f'{{"url": "{url}"}}'),
                    ("image/png", url),
                )
            ]
        with contextlib.suppress(TimeoutError):
            met.append(trap.accept())
    fine = all(one.refused for one in found) and not met
    return Seen(fine, f"{counted(found)}; {len(met)} addresses opened")


CASES = (
    ("G5", "bodies of 200 MB where 1 MB is taken", "4xx, memory stays", long_bodies),
    ("G6", "single bytes, many and long headers, deep JSON", "4xx, memory stays", odd_shapes),
    ("G7", "damaged and endless forms", "4xx, memory stays", bad_forms),
    ("G9", "pictures that are none, and odd ones", "422; odd ones answered", bad_pictures),
    ("G10", "500 random requests", "no 5xx", random_requests),
    ("G11", "wrong path, method, type, body", "404, 405, 415 or 422", wrong_requests),
    ("G12", "what errors tell", "no path, source, version", error_texts),
    ("G19", "paths that lead elsewhere", "4xx, no file read or written", paths),
    ("G20", "an address instead of a picture", "4xx, nothing opened", addresses),
)
