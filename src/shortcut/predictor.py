"""What every classifier does, whichever engine runs its network: from pictures to answers in words.

Pillow and NumPy only: an exported model answers without torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from shortcut.data.decode import Picture, decode_picture
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.errors import RecipeError

Answers = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """What the classifier says of one picture."""

    label: str
    score: float
    """Probability of `label`, 0 to 1."""
    scores: dict[str, float]
    """Probability of every class, the likeliest first."""
    sure: bool = True
    """False where the score lies below the classifier's `sure_from`."""
    unlike: bool = False
    """True where the picture is unlike anything seen in training, whatever the score."""
    distance: float | None = None
    """How unlike: 0 is typical; None where the classifier cannot tell."""


class Predictor(ABC):
    """A classifier as far as prediction needs it."""

    classes: tuple[str, ...]
    """Names, in the order of the network's outputs."""
    preprocess: Preprocess
    sure_from: float
    """Answers with a lower score are `not sure`; 0: none."""
    max_pixels: int | None
    """Larger pictures are refused from their header; None: the decoder's own limit."""
    raw: ClassVar[bool] = False
    """Whether `pixels` gives, and `judge_pixels` takes, one whole picture, (1, H, W, 3), in place
    of squares."""

    @property
    @abstractmethod
    def unlike_from(self) -> float | None:
        """Pictures with a larger distance are `unlike anything seen in training`; None where
        nothing is known of that."""

    @abstractmethod
    def judge_pixels(self, pixels: Pixels) -> tuple[Answers, Answers | None]:
        """(N, S, S, 3) uint8, or (N, V, S, S, 3) of V views -> (N, classes) probabilities, and (N,)
        how unlike those of the training these are; None where nothing is known of that."""

    def predict(self, picture: Picture) -> Prediction:
        """Classify one picture: a path, the bytes of a file, or a Pillow image.

        Raises:
            DecodeError: if it cannot be read as a picture.
        """
        return self.predict_many([picture])[0]

    def predict_many(self, pictures: Sequence[Picture]) -> list[Prediction]:
        """Classify pictures as one batch, in order; see `predict`."""
        return self.predict_pixels([self.pixels(picture) for picture in pictures])

    def predict_pixels(self, pixels: Sequence[Pixels]) -> list[Prediction]:
        """Classify what `pixels` gave, as one batch, in order."""
        if not pixels:
            return []
        answers, distances = self.judge_pixels(np.stack(pixels))
        predictions = [self._prediction(row) for row in answers]
        limit = self.unlike_from
        if limit is None or distances is None:
            return predictions
        return [
            replace(one, unlike=bool(far > limit), distance=float(far))
            for one, far in zip(predictions, distances, strict=True)
        ]

    def pixels(self, picture: Picture) -> Pixels:
        """A picture as the network sees it before normalisation: (S, S, 3) uint8; views of it,
        (V, S, S, 3), where `preprocess` makes several."""
        size = self.preprocess.resize
        return self.preprocess(decode_picture(picture, min_side=size, max_pixels=self.max_pixels))

    def _prediction(self, row: Answers) -> Prediction:
        order = np.argsort(-row, kind="stable")
        scores = {self.classes[i]: float(row[i]) for i in order}
        label = self.classes[int(order[0])]
        return Prediction(label, scores[label], scores, scores[label] >= self.sure_from)


def check_squares(predictor: Predictor, asker: str) -> None:
    """Whether it can be asked about squares, and many of them.

    Raises:
        RecipeError: it takes whole pictures.
    """
    if predictor.raw:
        raise RecipeError(
            f"{asker} asks about squares, many at once; this model was exported with `--raw`, for "
            "one whole picture at a time: export it without `--raw`."
        )
