"""To ONNX: one file."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.export import ExportedProgram

from shortcut.card import ExportCard
from shortcut.disk import write_whole
from shortcut.formats.raw import SQUARES
from shortcut.runtime.engine import DISTANCE, IMAGES, METADATA, PROBABILITIES

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""The first in which torch's exporter writes; every engine of the last years reads it."""


def converted(program: ExportedProgram, outputs: Sequence[str]) -> "ModelProto":
    """The same network as ONNX has it; `outputs` are the names of what it gives."""
    with warnings.catch_warnings():  # it warns of its own parts
        warnings.simplefilter("ignore")
        written = torch.onnx.export(
            program,
            input_names=[IMAGES],
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert written is not None
    return written.model_proto


def resizing_first(network: "ModelProto", resizing: ExportedProgram) -> "ModelProto":
    """One that takes what `Resizing` takes, and answers as `network` does about what comes of
    it."""
    from onnx import compose

    front = converted(resizing, (SQUARES,))
    front = compose.add_prefix(front, "resizing/", rename_inputs=False, rename_outputs=False)
    behind = compose.add_prefix(network, "network/", rename_outputs=False)
    return compose.merge_models(front, behind, [(SQUARES, f"network/{IMAGES}")])


def write(model: "ModelProto", card: ExportCard, path: Path) -> None:
    """Write it, weights included."""
    import onnx

    onnx.helper.set_model_props(model, {METADATA: card.model_dump_json()})
    onnx.save_model(model, path)


def write_triton(card: ExportCard, folder: Path) -> None:
    """Write `config.pbtxt`, with which `folder` is a model of Triton's model repository, its
    `1/model.onnx` the first version. Pictures that come at the same time go together."""
    side, classes = card.preprocess.image_size, len(card.classes)
    outputs = [f'{{ name: "{PROBABILITIES}" data_type: TYPE_FP32 dims: [ {classes} ] }}']
    if card.unlike_from is not None:
        # Triton knows no output without a dimension of its own.
        scalar = "dims: [ 1 ] reshape: { shape: [ ] }"
        outputs.append(f'{{ name: "{DISTANCE}" data_type: TYPE_FP32 {scalar} }}')
    lines = [
        'backend: "onnxruntime"',
        "max_batch_size: 32",
        f'input [ {{ name: "{IMAGES}" data_type: TYPE_UINT8 dims: [ {side}, {side}, 3 ] }} ]',
        f"output [ {', '.join(outputs)} ]",
        "dynamic_batching { max_queue_delay_microseconds: 2000 }",
    ]
    write_whole(folder / "config.pbtxt", "\n".join(lines) + "\n")
