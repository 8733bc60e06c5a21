"""Eight bits for weights and what is between layers, by NNCF: a quarter of the size, and where the
processor has instructions for them several times the speed."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortcut.data.preprocess import Pixels
from shortcut.runtime.engine import IMAGES
from shortcut.runtime.openvino import shared_core

CALIBRATING = 300
"""Pictures that show how large numbers get between layers; NNCF's own default."""
FAITHFUL = 0.993
"""Share of best answers that must stay, on these pictures; else some layers keep float32."""

Given = dict[str, Pixels]


def quantised(model: Any, pictures: Sequence[Pixels]) -> Any:
    """A network of OpenVINO's or in ONNX with eight bits.

    What follows the last convolution stays as it is: it takes no time, and probabilities and
    distances are what answers are made of.

    Args:
        pictures: (S, S, 3) uint8, of the training.
    """
    import nncf

    return nncf.quantize(
        model,
        nncf.Dataset(_given(pictures)),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pictures),
        ignored_scope=_answers_stay(),
    )


def quantised_faithfully(model: Any, pictures: Sequence[Pixels]) -> Any:
    """As `quantised`, of OpenVINO's; where fewer than `FAITHFUL` of the best answers stay, the
    layers that change most of them go back to float32, one after the other, until as many do."""
    import nncf

    wanted = best_answers(model, pictures)
    first = quantised(model, pictures)
    if (best_answers(first, pictures) == wanted).mean() >= FAITHFUL:
        return first

    def agreement(compiled: Callable[[Given], Any], items: Iterable[Given]) -> tuple[float, None]:
        found = np.array([int(compiled(given)[0].argmax()) for given in items])
        return float((found == wanted[: len(found)]).mean()), None

    given = _given(pictures)
    return nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=nncf.Dataset(given),
        validation_dataset=nncf.Dataset(given),
        validation_fn=agreement,
        max_drop=1 - FAITHFUL,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pictures),
        ignored_scope=_answers_stay(),
    )


def best_answers(model: Any, pictures: Sequence[Pixels]) -> NDArray[np.int64]:
    """(N,) positions of classes, by OpenVINO in float32."""
    compiled = shared_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array([int(compiled(given)[0].argmax()) for given in _given(pictures)])


def _given(pictures: Sequence[Pixels]) -> list[Given]:
    return [{IMAGES: picture[np.newaxis]} for picture in pictures]


def _answers_stay() -> Any:
    import nncf

    return nncf.IgnoredScope(types=["MatMul", "Gemm"], validate=False)
