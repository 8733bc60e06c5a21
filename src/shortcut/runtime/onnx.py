"""ONNX Runtime: runs on more kinds of machine than any other engine."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from shortcut.data.preprocess import Pixels
from shortcut.errors import ModelError
from shortcut.predictor import Answers
from shortcut.runtime.engine import DISTANCE, EVIDENCE, IMAGES, METADATA, PROBABILITIES, EngineName

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ERRORS_ONLY = 3
"""Severity: its warnings are of no use to people who only run a network."""


class OnnxEngine:
    """A network in ONNX."""

    name: EngineName = "onnxruntime"

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        given = [output.name for output in self._session.get_outputs()]
        self._names = [name for name in (PROBABILITIES, DISTANCE) if name in given]
        self._options = _asked_alone()

    def __call__(self, images: Pixels) -> tuple[Answers, Answers | None]:
        found = self._run(self._names, images)
        return found[0], found[1] if len(found) > 1 else None

    def evidence(self, images: Pixels) -> Answers:
        """See `Engine`."""
        return self._run([EVIDENCE], images)[0]

    def _run(self, names: list[str], images: Pixels) -> list[Answers]:
        return cast("list[Answers]", self._session.run(names, {IMAGES: images}, self._options))


def read_metadata(path: Path) -> str | None:
    """The JSON of the `ExportCard` in a file; None where it holds none."""
    return open_session(path).get_modelmeta().custom_metadata_map.get(METADATA)


def _asked_alone() -> Any:
    """Its `RunOptions`, without which all outputs are computed, whichever are asked for."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True
    return options


def open_session(source: Path | bytes) -> "InferenceSession":
    """ONNX Runtime with a file, or its content.

    Raises:
        ModelError: it cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    # Its errors have no common root but this.
    except Exception as error:
        name = "the network" if isinstance(source, bytes) else source
        raise ModelError(f"{name}: ONNX Runtime cannot read it ({error}).") from error
