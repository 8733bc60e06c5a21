"""Whose formats there are, with which numbers, and how each is written."""

import importlib.util
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from shortcut.card import ExportCard, NumberFormat
from shortcut.classifier import Classifier
from shortcut.data.preprocess import Pixels
from shortcut.errors import RecipeError, ResourceError
from shortcut.events import Event
from shortcut.formats.quiet import quietly

if TYPE_CHECKING:
    from shortcut.formats.graph import Graph

Target = Literal["openvino", "onnx", "torch-program", "triton"]

PRECISIONS: Mapping[Target, tuple[NumberFormat, ...]] = {
    "openvino": ("fp32", "bf16", "int8"),
    "onnx": ("fp32", "int8"),  # ONNX Runtime has no convolutions in bfloat16 on a CPU
    "torch-program": ("fp32", "bf16"),
    "triton": ("fp32", "int8"),  # ONNX, in a folder as Triton wants it
}
FILES: Mapping[Target, str] = {
    "openvino": "model.xml",
    "onnx": "model.onnx",
    "torch-program": "model.pt2",
    "triton": "1/model.onnx",
}
RAW = ("openvino", "onnx")
"""Whose graphs may resize; a torch program is run from Python, where `preprocess` is at hand, and
Triton's are given many pictures at once."""
PACKAGES: Mapping[Target, tuple[str, ...]] = {
    "openvino": ("openvino",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "torch-program": (),
    "triton": ("onnx", "onnxscript", "onnxruntime"),
}


def check_target(to: Target, precision: NumberFormat, *, raw: bool = False) -> None:
    """Whether such an export can be made here, before any work is done for it.

    Raises:
        RecipeError: the format does not have these numbers, or cannot resize.
        ResourceError: a package is missing.
    """
    if raw:
        _check_raw(to, precision)
    if precision not in PRECISIONS[to]:
        others = [name for name, known in PRECISIONS.items() if precision in known]
        raise RecipeError(
            f"`--to {to}` has no {precision}, only {' and '.join(PRECISIONS[to])}; {precision} has "
            f"`--to {'` and `--to '.join(others)}`."
        )
    needed = [*PACKAGES[to], *(["nncf"] if precision == "int8" else [])]
    for package in needed:
        if importlib.util.find_spec(package) is None:
            raise ResourceError(
                f"`--to {to} --precision {precision}` takes the package {package}: "
                "`pip install 'shortcut[export]'`."
            )


def _check_raw(to: Target, precision: NumberFormat) -> None:
    if to not in RAW:
        raise RecipeError(f"`--raw` is for `--to {'` and `--to '.join(RAW)}`, not for {to}.")
    if precision == "bf16":
        raise RecipeError(
            "`--raw` has no bf16: OpenVINO would resize in bfloat16 as well, which cannot tell 256 "
            "levels; give fp32 or int8."
        )


def writing_export(
    classifier: Classifier,
    card: ExportCard,
    folder: Path,
    to: Target,
    calibration: Sequence[Pixels],
) -> Generator[Event, None, Path]:
    """Write the classifier in another format.

    Args:
        calibration: (S, S, 3) uint8 each, of the training; for int8.

    Returns:
        The file, in `folder`.
    """
    from shortcut.formats import onnx, openvino
    from shortcut.formats.graph import Graph, traced
    from shortcut.formats.program import write_program
    from shortcut.formats.raw import traced_resizing

    form: Any = openvino if to == "openvino" else onnx
    half = to == "torch-program" and card.precision == "bf16"
    kind = torch.bfloat16 if half else torch.float32
    graph = Graph(classifier, kind, evidence=card.cells is not None)
    path = folder / FILES[to]
    path.parent.mkdir(exist_ok=True)
    with quietly():
        program = traced(graph, classifier.preprocess.image_size)
        # Put before the network last, so that what makes eight bits never meets it.
        resizing = traced_resizing(classifier.preprocess) if card.raw else None
        if to == "torch-program":
            write_program(program, card, path)
            return path
        model: Any = form.converted(program, graph.outputs)
    if card.precision == "int8":
        model = yield from _quantising(graph, model, form, calibration)
    with quietly():
        if resizing is not None:
            model = form.resizing_first(model, resizing)
        form.write(model, card, path)
    if to == "triton":
        onnx.write_triton(card, folder)
    return path


def _quantising(
    graph: "Graph", model: Any, form: Any, calibration: Sequence[Pixels]
) -> Generator[Event, None, Any]:
    """What `form` made of the graph in eight bits; the weights of `graph` itself are rounded."""
    from shortcut.formats import eightbit, openvino
    from shortcut.formats.graph import traced
    from shortcut.formats.rounding import round_weights

    shown = calibration[: eightbit.CALIBRATING]
    with quietly():
        views = (graph.views(torch.from_numpy(picture[np.newaxis])) for picture in shown)
        round_weights(graph.network, views)
        rounded: Any = form.converted(traced(graph, len(shown[0])), graph.outputs)
    ask = eightbit.ask_openvino if form is openvino else eightbit.ask_onnx
    return (yield from eightbit.quantising(model, rounded, calibration, ask))
