"""Which pictures train, which are measured after each epoch, and which wait for the end."""

from collections.abc import Mapping, Sequence
from typing import Literal

from shortcut.card import CONTROL, LONGEST_CLASS
from shortcut.data.samples import Sample, Source
from shortcut.data.splits import carve_validation
from shortcut.errors import DataError, RecipeError
from shortcut.settings import Recipe

Parts = dict[str, Sequence[Sample]]
VAL_FRACTION = 0.1
"""Carved off the training pictures where the data has no val part and the recipe says nothing."""
VAL_BESIDE_TEST = 0.05
"""The same where a test part measures in the end: then val has only the epoch to choose, and
pictures are worth more in training. But never fewer than `ENOUGH_VAL` for it."""
ENOUGH_VAL = 200


def choose_parts(source: Source, recipe: Recipe) -> tuple[Parts, Literal["val", "test"]]:
    """Which samples train, which are measured each epoch (`val`), which wait for the end (`test`).

    Returns:
        The parts, and where `val` comes from: `test` if the recipe measures on the test part.

    Raises:
        DataError: there are no training pictures.
        RecipeError: `data.val_fraction` is set, but nothing is to be carved off.
    """
    given, fraction = source.parts, recipe.data.val_fraction
    train = given.get("train", given.get("all", ()))
    if not train:
        raise DataError(f"{source.root}: no train part; found {', '.join(given)}.")
    on_test = recipe.data.validation == "test" and "test" in given
    if fraction is not None and (on_test or "val" in given):
        part = "test" if on_test else "val"
        raise RecipeError(f"`data.val_fraction` has no effect: there is a {part} part to measure.")
    if on_test:
        return {"train": train, "val": given["test"]}, "test"
    parts: Parts = {"train": train, "val": given.get("val", ())}
    if "val" not in given:
        spare = "test" in given and len(train) * VAL_BESIDE_TEST >= ENOUGH_VAL
        usual = VAL_BESIDE_TEST if spare else VAL_FRACTION
        share = usual if fraction is None else fraction
        parts["train"], parts["val"] = carve_validation(train, fraction=share, seed=recipe.seed)
    if "test" in given:
        parts["test"] = given["test"]
    return parts, "val"


def match_classes(parts: Mapping[str, Sequence[Sample]]) -> tuple[str, ...]:
    """The class names of `train`, sorted; `val` must have the same.

    Raises:
        DataError: fewer than two classes, a class that stands in one part only, or a name that
        would move a terminal; the classes are named.
    """
    train = {sample.label for sample in parts["train"]}
    val = {sample.label for sample in parts["val"]}
    for name in train:  # a model file would refuse it, after an epoch
        if len(name) > LONGEST_CLASS or CONTROL.search(name):
            raise DataError(f"{name[:40]!a} cannot be the name of a class: rename its folder.")
    if len(train) < 2:
        found = f"only `{next(iter(train))}`" if train else "none"
        raise DataError(f"training needs pictures of at least two classes; found {found}.")
    for missing, where, other in ((train - val, "val", "train"), (val - train, "train", "val")):
        if missing:
            names = ", ".join(sorted(missing)[:5])
            raise DataError(f"class missing in {where}: {names} (in {other} it is there).")
    return tuple(sorted(train))
