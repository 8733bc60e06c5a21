"""The answer about one picture by torchvision's or timm's network, as tutorials ask it:
torchvision|timm NETWORK WEIGHTS SIZE RESIZE FILE. What asks about more than one imports the two
functions."""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn


def transforms(size: int, resize: int) -> Callable[[Path], Tensor]:
    """From a file to (3, size, size) float32, as tutorials have it."""
    from torchvision import transforms as t

    chain = t.Compose(
        [
            t.Resize(resize),
            t.CenterCrop(size),
            t.ToTensor(),
            t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )

    def load(path: Path) -> Tensor:
        with Image.open(path) as image:
            return chain(image.convert("RGB"))

    return load


def load_network(library: str, name: str, weights: Path) -> nn.Module:
    """A network of torchvision or timm with these weights."""
    from safetensors.torch import load_file

    state = load_file(weights)
    classes = len(state["fc.bias"])
    if library == "timm":
        import timm

        network = timm.create_model(name, num_classes=classes)
    else:
        from torchvision import models

        network = models.get_model(name, num_classes=classes)
    network.load_state_dict(state)
    return network.eval()


if __name__ == "__main__":
    library, name, weights, size, resize, file = sys.argv[1:]
    network = load_network(library, name, Path(weights))
    images = transforms(int(size), int(resize))(Path(file))[None]
    with torch.inference_mode():
        print(network(images).softmax(1).argmax(1).item())
