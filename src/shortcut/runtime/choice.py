"""The fastest of several engines on this machine: measured once for each file, and remembered. One
that answers otherwise than the engine with which the file was checked is never taken."""

import contextlib
import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from shortcut.data.preprocess import Pixels
from shortcut.disk import write_whole
from shortcut.errors import ModelError, ResourceError
from shortcut.predictor import Answers
from shortcut.runtime.engine import Engine, EngineName

APART = 1e-3
"""So far may probabilities lie from each other; engines add in another order."""
ROUNDS = 7
"""Pictures by each, in turn; the median decides."""


def choose_engine(
    path: Path,
    makers: Mapping[EngineName, Callable[[], Engine]],
    side: int,
    cache: Path | None,
    *,
    raw: bool = False,
) -> Engine:
    """The engine that answers about a single picture in the shortest time.

    Args:
        makers: the first is that with which the file was checked.
        path: of the exported file.
        side: of the network's square, in pixels.
        cache: the folder where the choice is remembered; None: nowhere.
        raw: whether the network takes one picture of any size.
    """
    book = cache / "engines" / f"{_key(path, makers)}.json" if cache else None
    known = _remembered(book) if book else None
    if known is not None and known in makers:
        return makers[known]()
    engines = _made(makers)
    picture, *others = _trials(side, raw)
    engines = _agreeing(engines, [picture, *others])
    seconds: dict[EngineName, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS + 1):
        for name, engine in engines.items():
            started = time.perf_counter()
            engine(picture)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(taken[1:])) for name, taken in seconds.items()}
    best = min(engines, key=lambda name: medians[name])
    if book:
        with contextlib.suppress(ResourceError):  # a choice that is made anew costs a second
            write_whole(book, json.dumps({"engine": best, "seconds": medians}))
    return engines[best]


def _trials(side: int, raw: bool) -> list[Pixels]:
    """One picture, and what else engines may answer otherwise about: several of them; of a raw
    network other sizes."""
    noise = np.random.default_rng(0)
    if not raw:
        several = noise.integers(0, 256, (3, side, side, 3), np.uint8)
        return [several[:1].copy(), several]
    shapes = ((3 * side, 4 * side), (side, side), (7 * side, side // 2))
    return [noise.integers(0, 256, (1, *shape, 3), np.uint8) for shape in shapes]


def _made(makers: Mapping[EngineName, Callable[[], Engine]]) -> dict[EngineName, Engine]:
    """The first, and those of the others that can read the file."""
    engines: dict[EngineName, Engine] = {}
    for name, make in makers.items():
        with contextlib.suppress(*([ModelError] if engines else [])):
            engines[name] = make()
    return engines


def _agreeing(
    engines: Mapping[EngineName, Engine], trials: Sequence[Pixels]
) -> dict[EngineName, Engine]:
    """Those that answer as the first does."""
    (checked, first), *others = engines.items()
    kept: dict[EngineName, Engine] = {checked: first}
    for name, engine in others:
        pairs = [(first(some), engine(some)) for some in trials]
        if all(_alike(*pair) for pair in pairs):
            kept[name] = engine
    return kept


def _alike(one: tuple[Answers, Answers | None], other: tuple[Answers, Answers | None]) -> bool:
    if not np.allclose(one[0], other[0], rtol=0, atol=APART):
        return False
    if one[1] is None or other[1] is None:
        return one[1] is other[1]
    return bool(np.allclose(one[1], other[1], rtol=APART, atol=10 * APART))


def _remembered(book: Path) -> EngineName | None:
    try:
        return json.loads(book.read_text("utf-8"))["engine"]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _key(path: Path, makers: Mapping[EngineName, object]) -> str:
    """Another file, another machine, other engines: another choice."""
    facts = path.stat()
    versions = [_version(name) for name in makers]
    machine = platform.node(), platform.machine(), platform.processor(), *versions
    told = str(path.resolve()), facts.st_size, facts.st_mtime_ns, *machine, *sorted(makers)
    return hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _version(module: str) -> str:
    """Of the package that brings it, mostly one of its name; onnxruntime has others."""
    try:
        return importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        # Looks at all packages that are installed, which takes a tenth of a second.
        found = sorted(set(importlib.metadata.packages_distributions().get(module, [])))
        return " ".join(f"{name} {importlib.metadata.version(name)}" for name in found)
