"""What is known of each network: size, work, and the accuracy that its published weights reach."""

from dataclasses import dataclass

from shortcut.models.ghosts import shapes_only
from shortcut.models.variants import VARIANTS, create_model, find_variant
from shortcut.models.work import multiply_adds


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
    first, second, source = _published(name)
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


def _published(name: str) -> tuple[float | None, float | None, str | None]:
    """Accuracies of torchvision's weights, as it states them itself, and where it tells of them."""
    from torchvision import models  # slow to import, and not needed to build a network

    if name not in models.list_models(module=models):
        return None, None, None
    found: dict[str, float] = {}
    source = None
    for weights in models.get_model_weights(name):
        found[weights.name] = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        source = weights.meta["recipe"]
    return found.get("IMAGENET1K_V1"), found.get("IMAGENET1K_V2"), source
