"""What runs an exported network, whoever wrote it."""

from typing import Literal, Protocol

from shortcut.data.preprocess import Pixels
from shortcut.predictor import Answers

EngineName = Literal["openvino", "onnxruntime", "torch"]

IMAGES, PROBABILITIES, DISTANCE, EVIDENCE = "images", "probabilities", "distance", "evidence"
"""Names of what an exported network is given and gives."""
METADATA = "shortcut"
"""Where an exported file keeps its `ExportCard`."""


class Engine(Protocol):
    """An exported network that is ready to run."""

    @property
    def name(self) -> EngineName:
        """Whose it is."""
        ...

    def __call__(self, images: Pixels) -> tuple[Answers, Answers | None]:
        """(N, S, S, 3) uint8 -> (N, classes) float32 probabilities at temperature 1, and (N,) how
        unlike those of the training these pictures are; None where the network does not say.
        Of a raw export: (1, H, W, 3), any size."""
        ...

    def evidence(self, images: Pixels) -> Answers:
        """(N, S, S, 3) uint8 -> (N, classes, h, w) float32, of a network that gives it: the part of
        each cell of its last map in the output of each class, less the mean of all classes.

        Summed over the cells that is the output before the softmax, less the mean of all and less
        its bias. Below 0 a cell speaks against the class.
        """
        ...
