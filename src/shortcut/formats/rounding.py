"""Weights on the grid of eight bits before NNCF puts them there: rounded each to the nearest, their
errors add up over what all pictures have in common."""

from collections.abc import Iterable
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shortcut.models.resnet import ResNet

LARGEST = 127
"""Whole number of a filter's largest weight, as NNCF counts eight bits with a sign."""
LARGEST_FIRST = 63.5
"""In the first convolution: NNCF spares a bit there, for processors without VNNI, where sums of two
products overflow. It puts the largest itself on 63 or 64."""
SMALLEST = (0.01, 8e-5)
"""A filter's grid is at least that of one whose largest weight is this part of the layer's, and
this: NNCF's `fix_zero_filters_symmetric`."""
DAMPING = 1e-3
"""Part of the mean square of a pixel that is added to each, so that the moment can be inverted. Of
three networks any from 1e-1 to 1e-4 did alike."""


@torch.no_grad()
def round_weights(network: ResNet, views: Iterable[Tensor]) -> None:
    """Give a network's convolutions weights that eight bits hold, and biases to go with them.

    Tensors that others hold, too, stay as they are. In the first convolution each weight's error is
    taken up by the weights still to come, as far as pixels beside each other are alike (GPTQ,
    arXiv:2210.17323, section 4): over one bright colour 147 errors would else add up, which alone
    moved probabilities of a ResNet-50 by 0.0045 in the mean, a ResNet-18's by 0.0034, now 0.0022
    and 0.0007. The largest of each filter has to stay, and is half a step off once NNCF has rounded
    it; were it not, 0.0012 and 0.0005 would be left. In all others weights go to the nearest, and
    the bias takes what that changes in the mean (arXiv:1906.04721, section 4.2, from data as in its
    appendix D; means are those of the network before rounding). NNCF's own correction takes maps
    for flat, which is wrong at their edges, thus on small maps: with it a ResNet-18's probabilities
    moved by 0.010 in the mean, with none by 0.004, with this by 0.002.

    Args:
        network: in evaluation mode, its norms folded (`fold_norms`).
        views: (N, 3, S, S) float32 each, normalised, of the training; what a filter sees of N at a
            time is in memory at once.

    Raises:
        ValueError: there are none.
    """
    first = network.conv1
    others = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    others.remove(first)
    sums: dict[nn.Module, Tensor] = {}
    moment, seen = torch.zeros(()), 0

    def add(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sums[layer] = sums.get(layer, 0) + inputs[0].sum(0, dtype=torch.float64)

    with ExitStack() as hooks:
        for layer in others:
            hooks.callback(layer.register_forward_pre_hook(add).remove)
        for few in views:
            network.features(few)
            moment, seen = moment + _second_moment(first, few), seen + len(few)
    if not seen:
        raise ValueError("weights are rounded with pictures in view, and there are none")
    rounded = _carried(first.weight.flatten(1).double(), moment)
    first.weight = nn.Parameter(rounded.view_as(first.weight).float())
    for layer in others:
        _round_keeping_mean(layer, (sums[layer] / seen).float())


def _grid(weights: Tensor, largest: float) -> Tensor:
    """(O, n) -> (O, 1): what one step is worth in each filter."""
    high = weights.abs().amax(1, keepdim=True)
    part, least = SMALLEST
    return high.clamp(min=max(part * float(high.max()), least)) / largest


def _second_moment(layer: nn.Conv2d, views: Tensor) -> Tensor:
    """(N, I, H, W) -> (n, n) float64: products of any two of the n numbers that one filter sees,
    summed over places and pictures."""
    assert not isinstance(layer.padding, str)
    unfolded = F.unfold(views, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    patches = unfolded.transpose(0, 1).flatten(1).double()
    return patches @ patches.T


def _carried(weights: Tensor, moment: Tensor) -> Tensor:
    """(O, n) weights on the grid whose errors cancel where numbers go together.

    The largest of each filter stays, because NNCF takes the grid from it.
    """
    grid, most = _grid(weights, LARGEST_FIRST)[:, 0], int(LARGEST_FIRST)
    stays = weights.abs() == weights.abs().amax(1, keepdim=True)
    order = moment.diagonal().argsort(descending=True)
    damping = (DAMPING * moment.diagonal().mean()).clamp(min=1e-6)
    moment = moment[order][:, order] + damping * torch.eye(len(moment), dtype=moment.dtype)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moment))
    shares = torch.linalg.cholesky(inverse, upper=True)
    original, left = weights[:, order], weights[:, order].clone()
    for place in range(len(order)):
        chosen = (left[:, place] / grid).round().clamp(-most, most) * grid
        chosen = torch.where(stays[:, order[place]], original[:, place], chosen)
        error = (left[:, place] - chosen) / shares[place, place]
        left[:, place:] -= error[:, None] * shares[place, place:]
        left[:, place] = chosen
    return left[:, order.argsort()]


def _round_keeping_mean(layer: nn.Conv2d, mean: Tensor) -> None:
    """`mean`: (I, H, W), of what the layer is given."""
    weights = layer.weight.flatten(1)
    grid = _grid(weights, LARGEST)
    rounded = ((weights / grid).round() * grid).view_as(layer.weight)
    lost = F.conv2d(
        mean[None],
        layer.weight - rounded,
        None,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
    ).mean((0, 2, 3))
    layer.weight = nn.Parameter(rounded)
    layer.bias = nn.Parameter(lost if layer.bias is None else layer.bias + lost)
