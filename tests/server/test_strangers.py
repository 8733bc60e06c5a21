"""Thousands of requests that nobody has written by hand: none is a fault of the server's, and none
costs it its worker."""

import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.classifier.made import encoded, noise
from tests.server.conftest import Server, started

pytestmark = pytest.mark.nightly

LEAST_CASES, DAMAGED = 2_000, 10_000
ANSWERED = {200, 422}
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO")
ODD = (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff")
SETTINGS = """
[checks]
negative_data_rejection.expected-statuses = ["400", "404", "405", "413", "415", "422"]
"""


def lost_workers(server: Server) -> float:
    found = re.search(r"^shortcut_workers_lost (\S+)$", server.get("/metrics").text, re.M)
    assert found is not None
    return float(found[1])


@pytest.mark.timeout(1800)
def test_requests_made_of_the_document(model: Path, tmp_path: Path) -> None:
    """By schemathesis: what the document allows and what it forbids. All checks, so also that each
    answer is one that the document tells of; but for one: a picture that is none fits every schema
    of bytes."""
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    program = Path(sys.executable).with_name("schemathesis")
    words = [
        "--exclude-checks",
        "positive_data_acceptance",
        "--continue-on-failure",
        "--max-examples",
        "200",
        "--seed",
        "1",
    ]
    with started(model) as server:
        done = subprocess.run(
            [program, "run", f"{server.address}/openapi.json", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        assert lost_workers(server) == 0
    found = re.search(r"([\d,]+) generated, ([\d,]+) passed", done.stdout)
    assert found is not None, done.stdout[-1000:]
    assert int(found[1].replace(",", "")) >= LEAST_CASES


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """With bytes changed, cut off, taken out or put in."""
    changed = bytearray(content)
    for _ in range(random.integers(1, 9)):
        at = int(random.integers(len(changed) or 1))
        kind = random.integers(5)
        if kind == 0:
            changed[at : at + 1] = random.bytes(1)
        elif kind == 1:
            del changed[at : at + int(random.integers(1, 64))]
        elif kind == 2:
            changed[at:at] = random.bytes(int(random.integers(1, 64)))
        elif kind == 3:
            # Lengths and sizes are where decoders go wrong.
            changed[at : at + 4] = ODD[int(random.integers(len(ODD)))]
        else:
            del changed[at + len(changed) // 2 :]
    return bytes(changed)


@pytest.mark.timeout(1800)
def test_damaged_pictures(model: Path) -> None:
    """Of nine formats, eight at a time, together with a whole one now and then, which is answered
    as ever; among others, whose number is part of how sums are rounded."""
    seeds = [encoded(noise(60, 44), kind) for kind in FORMATS]
    whole = encoded(noise(60, 44), "PNG")
    with started(model) as server, httpx.Client(timeout=60) as client:
        expected = server.post(whole).json()
        for name in ("score", "scores"):
            expected[name] = pytest.approx(expected[name], abs=1e-6)

        def ask(number: int) -> int:
            random = np.random.default_rng(number)
            content = damaged(seeds[number % len(seeds)], random)
            status = client.post(f"{server.address}/predict", content=content).status_code
            if number % 100 == 0:
                assert client.post(f"{server.address}/predict", content=whole).json() == expected
            return status

        with ThreadPoolExecutor(8) as pool:
            statuses = Counter(pool.map(ask, range(DAMAGED)))
        assert lost_workers(server) == 0
    assert set(statuses) <= ANSWERED and min(statuses.values()) > DAMAGED // 100, statuses
