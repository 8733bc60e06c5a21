"""OpenVINO: the fastest on processors of Intel's and AMD's."""

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from shortcut.card import NumberFormat
from shortcut.data.preprocess import Pixels
from shortcut.errors import ModelError
from shortcut.predictor import Answers
from shortcut.runtime.engine import DISTANCE, EVIDENCE, METADATA, PROBABILITIES, EngineName

if TYPE_CHECKING:
    from openvino import CompiledModel, Model

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""Number format of what is not eight bits. Said, because OpenVINO takes bfloat16 by itself where
the processor has it, and then answers are not those of the float32 network."""


class OpenVinoEngine:
    """A network in OpenVINO's own form, or in ONNX."""

    name: EngineName = "openvino"

    def __init__(self, path: Path, precision: NumberFormat) -> None:
        self._whole = read_model(path)
        # A compiled network computes all its outputs, whichever of them are read.
        self._model = _giving(self._whole, {PROBABILITIES, DISTANCE})
        self._hint = HINTS[precision]
        # A compiled network has one place for its answers: without this, of two threads that ask
        # one gets those of the other.
        self._lock = Lock()

    def __call__(self, images: Pixels) -> tuple[Answers, Answers | None]:
        with self._lock:
            compiled = self._one if len(images) == 1 else self._many
            found = compiled(images)
            answers = found[compiled.output(PROBABILITIES)].copy()
            if len(compiled.outputs) == 1:
                return answers, None
            return answers, found[compiled.output(DISTANCE)].copy()

    def evidence(self, images: Pixels) -> Answers:
        """See `Engine`; the first time takes longer."""
        with self._lock:
            return self._explaining(images)[0].copy()

    @cached_property
    def _explaining(self) -> "CompiledModel":
        return self._compiled(_giving(self._whole, {EVIDENCE}))

    @cached_property
    def _one(self) -> "CompiledModel":
        """For a single picture, which is what people wait for: a fixed size is faster."""
        fixed = self._model.clone()
        shape = fixed.input(0).partial_shape
        shape[0] = 1
        fixed.reshape(shape)
        return self._compiled(fixed)

    @cached_property
    def _many(self) -> "CompiledModel":
        return self._compiled(self._model)

    def _compiled(self, model: "Model") -> "CompiledModel":
        core = shared_core()
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": self._hint}
        return core.compile_model(model, "CPU", hints)


def _giving(model: "Model", names: set[str]) -> "Model":
    """The same network with these of its outputs alone."""
    kept = model.clone()
    for output in kept.outputs:
        if not names & output.get_names():
            kept.remove_result(output.node)
    return kept


def read_model(path: Path) -> "Model":
    """A file as OpenVINO reads it.

    Raises:
        ModelError: it cannot.
    """
    try:
        return shared_core().read_model(path)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1]
        raise ModelError(f"{path}: OpenVINO cannot read it ({first}).") from error


def read_metadata(path: Path) -> str | None:
    """The JSON of the `ExportCard` in a file; None where it holds none."""
    model = read_model(path)
    for where in ([METADATA], ["framework", METADATA]):  # the second: of ONNX
        if model.has_rt_info(where):
            return str(model.get_rt_info(where).astype(str))
    return None


@contextmanager
def without_telemetry() -> Generator[None]:
    """OpenVINO and NNCF report each import and each conversion to their makers unless somebody has
    declined. Where their package for that cannot be imported, they are silent."""
    name = "openvino_telemetry"
    absent = name not in sys.modules
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before  # type: ignore[assignment]


class _Stack(ctypes.Structure):
    """`stack_t` of Linux."""

    _fields_ = [("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


@contextmanager
def own_signal_stack() -> Generator[None]:
    """With each core OpenVINO (2026.4) lays down a stack for signal handlers, and frees it with the
    core, in whatever order: then the next Ctrl-C would run on memory that is gone. So the stack
    that was there before is put back at the end."""
    if sys.platform != "linux":
        yield
        return
    before, system = _Stack(), ctypes.CDLL(None)
    system.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        system.sigaltstack(ctypes.byref(before), None)


@cache
def shared_core() -> Any:
    """OpenVINO itself, for as long as the process lives; see `own_signal_stack`."""
    with without_telemetry():
        from openvino import Core

    return Core()
