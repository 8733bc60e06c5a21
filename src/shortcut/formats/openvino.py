"""To OpenVINO: `model.xml` and `model.bin`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.export import ExportedProgram

from shortcut.card import ExportCard
from shortcut.errors import ResourceError
from shortcut.formats.raw import SQUARES
from shortcut.runtime.engine import IMAGES, METADATA

if TYPE_CHECKING:
    from openvino import Model


def converted(program: ExportedProgram, outputs: Sequence[str]) -> "Model":
    """The same network as OpenVINO has it; `outputs` are the names of what it gives."""
    import openvino

    model = openvino.convert_model(program.run_decompositions())
    # It takes every size as open; known ones save each question a few percent of its time.
    (name,) = program.graph_signature.user_inputs
    given = next(node for node in program.graph.nodes if node.name == name).meta["val"].shape
    model.reshape([size if isinstance(size, int) else -1 for size in given])
    model.input(0).set_names({IMAGES})
    for output, name in zip(model.outputs, outputs, strict=True):
        output.set_names({name})
    return model


def resizing_first(network: "Model", resizing: ExportedProgram) -> "Model":
    """One that takes what `Resizing` takes, and answers as `network` does about what comes of it;
    `network` is used up."""
    import openvino

    front = converted(resizing, (SQUARES,))
    front.reshape([1, -1, -1, 3])
    squares = front.get_results()[0].input_value(0)
    for taker in network.input(0).get_target_inputs():
        taker.replace_source_output(squares)
    make: Any = openvino.Model  # its two types of a model are strangers to each other
    return make(network.get_results(), front.get_parameters())


def write(model: "Model", card: ExportCard, path: Path) -> None:
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
