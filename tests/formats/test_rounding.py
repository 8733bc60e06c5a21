"""Weights that eight bits hold: what layers say stays where it was, and NNCF changes none."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from tests.formats.networks import made, shaken
from torch import Tensor, nn

from shortcut.data.preprocess import Preprocess
from shortcut.formats.eightbit import _in_eight_bits
from shortcut.formats.folding import fold_norms
from shortcut.formats.graph import Graph, traced
from shortcut.formats.onnx import converted as as_onnx
from shortcut.formats.openvino import converted as as_openvino
from shortcut.formats.quiet import quietly
from shortcut.formats.rounding import LARGEST, LARGEST_FIRST, round_weights
from shortcut.models import create_model
from shortcut.models.resnet import BasicBlock, ResNet
from shortcut.runtime.engine import IMAGES

NETWORKS = ["resnet18", "resnext50_32x4d", "resnet20"]


def smooth(count: int, side: int, seed: int) -> Tensor:
    """(N, 3, S, S): as in photos, pixels beside each other are alike, and none is dark."""
    source = torch.Generator().manual_seed(seed)
    few = torch.rand(count, 3, 5, 5, generator=source) * 3
    return nn.functional.interpolate(few, (side, side), mode="bicubic")


def folded(name: str) -> ResNet:
    torch.manual_seed(1)
    network = shaken(create_model(name, num_classes=3))
    assert isinstance(network, ResNet)
    fold_norms(network)
    return network


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]


def said(network: ResNet, views: Tensor) -> list[Tensor]:
    """What each convolution gives, (N, O, H, W), if all before it are as they are here."""
    found: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda *given: found.append(given[2].detach().clone()))
        for layer in convolutions(network)
    ]
    with torch.inference_mode():
        network.features(views)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_whole_numbers_of_steps(name: str) -> None:
    """Of as many as NNCF will count from the largest, which therefore stays."""
    network = folded(name)
    before = [layer.weight.detach().flatten(1).double() for layer in convolutions(network)]
    round_weights(network, [smooth(2, 64, 0), smooth(1, 64, 1)])
    for place, (layer, weights) in enumerate(zip(convolutions(network), before, strict=True)):
        high = weights.abs().amax(1, keepdim=True)
        grid = high.clamp(min=0.01 * float(high.max())) / (LARGEST if place else LARGEST_FIRST)
        found = layer.weight.detach().flatten(1).double()
        largest = weights.abs() == high
        torch.testing.assert_close(found[largest], weights[largest], atol=float(grid.max()), rtol=0)
        steps = found / grid
        off = (steps - steps.round()).abs() > 1e-3
        assert not (off & ~largest if place == 0 else off).any()
        kept = high >= 0.01 * float(high.max())
        torch.testing.assert_close(
            found.abs().amax(1)[kept[:, 0]], high[kept].double(), atol=0, rtol=1e-6
        )


def test_what_a_layer_says_stays_in_the_mean() -> None:
    """Also at edges, where padding is."""
    network = folded("resnet20")
    views = smooth(8, 32, 2)
    before = said(network, views)
    # One layer after the other: behind a rounded one others see something else.
    for place in range(1, len(before)):
        rounded = deepcopy(network)
        round_weights(rounded, [views[:3], views[3:]])
        alone = deepcopy(network)
        layer, after = convolutions(alone)[place], convolutions(rounded)[place]
        layer.weight = after.weight
        nearest = said(alone, views)[place] - before[place]
        layer.bias = after.bias
        moved = (said(alone, views)[place] - before[place]).mean((0, 2, 3)).abs().max()
        assert float(moved) < 1e-2 * float(nearest.mean((0, 2, 3)).abs().max())


@pytest.mark.parametrize("name", ["resnet18", "resnet20"])
def test_errors_of_the_first_layer_cancel(name: str) -> None:
    """On pictures that it was not rounded for, and where all is of one colour."""
    network = folded(name)
    layer = convolutions(network)[0]
    before = layer.weight.detach()
    weights = before.flatten(1)
    grid = weights.abs().amax(1, keepdim=True) / LARGEST_FIRST
    nearest = ((weights / grid).round() * grid).view_as(before)
    rounded = deepcopy(network)
    round_weights(rounded, [smooth(30, 64, 3)])
    carried = convolutions(rounded)[0].weight.detach()
    for views in (smooth(20, 64, 4), torch.ones(1, 3, 64, 64) * 2):
        by_nearest, by_carrying = (
            torch.conv2d(views, found - before, None, layer.stride).square().mean().sqrt()
            for found in (nearest, carried)
        )
        assert float(by_carrying) < 0.5 * float(by_nearest)


def test_tensors_of_others_stay() -> None:
    """What was converted before shares them."""
    network = folded("resnet20")
    kept = dict(network.named_parameters())
    before = deepcopy(kept)
    round_weights(network, [smooth(2, 32, 5)])
    for name, tensor in kept.items():
        assert torch.equal(tensor, before[name])
    assert not torch.equal(network.conv1.weight, kept["conv1.weight"])


def test_filters_of_zeros_and_layers_without_bias() -> None:
    network = ResNet(BasicBlock, (1, 1, 1), 3, norm_layer=lambda width: nn.GroupNorm(4, width))
    nn.init.zeros_(network.conv1.weight[:3])
    nn.init.zeros_(convolutions(network)[2].weight)
    round_weights(network.eval(), [smooth(2, 96, 6)])
    assert not network.conv1.weight[:3].any() and not convolutions(network)[2].weight.any()
    assert all(bool(tensor.isfinite().all()) for tensor in network.parameters())


def openvino_weights(model: Any) -> list[np.ndarray]:
    """Of each convolution, in their order, as float32."""
    import openvino

    shown: Any = [
        one.input_value(1)
        for one in model.get_ordered_ops()
        if one.get_type_name() == "Convolution"
    ]
    alone = openvino.Model(shown, [])
    run = openvino.compile_model(alone, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [np.array(run([])[place]) for place in range(len(shown))]


def onnx_weights(model: Any) -> list[np.ndarray]:
    """As `openvino_weights`."""
    from onnx import numpy_helper

    held = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    made_by = {name: node for node in model.graph.node for name in node.output}
    found: list[np.ndarray] = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            rounded, scale, _ = made_by[node.input[1]].input
            found.append(held[rounded] * held[scale].reshape(-1, 1, 1, 1))
    return found


@pytest.mark.parametrize(
    ("written", "weights"),
    [(as_openvino, openvino_weights), (as_onnx, onnx_weights)],
    ids=["openvino", "onnx"],
)
def test_nncf_changes_none(
    written: Callable[[Any, Any], Any], weights: Callable[[Any], list[np.ndarray]]
) -> None:
    """But the largest of each filter of the first layer."""
    classifier = made("resnet20", outputs=10)
    classifier.preprocess = Preprocess(32, 36)
    graph = Graph(classifier)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    round_weights(graph.network, [graph.views(torch.from_numpy(images))])
    wanted = [layer.weight.detach().flatten(1).numpy() for layer in convolutions(graph.network)]
    with quietly():
        model = written(traced(graph, 32), graph.outputs)
        given = [{IMAGES: image[np.newaxis]} for image in images]
        found = [one.reshape(len(one), -1) for one in weights(_in_eight_bits(model, given, 0))]
    # What runs beside each other has no order of its own.
    assert sorted(map(np.shape, found)) == sorted(map(np.shape, wanted))
    first, *others = found
    for one in others:
        assert any(one.shape == other.shape and np.allclose(one, other) for other in wanted[1:])
    step = np.abs(wanted[0]).max(1, keepdims=True) / LARGEST_FIRST
    apart = np.abs(first - wanted[0]) / step
    assert apart.max() < 0.51
    assert (np.sort(apart, axis=1)[:, :-1] < 1e-3).all()
