"""The noun: a network together with what makes its output readable, in memory and as one file."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from shortcut.card import HEADER, ModelCard, PreprocessCard, first_fault, read_card, recipe_of
from shortcut.data.decode import Picture, decode_picture
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.errors import ModelError
from shortcut.metrics import at_temperature
from shortcut.models.resnet import ResNet, StemName
from shortcut.models.tensorfiles import check_outline, open_tensors, write_tensors
from shortcut.models.weights import check_kinds, check_shapes, filled_model
from shortcut.precision import EXACT, Precision
from shortcut.settings import Recipe


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


@dataclass
class Classifier:
    """A trained network and the facts that make its output readable.

    Methods that answer put the network into evaluation mode and leave it there.
    """

    model: ResNet
    network: str
    """Its row in the table of networks."""
    stem: StemName
    classes: tuple[str, ...]
    """Names, in the order of the network's outputs."""
    preprocess: Preprocess
    recipe: Recipe | None = None
    mirror_below: float = 0.0
    """Where the best class scores less than this, the mirror image is asked too, and the answer is
    the mean of both; 0: never."""
    max_pixels: int | None = None
    """Larger pictures are refused from their header; None: the decoder's own limit."""
    metrics: dict[str, float | int | str] = field(default_factory=dict)
    """What was measured: `val_accuracy`, `val_images`, `epoch`, ..."""
    created: str = ""
    version: str = ""
    temperature: float = 1.0
    """What the logarithms of answers are divided by, so that a score says how often such an answer
    is right (Guo et al. 2017, arXiv:1706.04599); 1 where that was not fitted."""
    sure_from: float = 0.0
    """Answers with a lower score are `not sure`; 0: none."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def normalise(self, images: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 on any device -> (N, 3, H, W) float32, zero mean and unit
        deviation."""
        width = images.shape[2]
        # A row at a time, not three numbers, which is five times as fast; and in place, since each
        # new tensor of this size costs more than the arithmetic.
        mean = (torch.tensor(self.preprocess.mean, device=images.device) * 255).repeat(width)
        std = (torch.tensor(self.preprocess.std, device=images.device) * 255).repeat(width)
        rows = images.flatten(2).float().sub_(mean).div_(std)
        return rows.view(images.shape).permute(0, 3, 1, 2)

    @torch.inference_mode()
    def answer(self, images: Tensor, precision: Precision = EXACT) -> Tensor:
        """(N, S, S, 3) uint8 -> (N, classes) float32 probabilities on the CPU."""
        self.model.eval()
        views = precision.place(self.normalise(images.to(self.device)))
        answers = self._forward(views, precision)
        unsure = (answers.amax(1) < self.mirror_below).nonzero().flatten()
        if len(unsure):
            mirrored = precision.place(views[unsure].flip(3))
            answers[unsure] = (answers[unsure] + self._forward(mirrored, precision)) / 2
        answers = answers.cpu()
        if self.temperature == 1.0:
            return answers
        return torch.from_numpy(at_temperature(answers.numpy(), self.temperature))

    def _forward(self, views: Tensor, precision: Precision) -> Tensor:
        with precision.autocast(self.device):
            outputs = self.model(views)
        return self.model.probabilities(outputs)

    def probabilities(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        """Preprocessed pictures, each (S, S, 3) uint8 -> (N, classes) float32; rows sum to one."""
        return self.answer(torch.from_numpy(np.stack(pixels))).numpy()

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
        return [self._prediction(row) for row in self.probabilities(pixels)] if pixels else []

    def pixels(self, picture: Picture) -> Pixels:
        """A picture as the network sees it before normalisation: (S, S, 3) uint8."""
        size = self.preprocess.resize
        return self.preprocess(decode_picture(picture, min_side=size, max_pixels=self.max_pixels))

    def _prediction(self, row: NDArray[np.float32]) -> Prediction:
        order = np.argsort(-row, kind="stable")
        scores = {self.classes[i]: float(row[i]) for i in order}
        label = self.classes[int(order[0])]
        return Prediction(label, scores[label], scores, scores[label] >= self.sure_from)

    def save(self, path: str | Path) -> None:
        """Write one `.safetensors` file that holds everything; an older file stays whole until
        then.

        Raises:
            ModelError: the name of a class is such that `load` would refuse the file.
            ResourceError: if it cannot be written.
        """
        try:
            card = ModelCard(
                network=self.network,
                stem=self.stem,
                classes=self.classes,
                preprocess=PreprocessCard.model_validate(self.preprocess.as_dict()),
                mirror_below=self.mirror_below,
                temperature=self.temperature,
                sure_from=self.sure_from,
                recipe=self.recipe.model_dump(mode="json") if self.recipe else None,
                metrics=self.metrics,
                created=self.created,
                version=self.version,
            )
        except ValidationError as error:
            raise ModelError(f"`{path}` is not written: {first_fault(error)}.") from error
        write_tensors(Path(path), self.model.state_dict(), {HEADER: card.model_dump_json()})


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Classifier:
    """Read a model file that `Classifier.save` wrote.

    Names, shapes and the description are checked before memory is taken for numbers.

    Raises:
        ModelError: no such file, not one of ours, or its parts do not fit together.
    """
    path = Path(path)
    with open_tensors(path) as file:
        card = read_card(path, file.metadata)
        check_outline(path, file.shapes)
        classes = len(card.classes)
        with _said_of(path):
            check_shapes(card.network, file.shapes, num_classes=classes, stem=card.stem)
        tensors = file.tensors()
    with _said_of(path):
        check_kinds(tensors)
        model = filled_model(card.network, tensors, num_classes=classes, stem=card.stem)
    size, recipe = card.preprocess, recipe_of(card)
    return Classifier(
        model=model.to(device),
        network=card.network,
        stem=card.stem,
        classes=card.classes,
        preprocess=Preprocess(size.image_size, size.resize, size.mean, size.std),
        recipe=recipe,
        mirror_below=card.mirror_below,
        temperature=card.temperature,
        sure_from=card.sure_from,
        max_pixels=recipe.data.max_pixels if recipe else None,
        metrics=dict(card.metrics),
        created=card.created,
        version=card.version,
    )


@contextmanager
def _said_of(path: Path) -> Generator[None]:
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
