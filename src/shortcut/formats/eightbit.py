"""Eight bits for weights and what is between layers, by NNCF: a quarter of the size, and where the
processor has instructions for them several times the speed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shortcut.data.preprocess import Pixels
from shortcut.runtime.engine import IMAGES

CALIBRATING = 300
"""Pictures that show how large numbers get between layers; NNCF's own default."""


def quantised(model: Any, pictures: Sequence[Pixels]) -> Any:
    """A network of OpenVINO's or in ONNX with eight bits.

    What follows the last convolution stays as it is: it takes no time, and probabilities and
    distances are what answers are made of.

    Args:
        pictures: (S, S, 3) uint8, of the training.
    """
    import nncf

    dataset = nncf.Dataset([{IMAGES: picture[np.newaxis]} for picture in pictures])
    return nncf.quantize(
        model,
        dataset,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pictures),
        ignored_scope=nncf.IgnoredScope(types=["MatMul", "Gemm"], validate=False),
    )
