"""To torchvision: a plain state dict that its network of the same name loads, strictly."""

import io
from pathlib import Path

import torch

from shortcut.classifier import Classifier
from shortcut.disk import write_whole
from shortcut.errors import ModelError, ResourceError
from shortcut.models.tensorfiles import independent, write_tensors
from shortcut.models.variants import VARIANTS


def export_torchvision(classifier: Classifier, path: str | Path, *, force: bool = False) -> Path:
    """Write the weights for `torchvision.models.NAME(num_classes=N).load_state_dict(...)`.

    A state dict holds numbers only: class names and preprocessing stay behind.

    Args:
        classifier: one whose network and stem torchvision has.
        path: `.safetensors`, or `.pth` for a pickle; its folder is made if need be.
        force: replace an existing file.

    Returns:
        The path written.

    Raises:
        ModelError: torchvision lacks the network or its stem, or another ending is asked for.
        ResourceError: the file exists, or it cannot be written.
    """
    path = Path(path)
    _check_network(classifier)
    if path.suffix not in (".safetensors", ".pth"):
        raise ModelError(
            f"`{path}`: the name must end in .safetensors, or in .pth for a pickle of torch."
        )
    if path.exists() and not force:
        raise ResourceError(f"`{path}` exists. Name another file, or replace it with `--force`.")
    tensors = independent(classifier.model.state_dict())
    if path.suffix == ".safetensors":
        write_tensors(path, tensors, {"format": "pt"})  # the key by which others know the framework
        return path
    content = io.BytesIO()
    torch.save(tensors, content)
    write_whole(path, content.getvalue())
    return path


def _check_network(classifier: Classifier) -> None:
    from torchvision import models  # slow to import

    known = set(models.list_models(module=models))
    if classifier.network not in known:
        having = ", ".join(name for name in VARIANTS if name in known)
        raise ModelError(f"torchvision has no `{classifier.network}`. It has: {having}.")
    if classifier.stem != "standard":
        raise ModelError(
            f"torchvision has `{classifier.network}` with the standard stem only, and this one has "
            f"the {classifier.stem} stem for small pictures."
        )
