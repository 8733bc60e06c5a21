"""What is left of a network's batch norms in its convolutions."""

from copy import deepcopy

import pytest
import torch
from tests.formats.networks import difference, shaken
from torch import nn

from shortcut.formats.folding import fold_norms
from shortcut.models import VARIANTS, create_model
from shortcut.models.resnet import BasicBlock, ResNet

SMALL = [name for name in VARIANTS if not name.endswith(("101", "152", "32x8d", "64x4d", "101_2"))]
"""Every kind of block; deeper ones have more of the same."""


@pytest.mark.parametrize("name", SMALL)
def test_the_function_stays_and_no_norm_does(name: str) -> None:
    torch.manual_seed(1)
    network = shaken(create_model(name, num_classes=3))
    folded = deepcopy(network)
    assert isinstance(folded, ResNet)
    fold_norms(folded)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    size = 128 if VARIANTS[name].sizes[0] > 64 else 64
    with torch.inference_mode():
        largest = max(1.0, float(network(torch.randn(2, 3, size, size)).abs().max()))
    assert difference(network, folded, size) <= 1e-4 * largest


def test_a_norm_that_looks_at_the_picture_stays() -> None:
    network = ResNet(BasicBlock, (1, 1, 1), 3, norm_layer=lambda width: nn.GroupNorm(4, width))
    before = deepcopy(network.eval())
    fold_norms(network)
    assert difference(before, network) == 0
