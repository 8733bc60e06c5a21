"""What an inference request holds; read by the worker, because five million numbers in JSON keep
Python busy for two seconds, and the process that speaks HTTP has others to hear."""

import json
from typing import Any

import numpy as np

from shortcut.data.preprocess import Pixels
from shortcut.runtime.engine import DISTANCE, IMAGES, PROBABILITIES

LONGEST_ID = 200
REST = 64 << 10
"""Letters of all that is not pixels."""


class NoRequestError(Exception):
    """It cannot be answered.

    Args:
        code, message: as of a `Refusal`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def read_request(body: bytes, side: int, most: int) -> dict[str, Any]:
    """What is asked, checked as a whole before the network sees any of it.

    Args:
        side: of the pictures, in pixels.
        most: pictures that are taken.

    Returns:
        `pixels`, (N, side, side, 3) uint8; `outputs`, the names of those that are wanted, none for
        all; and its `id`, or None.

    Raises:
        NoRequestError: it is none.
    """
    _check_amount(body, side, most)
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise _damaged() from None
    if not isinstance(asked, dict):
        raise _damaged()
    outputs = [one.get("name") for one in _objects(asked.get("outputs", []))]
    known = (PROBABILITIES, DISTANCE)
    if any(name not in known for name in outputs):
        raise NoRequestError("wrong-output", f"outputs are {' and '.join(known)}.")
    name = asked.get("id", "")
    if not isinstance(name, str) or len(name) > LONGEST_ID or not name.isprintable():
        raise NoRequestError("wrong-id", f"an id is text of at most {LONGEST_ID} letters.")
    return {"pixels": _pixels(asked, side, most), "outputs": outputs, "id": asked.get("id")}


def _check_amount(body: bytes, side: int, most: int) -> None:
    """Refuse what no pictures are, unparsed: three letters can make a list of sixty bytes."""
    lists, values = most * (1 + side * (1 + side)), most * side * side * 3
    if body.count(b"[") + body.count(b"{") > lists + REST:
        raise _damaged()
    if body.count(b",") > values + REST:
        raise _too_many(most)


def _pixels(asked: dict[str, Any], side: int, most: int) -> Pixels:
    inputs = _objects(asked.get("inputs"))
    needed = f"one input is needed: `{IMAGES}`, UINT8, shape [N, {side}, {side}, 3]."
    wrong = NoRequestError("wrong-input", needed)
    if len(inputs) != 1 or inputs[0].get("name") != IMAGES or inputs[0].get("datatype") != "UINT8":
        raise wrong
    shape = inputs[0].get("shape")
    if not isinstance(shape, list) or len(shape) != 4 or shape[1:] != [side, side, 3]:
        raise wrong
    count = shape[0]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise wrong
    if count > most:
        raise _too_many(most)
    try:
        values = np.array(inputs[0].get("data"), np.float64)
    except (ValueError, TypeError, OverflowError):
        raise wrong from None
    if values.size != count * side * side * 3:
        raise wrong
    if not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        raise NoRequestError("wrong-input", "UINT8 data are whole numbers from 0 to 255.")
    return values.reshape(count, side, side, 3).astype(np.uint8)


def _objects(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise NoRequestError("damaged-json", "inputs and outputs are lists of objects.")
    return given


def _damaged() -> NoRequestError:
    return NoRequestError("damaged-json", "the body is no JSON of an inference request.")


def _too_many(most: int) -> NoRequestError:
    return NoRequestError("too-many", f"at most {most} pictures are taken.")
