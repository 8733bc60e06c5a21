"""From a torchvision or timm ResNet state dict to a classifier: what the file lacks is added."""

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from shortcut.card import HEADER
from shortcut.classifier import Classifier
from shortcut.data.preprocess import Preprocess
from shortcut.errors import ModelError, RecipeError
from shortcut.models.foreign import (
    count_outputs,
    read_foreign,
    read_outline,
    recognise,
    recognise_shapes,
)
from shortcut.models.variants import choose_stem, find_variant
from shortcut.models.weights import filled_model

IMAGENET_OUTPUTS = 1000
IMAGENET_SIZES = (224, 256)
"""Image size and short side before the cut, as in torchvision's first ImageNet weights."""
MOST_OUTPUTS = 100_000
"""The only size that is the file's own to say, and so many names a model file can hold."""
LARGEST_RESIZE = 8192


def import_weights(
    path: str | Path,
    *,
    model: str | None = None,
    classes: Sequence[str] | None = None,
    image_size: int = 224,
    resize: int | None = None,
) -> Classifier:
    """Read a ResNet state dict of torchvision or timm: a pickle of `torch.save`, or safetensors.

    Pickles are opened in a process of their own that takes tensors only; nothing in them is run.
    The network is found by names and shapes. What has no weights leaves no trace there: dilation,
    anti-aliasing and the place of a stride must be as in torchvision (see `models/foreign.py`).
    Numbers become float32. Pictures are normalised as for ImageNet.

    Args:
        path: the file; what its name ends in does not matter.
        model: a name from `list_models()`, needed where several networks fit.
        classes: names in the order of the outputs. None: ImageNet's for 1000 outputs, else
            `class 0`, `class 1`, ...
        image_size: side in pixels of the square that the network sees.
        resize: short side in pixels before the middle square is cut out; None: 256 for 224, else
            image_size x 8 / 7.

    Raises:
        ModelError: the file cannot be read or is refused; no network fits, or several do; class
            names that do not fit its outputs, or a size its network does not take.
        RecipeError: `resize` is below `image_size` or above 8192.
    """
    path = Path(path)
    preprocess = _preprocess(image_size, resize)
    if model is not None:
        find_variant(model)  # before a large file is opened
    shapes, metadata = read_outline(path)
    if HEADER in metadata:
        raise ModelError(f"`{path}` is a shortcut model already: use it as it is.")
    try:
        if shapes:  # known before memory is taken for numbers
            recognise_shapes(shapes, model)
            _check_outputs(count_outputs(shapes))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    weights = read_foreign(path)
    try:
        network, stem = recognise(weights, model)
        choose_stem(network, image_size)
        names = _class_names(weights.outputs, classes)
        filled = filled_model(network, weights.tensors, num_classes=len(names), stem=stem)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    origin: dict[str, float | int | str] = {"imported_from": _printable(path.name)}
    if weights.under:
        origin["imported_entry"] = weights.under
    return Classifier(
        model=filled,
        network=network,
        stem=stem,
        classes=names,
        preprocess=preprocess,
        metrics=origin,
        version=importlib.metadata.version("shortcut"),
    )


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()  # a file may be named by any bytes


def _check_outputs(outputs: int) -> None:
    if outputs < 2:
        raise ModelError(f"the network has {outputs} output; a classifier tells two or more apart.")
    if outputs > MOST_OUTPUTS:
        raise ModelError(
            f"the network has {outputs:,} outputs; at most {MOST_OUTPUTS:,} are taken."
        )


def _class_names(outputs: int, given: Sequence[str] | None) -> tuple[str, ...]:
    _check_outputs(outputs)
    if given is not None:
        if len(given) != outputs:
            raise ModelError(
                f"{len(given):,} class names were given, and the network has {outputs:,} outputs."
            )
        for name in given:
            if not name.strip() or any("\ud800" <= letter <= "\udfff" for letter in name):
                raise ModelError(f"{name!r} is no class name: it must be text that can be read.")
        name, times = Counter(given).most_common(1)[0]
        if times > 1:
            raise ModelError(f"{times} classes have the same name, `{name}`.")
        return tuple(given)
    if outputs == IMAGENET_OUTPUTS:
        from torchvision.models import ResNet18_Weights  # slow to import

        return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
    return tuple(f"class {number}" for number in range(outputs))


def _preprocess(image_size: int, resize: int | None) -> Preprocess:
    usual, before = IMAGENET_SIZES
    like = before if image_size == usual else round(image_size * 8 / 7)
    side = like if resize is None else resize
    if not image_size <= side <= LARGEST_RESIZE:
        raise RecipeError(
            f"`resize` (={side}) must be from `image_size` (={image_size}) to {LARGEST_RESIZE}."
        )
    return Preprocess(image_size, side)
