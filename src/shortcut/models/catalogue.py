"""What is known of each network: size, work, and the accuracy that its published weights reach."""

from dataclasses import dataclass

from shortcut.models.ghosts import shapes_only
from shortcut.models.variants import VARIANTS, create_model, find_variant
from shortcut.models.work import multiply_adds

_REFERENCES = "https://github.com/pytorch/vision/tree/main/references/classification"
_RECIPE = "https://github.com/pytorch/vision/issues/3995"
PUBLISHED: dict[str, tuple[float, float | None, str]] = {
    "resnet18": (69.758, None, f"{_REFERENCES}#resnet"),
    "resnet34": (73.314, None, f"{_REFERENCES}#resnet"),
    "resnet50": (76.13, 80.858, f"{_RECIPE}#issuecomment-1013906621"),
    "resnet101": (77.374, 81.886, f"{_RECIPE}#new-recipe"),
    "resnet152": (78.312, 82.284, f"{_RECIPE}#new-recipe"),
    "resnext50_32x4d": (77.618, 81.198, f"{_RECIPE}#new-recipe"),
    "resnext101_32x8d": (79.312, 82.834, f"{_RECIPE}#new-recipe-with-fixres"),
    "resnext101_64x4d": (83.246, None, "https://github.com/pytorch/vision/pull/5935"),
    "wide_resnet50_2": (78.468, 81.602, f"{_RECIPE}#new-recipe-with-fixres"),
    "wide_resnet101_2": (78.848, 82.51, f"{_RECIPE}#new-recipe"),
}
"""What torchvision states of its first and second weights, and where it tells how the newest came
to be. Written down here because asking it takes the 5 seconds of its import; a test asks."""


@dataclass(frozen=True)
class Entry:
    """One network as `shortcut models` lists it."""

    name: str
    block: str
    layers: tuple[int, ...]
    stem: str
    parameters: int
    """With its usual number of classes."""
    image_size: int
    """Usual side of its pictures in pixels."""
    classes: int
    """Usual number of classes: 1000, and 10 for small pictures."""
    multiply_adds: int
    """For one picture of the usual size."""
    top1_v1: float | None
    """ImageNet top-1 accuracy in per cent of torchvision's first weights, one centre crop."""
    top1_v2: float | None
    """Of its second weights, trained by a newer recipe."""
    source: str | None
    """Where torchvision describes how those weights came to be."""
    year: int | None
    paper: str


def describe_models(names: list[str] | None = None) -> list[Entry]:
    """An entry for each of `names`, or for every network in the order of the table.

    Raises:
        ModelError: for an unknown name.
    """
    return [_describe(name) for name in names or list(VARIANTS)]


def _describe(name: str) -> Entry:
    variant = find_variant(name)
    size, classes = variant.usual_size, variant.usual_classes
    with shapes_only():
        model = create_model(name, num_classes=classes)
    first, second, source = PUBLISHED.get(name, (None, None, None))
    return Entry(
        name=name,
        block=variant.block.__name__,
        layers=variant.layers,
        stem=variant.stem or "by picture size",
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        image_size=size,
        classes=classes,
        multiply_adds=multiply_adds(model, size),
        top1_v1=first,
        top1_v2=second,
        source=source,
        year=variant.year,
        paper=variant.paper,
    )
