"""The noun: a network together with what makes its output readable, in memory and as one file."""

import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator, model_validator
from torch import Tensor

from shortcut.data.decode import Picture, decode_picture
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.errors import ModelError
from shortcut.models.resnet import ResNet, StemName
from shortcut.models.tensorfiles import check_outline, open_tensors, printable, write_tensors
from shortcut.models.weights import check_kinds, check_shapes, filled_model
from shortcut.precision import EXACT, Precision
from shortcut.settings import Positive, Recipe, Settings

HEADER = "shortcut"
"""Key of our JSON in the safetensors header."""

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""What a terminal would obey; tabs and line breaks only look odd, and folders are called so."""
LONGEST_CLASS = 1000
"""Letters in the name of a class; that of a folder has at most 255 bytes."""
MOST_METRICS = 100
LARGEST_RECIPE = 100_000
"""Letters of JSON; what we write has some 2,000."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Short = Annotated[str, Field(max_length=100)]
Fact = Finite | int | Annotated[str, Field(max_length=2000)]


class Card(Settings):
    """What a model file says of itself is anybody's to write. Of many faults the first is said:
    pydantic would keep each, and a file of some megabytes can hold a million."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_other_field(cls, given: object) -> object:
        if isinstance(given, dict):
            for name in given:
                if name not in cls.model_fields:
                    raise ValueError(f"unknown field `{printable(str(name))}`")
        return given


class PreprocessCard(Card):
    """`Preprocess` as it stands in a model file."""

    image_size: Annotated[int, Field(ge=8, le=4096)]
    resize: Annotated[int, Field(ge=8, le=8192)]
    mean: tuple[Finite, Finite, Finite]
    std: tuple[Positive, Positive, Positive]

    @model_validator(mode="after")
    def _square_fits(self) -> "PreprocessCard":
        if self.image_size > self.resize:
            raise ValueError("image_size is above resize")
        return self


class ModelCard(Card):
    """The JSON in a model file; every field is checked before a tensor goes into a network."""

    format: Literal[1] = 1
    network: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
    stem: StemName
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    preprocess: PreprocessCard
    mirror_below: Annotated[float, Field(ge=0, le=1)] = 0.0
    recipe: dict[str, Any] | None = None
    """As another version may have written it: prediction does not need it."""
    metrics: dict[Short, Fact] = Field(default_factory=dict)
    created: Short = ""
    version: Short = ""

    @field_validator("classes", mode="before")
    @classmethod
    def _are_names(cls, given: object) -> object:
        names = cast("Sequence[object]", given) if isinstance(given, list | tuple) else ()
        for place, name in enumerate(names, 1):
            if not isinstance(name, str):
                raise ValueError(f"class {place} is no text but {type(name).__name__}")
            if len(name) > LONGEST_CLASS or CONTROL.search(name):
                raise ValueError(f"class {place} is no name: `{printable(name, 40)}`")
        return given

    @field_validator("metrics", mode="before")
    @classmethod
    def _are_few(cls, given: object) -> object:
        if isinstance(given, dict) and len(given) > MOST_METRICS:
            raise ValueError(f"{len(given):,} figures, at most {MOST_METRICS}")
        return given

    @model_validator(mode="after")
    def _names_differ(self) -> "ModelCard":
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes have the same name")
        return self


@dataclass(frozen=True)
class Prediction:
    """What the classifier says of one picture."""

    label: str
    score: float
    """Probability of `label`, 0 to 1, as the network gives it."""
    scores: dict[str, float]
    """Probability of every class, the likeliest first."""


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
    metrics: dict[str, float | int | str] = field(default_factory=dict)
    """What was measured: `val_accuracy`, `val_images`, `epoch`, ..."""
    created: str = ""
    version: str = ""

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
        return answers.cpu()

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
        return self.preprocess(decode_picture(picture, min_side=self.preprocess.resize))

    def _prediction(self, row: NDArray[np.float32]) -> Prediction:
        order = np.argsort(-row, kind="stable")
        scores = {self.classes[i]: float(row[i]) for i in order}
        label = self.classes[int(order[0])]
        return Prediction(label, scores[label], scores)

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
                recipe=self.recipe.model_dump(mode="json") if self.recipe else None,
                metrics=self.metrics,
                created=self.created,
                version=self.version,
            )
        except ValidationError as error:
            raise ModelError(f"`{path}` is not written: {_first_fault(error)}.") from error
        write_tensors(Path(path), self.model.state_dict(), {HEADER: card.model_dump_json()})


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Classifier:
    """Read a model file that `Classifier.save` wrote.

    Names, shapes and the description are checked before memory is taken for numbers.

    Raises:
        ModelError: no such file, not one of ours, or its parts do not fit together.
    """
    path = Path(path)
    with open_tensors(path) as file:
        card = _card_of(path, file.metadata)
        check_outline(path, file.shapes)
        classes = len(card.classes)
        with _said_of(path):
            check_shapes(card.network, file.shapes, num_classes=classes, stem=card.stem)
        tensors = file.tensors()
    with _said_of(path):
        check_kinds(tensors)
        model = filled_model(card.network, tensors, num_classes=classes, stem=card.stem)
    size = card.preprocess
    return Classifier(
        model=model.to(device),
        network=card.network,
        stem=card.stem,
        classes=card.classes,
        preprocess=Preprocess(size.image_size, size.resize, size.mean, size.std),
        recipe=_recipe_of(card),
        mirror_below=card.mirror_below,
        metrics=dict(card.metrics),
        created=card.created,
        version=card.version,
    )


def _card_of(path: Path, metadata: Mapping[str, str]) -> ModelCard:
    if HEADER not in metadata:
        raise ModelError(f"{path}: safetensors, but not a shortcut model (no class names in it).")
    try:
        return ModelCard.model_validate_json(metadata[HEADER])
    except ValidationError as error:
        raise ModelError(f"{path}: its description is damaged ({_first_fault(error)}).") from error


def _recipe_of(card: ModelCard) -> Recipe | None:
    # Of another version, or made to have a million faults: prediction does without it.
    if not card.recipe or len(json.dumps(card.recipe)) > LARGEST_RECIPE:
        return None
    try:
        return Recipe.model_validate(card.recipe)
    except ValidationError:
        return None


@contextmanager
def _said_of(path: Path) -> Generator[None]:
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ")
    return printable(f"{where}: {said}" if where else said, 200)
