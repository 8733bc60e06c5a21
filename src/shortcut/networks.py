"""A network by its name, or out of a model file: what tables and diagrams are made of."""

from dataclasses import dataclass
from pathlib import Path

from shortcut.classifier import load
from shortcut.errors import RecipeError
from shortcut.models import VARIANTS, ResNet, choose_stem, create_model, find_variant
from shortcut.models.ghosts import shapes_only
from shortcut.models.resnet import StemName

MODEL_FILE = ".safetensors"


@dataclass(frozen=True)
class FoundNetwork:
    """A network and what it is to be looked at with."""

    name: str
    """Of its row in `list_models()`."""
    model: ResNet
    """From a file with its weights; by name with shapes only, on the meta device."""
    image_size: int
    """Side of its pictures in pixels."""
    file: str
    """Name of the file; empty for a network by name."""
    small_stem: bool
    """Its stem is the one for small pictures, where another would be usual."""


def find_network(
    named: str | Path, *, classes: int | None = None, image_size: int | None = None
) -> FoundNetwork:
    """The network that `named` means: a name from `list_models()`, or else a model file.

    Args:
        named: the name or the path.
        classes: size of the output of a network by name; None: 1000, or 10 for those made for
            pictures of 32 pixels.
        image_size: side of its pictures in pixels; None: the usual one of a name, the trained one
            of a file.

    Raises:
        ModelError: an unknown name, a file that is no model, less than one class, or a size that
            the network does not take.
        RecipeError: `classes` for a file, which has its own.
    """
    named = str(named)
    # A file by another name goes the same way: what it is tells more than that no network is
    # called so.
    if named.endswith(MODEL_FILE) or (named not in VARIANTS and Path(named).is_file()):
        if classes is not None:
            raise RecipeError(f"`classes` (={classes}) has no effect on {named}: it has its own.")
        classifier = load(named)
        size = classifier.preprocess.image_size if image_size is None else image_size
        choose_stem(classifier.network, size)
        small = _is_unusually_small(classifier.network, classifier.stem)
        return FoundNetwork(classifier.network, classifier.model, size, Path(named).name, small)
    variant = find_variant(named)
    size = variant.usual_size if image_size is None else image_size
    outputs = variant.usual_classes if classes is None else classes
    stem = choose_stem(named, size)
    with shapes_only():
        model = create_model(named, num_classes=outputs, stem=stem)
    return FoundNetwork(named, model, size, "", _is_unusually_small(named, stem))


def _is_unusually_small(name: str, stem: StemName) -> bool:
    return stem == "small" and find_variant(name).stem is None
