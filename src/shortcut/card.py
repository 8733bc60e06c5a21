"""What a model file says of itself, as JSON in its header; every field is checked before it is
believed."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidationError, field_validator, model_validator

from shortcut.errors import ModelError, printable
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


class NeighboursCard(Card):
    """The figures of `familiarity.Neighbours`."""

    nearest: Annotated[int, Field(ge=1, le=100)]
    middle: Annotated[float, Field(ge=-1e6, le=1e6)]
    spread: Annotated[float, Field(ge=1e-6, le=1e6)]


class FamiliarityCard(Card):
    """The figures of `Familiarity`; its tensors stand beside the weights."""

    early: NeighboursCard
    late: NeighboursCard
    limit: Finite


class ModelCard(Card):
    """The JSON in a model file; every field is checked before a tensor goes into a network."""

    format: Literal[1] = 1
    network: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
    stem: Literal["standard", "small", "unpadded"]
    """As in `models/resnet.py`, which takes torch to import."""
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    preprocess: PreprocessCard
    mirror_below: Annotated[float, Field(ge=0, le=1)] = 0.0
    temperature: Annotated[float, Field(gt=0, le=1000)] = 1.0
    sure_from: Annotated[float, Field(ge=0, le=1)] = 0.0
    familiarity: FamiliarityCard | None = None
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


NumberFormat = Literal["fp32", "bf16", "int8"]
"""Number format of an exported network."""


class ExportCard(ModelCard):
    """The JSON in an exported file: what of a classifier is not in its graph."""

    precision: NumberFormat
    unlike_from: Finite | None
    """Pictures with a larger `distance` are unlike anything seen in training; None: no distance."""
    max_pixels: Annotated[int, Field(ge=1)] | None = None
    source: Short = ""
    """SHA-256 of the model file that it was made of."""
    cells: tuple[Finite, Positive] | None = None
    """Pixel in which the first cell of the evidence has its centre, and pixels from one to the
    next; None: the graph gives no evidence."""
    raw: bool = False
    """The graph takes one decoded picture of any size, (1, H, W, 3), and resizes it."""


def read_export_card(path: Path, text: str | None) -> ExportCard:
    """The card in an exported file.

    Raises:
        ModelError: there is none, or a field is not as it should be; the first is named.
    """
    if text is None:
        raise ModelError(
            f"{path}: holds no class names; only what `shortcut export` wrote is read."
        )
    try:
        return ExportCard.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(f"{path}: its description is damaged ({first_fault(error)}).") from error


def read_card(path: Path, metadata: Mapping[str, str]) -> ModelCard:
    """The card in the header of the file at `path`.

    Raises:
        ModelError: there is none, or a field is not as it should be; the first is named.
    """
    if HEADER not in metadata:
        raise ModelError(f"{path}: safetensors, but not a shortcut model (no class names in it).")
    try:
        return ModelCard.model_validate_json(metadata[HEADER])
    except ValidationError as error:
        raise ModelError(f"{path}: its description is damaged ({first_fault(error)}).") from error


def recipe_of(card: ModelCard) -> Recipe | None:
    """The recipe of the training, where this version can read it."""
    # Of another version, or made to have a million faults: prediction does without it.
    if not card.recipe or len(json.dumps(card.recipe)) > LARGEST_RECIPE:
        return None
    try:
        return Recipe.model_validate(card.recipe)
    except ValidationError:
        return None


def first_fault(error: ValidationError) -> str:
    """The first of its faults, on one line that is safe to print."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ")
    return printable(f"{where}: {said}" if where else said, 200)
