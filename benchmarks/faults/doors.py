"""Who may ask, from where, and in which words."""

import re
import ssl
import subprocess
import urllib.request
from pathlib import Path

from pairs import make_environment

from faults.asking import Answer, Seen, ask, counted, has_none, send
from faults.pictures import encoded, noise
from faults.sides import READY, SHORTCUT, Ground, Wish, secrets

PICTURE = encoded(noise(40, 50))
TOKEN = "secret"


def poisoned_hosts(ground: Ground) -> Seen:
    """G13."""
    body = f"content-length: {len(PICTURE)}"
    open_path = READY[ground.side]
    starts = {
        "host with a path": f"POST /predict HTTP/1.1\r\nhost: x{open_path}?\r\n{body}\r\n\r\n",
        "host with @": f"POST /predict HTTP/1.1\r\nhost: a@b{open_path}#\r\n{body}\r\n\r\n",
        "whole address": f"POST http://x/predict HTTP/1.1\r\nhost: x\r\n{body}\r\n\r\n",
        "@ as path": f"POST @x/predict HTTP/1.1\r\nhost: x\r\n{body}\r\n\r\n",
    }
    with ground.server(token=TOKEN) as server:
        found = {
            name: send(server.port, [start.encode() + PICTURE]) for name, start in starts.items()
        }
        allowed = server.predict(PICTURE, **secrets(ground.side, TOKEN))
    fine = all(one.refused for one in found.values()) and allowed.status == 200
    return Seen(fine, ", ".join(f"{name} {one}" for name, one in found.items()))


def tokens(ground: Ground) -> Seen:
    """G22."""
    ((name, right),) = secrets(ground.side, TOKEN).items()
    start = right.removesuffix(TOKEN)
    words = {
        "wrong": "other",
        "shorter": TOKEN[:-1],
        "longer": TOKEN + "s",
        "in capitals": TOKEN.upper(),
        "very long": "x" * 10_000,
    }
    with ground.server(token=TOKEN) as server:
        found = {"none": server.predict(PICTURE)}
        for what, word in words.items():
            found[what] = server.predict(PICTURE, **{name: start + word})
        query = f"/predict?token={TOKEN}&{name}={TOKEN}"
        found["in the address"] = ask(server.port, "POST", query, PICTURE)
        length = f"content-length: {len(PICTURE)}"
        twice = f"POST /predict HTTP/1.1\r\nhost: x\r\n{name}: {start}x\r\n{name}: {right}\r\n"
        found["two"] = send(server.port, [f"{twice}{length}\r\n\r\n".encode() + PICTURE])
        allowed = server.predict(PICTURE, **{name: right})
    fine = all(one.status in (401, 403) for one in found.values()) and allowed.status == 200
    return Seen(fine, f"{counted(found.values())}; the right one: {allowed}")


def open_health(ground: Ground) -> Seen:
    """G22: what a supervisor asks."""
    with ground.server(token=TOKEN) as server:
        found = ask(server.port, "GET", READY[ground.side])
    return Seen(found.status == 200, f"{READY[ground.side]} {found}")


def other_pages(ground: Ground) -> Seen:
    """G23."""
    there, allow = "https://there.example", "access-control-allow-origin"
    before = {"access-control-request-method": "POST"}

    def answers(origin: str) -> tuple[Answer, Answer]:
        first = ask(server.port, "OPTIONS", "/predict", headers=before | {"origin": origin})
        return first, server.predict(PICTURE, origin=origin)

    with ground.server() as server:
        closed = [one.headers.get(allow) for one in answers(there)]
    with ground.server(origin=there) as server:
        named = [one.headers.get(allow) for one in answers(there)]
        other = [one.headers.get(allow) for one in answers("https://elsewhere.example")]
    fine = closed == [None, None] and named == [there, there] and other == [None, None]
    said = [sum(one is not None for one in some) for some in (closed, named, other)]
    return Seen(fine, f"allowed by itself {said[0]}, if named {said[1]}, others {said[2]} of 2")


def web_page(ground: Ground) -> Seen:
    """G24."""
    if ground.side != SHORTCUT:
        return has_none("no page to try a model on")
    with ground.server() as server:
        page = ask(server.port, "GET", "/")
    policy = page.headers.get("content-security-policy", "")
    inline = re.findall(rb"<script(?![^>]*src=)|\son\w+=", page.body)
    sniffs = page.headers.get("x-content-type-options") != "nosniff"
    fine = "default-src 'none'" in policy and "unsafe" not in policy and not inline and not sniffs
    return Seen(fine, f"{len(inline)} scripts in it, policy {policy.split(';')[0]}, nosniff")


def first_address(ground: Ground) -> Seen:
    """G21: nobody is let in by mistake. A peer is asked for its default, not started with it."""
    if ground.side == SHORTCUT:
        with ground.server() as server:
            host = _listens_at(server.port)
        refused = ground.ended(Wish(host="0.0.0.0"))
        fine = host == "127.0.0.1" and refused.code not in (0, None)
        return Seen(fine, f"{host}; 0.0.0.0 without a token: exit {refused.code}")
    python = make_environment(".venv-serving", "requirements-serving.txt")
    code = "import inspect, litserve; run = inspect.signature(litserve.LitServer.run)"
    code += "; print(run.parameters['host'].default)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    host = done.stdout.split()[-1]
    return Seen(host == "127.0.0.1", f"{host}, without a token")


def _listens_at(port: int) -> str:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        address, _, state = line.split()[1:4]
        host, where = address.split(":")
        if int(where, 16) == port and state == "0A":
            return ".".join(str(one) for one in reversed(bytes.fromhex(host)))
    return "nowhere"


def open_protocol(ground: Ground) -> Seen:
    """G30."""
    if ground.side != SHORTCUT:
        return has_none("it speaks OpenAI's protocols instead")
    with ground.server() as server:
        found = [
            ask(server.port, "GET", path)
            for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/none")
        ]
    return Seen([one.status for one in found] == [200, 200, 200, 404], counted(found))


def encryption(ground: Ground) -> Seen:
    """G31."""
    if ground.side == SHORTCUT:
        return has_none("TLS is for a proxy before it")
    file = ground.folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*make, "-keyout", file, "-out", file], check=True, capture_output=True)
    with ground.server(certificate=file) as server:
        found = {
            name: _over_tls(server.port, version)
            for name, version in (
                ("1.2", ssl.TLSVersion.TLSv1_2),
                ("1.1", ssl.TLSVersion.TLSv1_1),
            )
        }
    return Seen(
        found == {"1.2": True, "1.1": False}, f"by TLS 1.2 {found['1.2']}, 1.1 {found['1.1']}"
    )


def _over_tls(port: int, version: ssl.TLSVersion) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        context.minimum_version = context.maximum_version = version
        place = f"https://127.0.0.1:{port}/health"
        with urllib.request.urlopen(place, context=context, timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


CASES = (
    ("G13", "Host and path that name another place", "401 or another 4xx", poisoned_hosts),
    ("G21", "the address when none is named", "127.0.0.1", first_address),
    ("G22", "no token, wrong ones, two, in the address", "401; the right one 200", tokens),
    ("G22", "health where a token is asked", "200 without it", open_health),
    ("G23", "pages of other servers", "only those that are named", other_pages),
    ("G24", "the page", "no scripts in it, a policy, nosniff", web_page),
    ("G30", "Open Inference Protocol", "live, ready, 404", open_protocol),
    ("G31", "TLS", "1.2, not 1.1", encryption),
)
