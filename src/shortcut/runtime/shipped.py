"""An exported classifier: the same questions, the same answers, and no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from shortcut.card import ExportCard
from shortcut.data.decode import Picture, decode_picture
from shortcut.data.preprocess import Pixels, Preprocess, middle_part
from shortcut.errors import ModelError
from shortcut.heat import Heat, heat_of
from shortcut.metrics import at_temperature
from shortcut.predictor import Answers, Prediction, Predictor
from shortcut.runtime.engine import Engine


@dataclass
class Shipped(Predictor):
    """What `Classifier` is, for a network that was exported."""

    engine: Engine
    card: ExportCard = field(repr=False)
    classes: tuple[str, ...]
    preprocess: Preprocess
    sure_from: float
    max_pixels: int | None

    @property
    def unlike_from(self) -> float | None:
        """See `Predictor`."""
        return self.card.unlike_from

    def judge_pixels(self, pixels: Pixels) -> tuple[Answers, Answers | None]:
        """See `Predictor`; the mirror image is asked where `Classifier.answer` would."""
        views = [pixels] if pixels.ndim == 4 else list(np.moveaxis(pixels, 1, 0))
        asked = [self._asked(np.ascontiguousarray(view)) for view in views]
        answers = asked[0][0] if len(asked) == 1 else np.stack([a for a, _ in asked]).mean(0)
        if self.card.temperature != 1.0:
            answers = at_temperature(answers, self.card.temperature)
        return answers, asked[0][1]

    @property
    def explains(self) -> bool:
        """Whether it tells where in a picture it saw its answer, see `heat`."""
        return self.card.cells is not None

    def heat(
        self,
        pixels: Sequence[Pixels] | NDArray[np.uint8],
        targets: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Heat:
        """What `heatmaps.grad_cam` is for a classifier with torch: what speaks for a class, where.

        Args:
            pixels: (N, S, S, 3) uint8 as `pixels` gives them.
            targets: (N,) positions of classes; None: the answer for each picture.

        Returns:
            (N, S, S) float32. The hottest point of each map is 1; where nothing speaks for the
            class the whole map is 0.

        Raises:
            ModelError: this export does not tell, see `explains`.
        """
        if self.card.cells is None:
            raise ModelError("this export does not tell where it saw its answer.")
        images = np.stack(list(pixels))
        if targets is None:
            targets = self.judge_pixels(images)[0].argmax(1)
        chosen = np.arange(len(images)), np.asarray(targets, np.int64)
        return heat_of(self.engine.evidence(images)[chosen], images.shape[1], self.card.cells)

    def _asked(self, view: Pixels) -> tuple[Answers, Answers | None]:
        answers, distances = self.engine(view)
        unsure = np.flatnonzero(answers.max(1) < self.card.mirror_below)
        if len(unsure):
            mirrored, _ = self.engine(self._mirrored(view[unsure]))
            answers[unsure] = (answers[unsure] + mirrored) / 2
        return answers, distances

    def _mirrored(self, view: Pixels) -> Pixels:
        """What to ask about so that the network sees the mirror images of its squares."""
        return np.ascontiguousarray(view[:, :, ::-1])


@dataclass
class RawShipped(Shipped):
    """One whose graph resizes: asked about whole pictures, one after the other."""

    raw: ClassVar[bool] = True

    def predict_pixels(self, pixels: Sequence[Pixels]) -> list[Prediction]:
        """See `Predictor`; the pictures may have any sizes."""
        return [Shipped.predict_pixels(self, [picture])[0] for picture in pixels]

    def pixels(self, picture: Picture) -> Pixels:
        """A picture as it is decoded for any other classifier, (H, W, 3) uint8: a large JPEG at a
        half of its size or less, which costs a fraction; of one longer than 4:1 the middle, which
        is all that the graph would look at."""
        size = self.preprocess.resize
        decoded = decode_picture(picture, min_side=size, max_pixels=self.max_pixels)
        return np.array(middle_part(decoded))

    def _mirrored(self, view: Pixels) -> Pixels:
        """Not the mirrored picture: where an odd number of columns is cut off, its middle is
        another one (a probability moved by up to 0.09). The square itself is mirrored, and laid
        where the graph, which has nothing to resize then, cuts it out."""
        square = self.preprocess.middle(self.preprocess.fitted(view[0]))
        around = np.zeros((self.preprocess.resize,) * 2 + (3,), np.uint8)
        self.preprocess.middle(around)[:] = square[:, ::-1]
        return around[np.newaxis]


def make_shipped(engine: Engine, card: ExportCard) -> Shipped:
    """The classifier that an engine and what its file says of itself make."""
    size = card.preprocess
    preprocess = Preprocess(size.image_size, size.resize, size.mean, size.std)
    made = RawShipped if card.raw else Shipped
    return made(engine, card, card.classes, preprocess, card.sure_from, card.max_pixels)
