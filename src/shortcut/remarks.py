"""What a person is told of the data and the recipe before a training begins."""

from shortcut.data.samples import Source
from shortcut.parts import Parts
from shortcut.settings import Recipe
from shortcut.world import World

FEW_STEPS = 300
"""From random weights a network has hardly begun to learn by then."""


def describe_data(source: Source, parts: Parts, world: World) -> str:
    """Classes, how they were found, pictures of each part, and the device, in one line."""
    counts = ", ".join(f"{part} {len(samples):,}" for part, samples in parts.items())
    classes = len(source.classes)
    return (
        f"{source.name}: {classes} classes by {source.kind}; {counts} pictures; {world.describe()}"
    )


def remark(
    source: Source, parts: Parts, recipe: Recipe, measured_on: str, *, planned: bool
) -> list[str]:
    """What may surprise: where accuracy is measured, and how short the training is.

    Args:
        planned: the epochs are not those of `recipe`.
    """
    remarks: list[str] = []
    if measured_on == "test":
        remarks.append("accuracy is measured on the test part, which also chooses the best epoch")
        if "val" in source.parts:
            remarks.append("the val part is not used")
    elif recipe.data.validation == "test":
        remarks.append("there is no test part: accuracy is measured on val")
    steps = recipe.steps(len(parts["train"]))
    if steps < FEW_STEPS and recipe.model.weights == "none" and not planned:
        remarks.append(
            f"only {steps} step{'s' * (steps > 1)} in all: should accuracy stay low, more epochs "
            "or smaller batches help; `--budget 5m` plans both"
        )
    return remarks
