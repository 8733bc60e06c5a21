"""To ONNX: one file."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.export import ExportedProgram

from shortcut.card import ExportCard
from shortcut.runtime.engine import DISTANCE, IMAGES, METADATA, PROBABILITIES

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""The first in which torch's exporter writes; every engine of the last years reads it."""


def as_onnx(program: ExportedProgram) -> "ModelProto":
    """The same network as ONNX has it."""
    outputs = [PROBABILITIES, DISTANCE][: len(program.graph_signature.user_outputs)]
    # It prints a line for every stage, and warns of its own parts.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
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


def write_onnx(model: "ModelProto", card: ExportCard, path: Path) -> None:
    """Write it, weights included."""
    import onnx

    onnx.helper.set_model_props(model, {METADATA: card.model_dump_json()})
    onnx.save_model(model, path)
