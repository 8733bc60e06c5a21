"""The noun: a network together with what makes its output readable, in memory and as one file."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from shortcut.card import (
    HEADER,
    FamiliarityCard,
    ModelCard,
    PreprocessCard,
    first_fault,
    read_card,
    recipe_of,
)
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.errors import ModelError
from shortcut.familiarity import PREFIX, Familiarity, check_familiarity, restored
from shortcut.metrics import at_temperature
from shortcut.models.resnet import ResNet, StemName
from shortcut.models.stages import classify_and_describe, feature_widths
from shortcut.models.tensorfiles import check_outline, open_tensors, write_tensors
from shortcut.models.weights import check_kinds, check_shapes, filled_model
from shortcut.precision import EXACT, Precision
from shortcut.predictor import Answers, Predictor
from shortcut.settings import Recipe

NUMPY_HAS = (torch.float16, torch.float32)
"""Of the kinds that `familiarity` takes."""


@dataclass
class Classifier(Predictor):
    """A trained network and the facts that make its output readable.

    Methods that answer put the network into evaluation mode and leave it there.
    """

    model: ResNet
    network: str
    """Its row in the table of networks."""
    stem: StemName
    classes: tuple[str, ...]
    preprocess: Preprocess
    recipe: Recipe | None = None
    mirror_below: float = 0.0
    """Where the best class scores less than this, the mirror image is asked too, and the answer is
    the mean of both; 0: never."""
    max_pixels: int | None = None
    metrics: dict[str, float | int | str] = field(default_factory=dict)
    """What was measured: `val_accuracy`, `val_images`, `epoch`, ..."""
    created: str = ""
    version: str = ""
    temperature: float = 1.0
    """What the logarithms of answers are divided by, so that a score says how often such an answer
    is right (Guo et al. 2017, arXiv:1706.04599); 1 where that was not fitted."""
    sure_from: float = 0.0
    familiarity: Familiarity | None = None
    """Tells pictures that are unlike anything seen in training; None: nothing is known of that."""

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
        """(N, S, S, 3) uint8 -> (N, classes) float32 probabilities on the CPU.

        Of (N, V, S, S, 3), V views of each picture: the mean of the answers to them.
        """
        self.model.eval()
        answers: list[Tensor] = []
        for each in _views(images):
            views = precision.place(self.normalise(each.to(self.device)))
            answers.append(self._mirrored(self._forward(views, precision), views, precision))
        return self._tempered(answers)

    @torch.inference_mode()
    def look(self, images: Tensor) -> tuple[Tensor, NDArray[np.float32]]:
        """(N, S, S, 3) or (N, V, S, S, 3) uint8 -> what `answer` gives, and (N, D) features of the
        same pass, of the first view, of which `familiarity` is made."""
        self.model.eval()
        answers, features = list[Tensor](), list[Tensor]()
        for each in _views(images):
            views = EXACT.place(self.normalise(each.to(self.device)))
            with EXACT.autocast(self.device):
                outputs, found = classify_and_describe(self.model, views)
            answers.append(self._mirrored(self.model.probabilities(outputs), views, EXACT))
            features.append(found)
        return self._tempered(answers), features[0].cpu().numpy()

    def judge(self, images: Tensor) -> tuple[Tensor, NDArray[np.float32] | None]:
        """As `answer`, and how unlike those of the training pictures these are, (N,) as
        `Familiarity.distance` gives it; None where nothing is known of that."""
        if self.familiarity is None:
            return self.answer(images), None
        answers, features = self.look(images)
        return answers, self.familiarity.distance(features)

    @property
    def unlike_from(self) -> float | None:
        """See `Predictor`."""
        return self.familiarity.limit if self.familiarity else None

    def judge_pixels(self, pixels: Pixels) -> tuple[Answers, Answers | None]:
        """See `Predictor`."""
        answers, distances = self.judge(torch.from_numpy(pixels))
        return answers.numpy(), distances

    def _mirrored(self, answers: Tensor, views: Tensor, precision: Precision) -> Tensor:
        """With the mirror image asked where they are unsure."""
        unsure = (answers.amax(1) < self.mirror_below).nonzero().flatten()
        if len(unsure):
            mirrored = precision.place(views[unsure].flip(3))
            answers[unsure] = (answers[unsure] + self._forward(mirrored, precision)) / 2
        return answers

    def _tempered(self, answers: Sequence[Tensor]) -> Tensor:
        """The mean of answers to several views, at the temperature."""
        mean = (answers[0] if len(answers) == 1 else torch.stack([*answers]).mean(0)).cpu()
        if self.temperature == 1.0:
            return mean
        return torch.from_numpy(at_temperature(mean.numpy(), self.temperature))

    def _forward(self, views: Tensor, precision: Precision) -> Tensor:
        with precision.autocast(self.device):
            outputs = self.model(views)
        return self.model.probabilities(outputs)

    def probabilities(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        """What `pixels` gave of each picture -> (N, classes) float32; rows sum to one."""
        return self.answer(torch.from_numpy(np.stack(pixels))).numpy()

    def facts(self) -> dict[str, Any]:
        """What a file says of it, whatever its format: fields of a `ModelCard`."""
        return {
            "network": self.network,
            "stem": self.stem,
            "classes": self.classes,
            "preprocess": PreprocessCard.model_validate(self.preprocess.as_dict()),
            "mirror_below": self.mirror_below,
            "temperature": self.temperature,
            "sure_from": self.sure_from,
            "metrics": self.metrics,
            "created": self.created,
            "version": self.version,
        }

    def save(self, path: str | Path) -> None:
        """Write one `.safetensors` file that holds everything; an older file stays whole until
        then.

        Raises:
            ModelError: the name of a class is such that `load` would refuse the file.
            ResourceError: if it cannot be written.
        """
        known = self.familiarity
        try:
            card = ModelCard(
                **self.facts(),
                familiarity=FamiliarityCard.model_validate(known.figures()) if known else None,
                recipe=self.recipe.model_dump(mode="json") if self.recipe else None,
            )
        except ValidationError as error:
            raise ModelError(f"`{path}` is not written: {first_fault(error)}.") from error
        # Without it the file is as it was before there was any, and older versions take it too.
        header = card.model_dump_json(exclude=None if known else {"familiarity"})
        remembered = known.arrays() if known else {}
        tensors = self.model.state_dict() | {n: torch.from_numpy(a) for n, a in remembered.items()}
        write_tensors(Path(path), tensors, {HEADER: header})


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
        weights, rest = _divided(file.shapes)
        with _said_of(path):
            check_shapes(card.network, weights, num_classes=classes, stem=card.stem)
            if rest or card.familiarity:
                check_familiarity(rest)
        weights, rest = _divided(file.tensors())
    with _said_of(path):
        check_kinds(weights)
        model = filled_model(card.network, weights, num_classes=classes, stem=card.stem)
        familiarity = _familiarity(card, rest, model)
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
        familiarity=familiarity,
        max_pixels=recipe.data.max_pixels if recipe else None,
        metrics=dict(card.metrics),
        created=card.created,
        version=card.version,
    )


def _views(images: Tensor) -> Sequence[Tensor]:
    return images.unbind(1) if images.ndim == 5 else (images,)


T = TypeVar("T")


def _divided(named: Mapping[str, T]) -> tuple[dict[str, T], dict[str, T]]:
    """What is of the network, and what is of its `Familiarity`."""
    rest = {name: value for name, value in named.items() if name.startswith(PREFIX)}
    return {name: value for name, value in named.items() if name not in rest}, rest


def _familiarity(
    card: ModelCard, tensors: Mapping[str, Tensor], model: ResNet
) -> Familiarity | None:
    if not tensors:
        return None
    if card.familiarity is None:
        raise ModelError("its description is damaged (familiarity: Field required).")
    # NumPy lacks some kinds of torch's (bfloat16); as another one they are refused like any other.
    arrays = {
        name: (tensor if tensor.dtype in NUMPY_HAS else tensor.double()).numpy()
        for name, tensor in tensors.items()
    }
    return restored(arrays, card.familiarity.model_dump(), feature_widths(model))


@contextmanager
def _said_of(path: Path) -> Generator[None]:
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
