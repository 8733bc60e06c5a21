"""The rules of single settings: frozen, nothing unknown, nothing that is not a finite number."""

import math
from collections.abc import Iterator
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from shortcut.settings import (
    AdamSettings,
    NoCrop,
    Recipe,
    ResizedCrop,
    Settings,
    SgdSettings,
    ShiftCrop,
    StepSchedule,
)


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for part in get_args(annotation):
        yield from models_in(part)


MODELS = list(dict.fromkeys(models_in(Recipe)))
REQUIRED = {"name": None, "every": 1}


def smallest(model: type[BaseModel]) -> dict[str, object]:
    """The least that makes a valid one."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    choices = get_args(model.model_fields["name"].annotation) if "name" in required else ()
    return {name: choices[0] if name == "name" else REQUIRED[name] for name in required}


NUMBERS = [
    (model, name)
    for model in MODELS
    for name, field in model.model_fields.items()
    if field.annotation in (int, float) or {int, float} & set(get_args(field.annotation))
]


def test_the_walk_finds_every_section():
    names = {model.__name__ for model in MODELS}
    assert {"Recipe", "ModelSettings", "ShiftCrop", "SgdSettings", "OneCycleSchedule"} <= names
    assert len(NUMBERS) > 25


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_section_is_frozen_and_refuses_the_unknown(model):
    made = model.model_validate(smallest(model))
    assert isinstance(made, Settings)
    field = next(iter(model.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, field, getattr(made, field))
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate(smallest(model) | {"colour": 1})


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_defaults_keep_their_own_rules(model):
    made = model.model_validate(smallest(model))
    assert model.model_validate(made.model_dump(mode="json")) == made


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan], ids=str)
@pytest.mark.parametrize(("model", "name"), NUMBERS, ids=lambda v: getattr(v, "__name__", v))
def test_no_number_may_be_infinite_or_none(model, name, value):
    # JSON has no such numbers: a model file that holds one could not be read back.
    with pytest.raises(ValidationError):
        model.model_validate(smallest(model) | {name: value})


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (ShiftCrop, {"name": "shift", "pad": 0.5001}),
        (ShiftCrop, {"name": "shift", "pad": -0.01}),
        (ResizedCrop, {"name": "resized", "smallest": 0}),
        (ResizedCrop, {"name": "resized", "smallest": 1.01}),
        (ResizedCrop, {"name": "resized", "ratio": 0.99}),
        (AdamSettings, {"name": "adam", "lr": 0}),
        (AdamSettings, {"name": "adam", "beta1": 1}),
        (AdamSettings, {"name": "sgd"}),
        (SgdSettings, {"name": "sgd", "momentum": 1}),
        (StepSchedule, {"name": "step", "every": 0}),
        (StepSchedule, {"name": "step", "every": 1, "factor": 1}),
        (NoCrop, {"name": "none", "pad": 0.1}),
    ],
    ids=lambda v: "" if isinstance(v, type) else str(v),
)
def test_out_of_range(model, values):
    with pytest.raises(ValidationError):
        model.model_validate(values)


def test_nesterov_needs_momentum():
    # torch refuses it too, but with a ValueError when the training is under way already.
    with pytest.raises(ValidationError, match="nesterov"):
        SgdSettings(name="sgd", momentum=0)
    assert SgdSettings(name="sgd", momentum=0, nesterov=False).momentum == 0
