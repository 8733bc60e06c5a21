"""To OpenVINO: `model.xml` and `model.bin`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch.export import ExportedProgram

from shortcut.card import ExportCard
from shortcut.errors import ResourceError
from shortcut.runtime.engine import DISTANCE, IMAGES, METADATA, PROBABILITIES

if TYPE_CHECKING:
    from openvino import Model


def as_openvino(
    program: ExportedProgram, outputs: Sequence[str] = (PROBABILITIES, DISTANCE)
) -> "Model":
    """The same network as OpenVINO has it; its input and outputs have names."""
    import openvino

    model = openvino.convert_model(program.run_decompositions())
    model.input(0).set_names({IMAGES})
    for output, name in zip(model.outputs, outputs, strict=False):
        output.set_names({name})
    return model


def write_openvino(model: "Model", card: ExportCard, path: Path) -> None:
    """Write it beside its weights; those of a network for bfloat16 take two bytes each.

    Raises:
        ResourceError: it cannot be written.
    """
    import openvino

    model.set_rt_info(card.model_dump_json(), [METADATA])
    try:
        openvino.save_model(model, path, compress_to_fp16=card.precision == "bf16")
    except RuntimeError as error:  # of C++, which does not tell why
        raise ResourceError(f"cannot write `{path.name}`: is the disk full?") from error
