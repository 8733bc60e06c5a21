"""The process that holds the model: it decodes and answers, so that the one that speaks HTTP never
waits, and may die without taking anybody's connection along."""

import base64
import contextlib
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from shortcut.data.preprocess import Pixels
from shortcut.data.thumbnails import as_jpeg
from shortcut.errors import DecodeError, ShortcutError
from shortcut.heat import Heat, overlay_heat
from shortcut.opening import open_predictor
from shortcut.prediction import as_record
from shortcut.predictor import Predictor, check_squares
from shortcut.runtime.loading import Wanted
from shortcut.runtime.shipped import Shipped
from shortcut.server.tasks import Described, Failed, Refusal, Result, Task
from shortcut.server.tensors import NoRequestError, read_request
from shortcut.signals import SIGNALS

DECODERS = 2
"""Threads; Pillow releases the interpreter lock."""


@dataclass(frozen=True)
class Model:
    """Which model is served, and how."""

    place: Path
    device: str = "cpu"
    engine: Wanted = "auto"
    cache: Path | None = None


def work(model: Model, pipe: Connection) -> None:
    """Load the model, say what it is, then answer lists of tasks until the other end is closed."""
    # Ctrl-C reaches every process of a terminal, and SIGTERM of systemd's every one of a service;
    # the one that speaks HTTP decides when all is over.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        predictor = open_predictor(
            model.place, device=model.device, engine=model.engine, cache=model.cache
        )
        _warm_up(predictor)
    except ShortcutError as error:
        _tell(pipe, Failed(str(error), error.exit_code))
        return
    _tell(pipe, Described(describe(predictor, model.place)))
    with ThreadPoolExecutor(DECODERS) as pool:
        while True:
            try:
                tasks: Sequence[Task] = pipe.recv()
            except (EOFError, OSError):
                return
            _tell(pipe, answer(predictor, tasks, pool))


def _tell(pipe: Connection, told: object) -> None:
    with contextlib.suppress(OSError):  # the other end may be gone: then nothing more comes either
        pipe.send(told)


def answer(predictor: Predictor, tasks: Sequence[Task], pool: ThreadPoolExecutor) -> list[Result]:
    """One result for each task; what is wrong with one picture is no other one's matter."""
    read = list(pool.map(lambda task: _read(predictor, task), tasks))
    results: list[Result] = [{} if isinstance(one, np.ndarray) else one for one in read]
    predicted: list[int] = []
    judged: list[int] = []
    for place, (task, pixels) in enumerate(zip(tasks, read, strict=True)):
        if not isinstance(pixels, np.ndarray):
            continue
        if task.kind == "explain":
            results[place] = _explain(predictor, pixels, task.wanted)
        else:
            (predicted if task.kind == "predict" else judged).append(place)
    for place, record in zip(predicted, _predict(predictor, read, predicted), strict=True):
        results[place] = record
    for place, record in zip(judged, _judge(predictor, read, judged), strict=True):
        results[place] = record
    return results


def describe(predictor: Predictor, place: Path) -> dict[str, Any]:
    """What `/model` tells of it."""
    shipped = isinstance(predictor, Shipped)
    card: Any = predictor.card if shipped else predictor
    metrics = dict(card.metrics)
    part = "test" if "test_accuracy" in metrics else "val" if "val_accuracy" in metrics else None
    images = metrics.get(f"{part}_images")
    accuracy = metrics.get(f"{part}_accuracy")
    return {
        "name": place.stem if place.is_file() else place.resolve().name,
        "network": card.network,
        "classes": list(predictor.classes),
        "image_size": predictor.preprocess.image_size,
        "accuracy": accuracy,
        "interval": _interval(accuracy, images),
        "images": images,
        "part": part,
        "created": card.created,
        "version": card.version,
        "precision": predictor.card.precision if shipped else "fp32",
        "engine": predictor.engine.name if shipped else "torch",
        "sure_from": predictor.sure_from,
        "tells_unlike": predictor.unlike_from is not None,
        "explains": predictor.explains if shipped else True,
    }


def _interval(accuracy: Any, images: Any) -> list[float] | None:
    from shortcut.metrics import wilson_interval

    if accuracy is None or not images:
        return None
    return list(wilson_interval(round(accuracy * images), images))


def _warm_up(predictor: Predictor) -> None:
    """The first answers take longer: before these are given nobody is told that it is ready."""
    check_squares(predictor, "`serve`")
    side = predictor.preprocess.image_size
    for count in (1, 2):
        predictor.judge_pixels(np.zeros((count, side, side, 3), np.uint8))


def _read(predictor: Predictor, task: Task) -> Pixels | Result:
    """What goes to the network, or what is the result already."""
    if not isinstance(task.picture, bytes):
        return task.picture
    try:
        if task.kind == "read":
            return read_request(task.picture, predictor.preprocess.image_size, task.most)
        return predictor.pixels(task.picture)
    except DecodeError as error:
        return Refusal("unreadable", str(error))
    except NoRequestError as error:
        return Refusal(error.code, error.message)


def _predict(
    predictor: Predictor, read: Sequence[Pixels | Result], places: Sequence[int]
) -> list[Result]:
    pixels = [one for one in (read[place] for place in places) if isinstance(one, np.ndarray)]
    return [as_record(prediction) for prediction in predictor.predict_pixels(pixels)]


def _judge(
    predictor: Predictor, read: Sequence[Pixels | Result], places: Sequence[int]
) -> list[Result]:
    pixels = [one for one in (read[place] for place in places) if isinstance(one, np.ndarray)]
    if not pixels:
        return []
    answers, distances = predictor.judge_pixels(np.stack(pixels))
    return [
        {
            "probabilities": row.tolist(),
            "distance": None if distances is None else float(distances[place]),
        }
        for place, row in enumerate(answers)
    ]


def _explain(predictor: Predictor, pixels: Pixels, wanted: str | None) -> Result:
    if isinstance(predictor, Shipped) and not predictor.explains:
        return Refusal("unexplained", "this export does not tell where it saw its answer.")
    if wanted is not None and wanted not in predictor.classes:
        return Refusal("unknown-class", "the model knows no such class.")
    label = wanted or predictor.predict_pixels([pixels])[0].label
    heat = _heat(predictor, pixels, predictor.classes.index(label))
    return {
        "label": label,
        "picture": _address(as_jpeg(pixels, 512)),
        "heat": _address(as_jpeg(overlay_heat(pixels, heat), 512)),
    }


def _heat(predictor: Predictor, pixels: Pixels, target: int) -> Heat:
    if isinstance(predictor, Shipped):
        return predictor.heat([pixels], [target])[0]
    from shortcut.classifier import Classifier
    from shortcut.heatmaps import grad_cam

    assert isinstance(predictor, Classifier)
    return grad_cam(predictor, [pixels], [target])[0]


def _address(content: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
