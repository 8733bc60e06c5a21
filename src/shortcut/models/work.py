"""How much a network has to compute, counted from the shapes of its layers: instant, where
`tracing.py` watches every operation and takes seconds to load."""

import torch
from torch import Tensor, nn

from shortcut.models.ghosts import ghost_of


def multiply_adds(model: nn.Module, image_size: int) -> int:
    """Multiply-adds of convolutions and linear layers for one square picture of `image_size`
    pixels, forward; training takes about three times as many."""
    counted = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        weight = layer.get_parameter("weight")
        places = output[0].numel() // len(weight)  # every output channel, everywhere
        counted += weight.numel() * places

    ghost = ghost_of(model).eval()
    for layer in ghost.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.forward = nn.Identity().forward  # on `meta` torch would load its compiler for it
    ghost(torch.empty(1, 3, image_size, image_size, device="meta"))
    return counted
