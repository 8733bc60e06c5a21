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
from shortcut.formats.eightbit import CONVOLUTIONS, _in_eight_bits
from shortcut.formats.folding import fold_norms
from shortcut.formats.graph import Graph, traced
from shortcut.formats.onnx import converted as as_onnx
from shortcut.formats.openvino import converted as as_openvino
from shortcut.formats.quiet import quietly
from shortcut.formats.rounding import LARGEST, LARGEST_FIRST, round_weights
from shortcut.models import create_model
from shortcut.models.resnet import BasicBlock, Bottleneck, ResNet
from shortcut.runtime.engine import IMAGES

NETWORKS = ["resnet18", "resnet20", "grouped"]


def smooth(count: int, side: int, seed: int) -> Tensor:
    """(N, 3, S, S): as in photos, pixels beside each other are alike, and none is dark."""
    source = torch.Generator().manual_seed(seed)
    few = torch.rand(count, 3, 5, 5, generator=source) * 3
    return nn.functional.interpolate(few, (side, side), mode="bicubic")


def folded(name: str) -> ResNet:
    """`grouped`: a small ResNeXt, one of whose filters is tiny."""
    torch.manual_seed(1)
    grouped = ResNet(Bottleneck, (1, 1, 1), 10, groups=4, width_per_group=16)
    network = shaken(grouped if name == "grouped" else create_model(name, num_classes=10))
    assert isinstance(network, ResNet)
    fold_norms(network)
    with torch.no_grad():
        network.conv1.weight[3] *= 1e-4
        convolutions(network)[2].weight[1] *= 1e-4
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
    round_weights(network, smooth(3, 64, 0).split(1))
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


@pytest.mark.parametrize("name", ["resnet20", "grouped"])
def test_what_a_layer_says_stays_in_the_mean(name: str) -> None:
    """Also at edges, where padding is."""
    network = folded(name)
    views = smooth(8, 64, 2)
    before = said(network, views)
    rounded = deepcopy(network)
    round_weights(rounded, views.split(1))
    # One layer after the other: behind a rounded one others see something else.
    for place in range(1, len(before)):
        alone = deepcopy(network)
        layer, after = convolutions(alone)[place], convolutions(rounded)[place]
        layer.weight = after.weight
        nearest = said(alone, views)[place] - before[place]
        layer.bias = after.bias
        moved = (said(alone, views)[place] - before[place]).mean((0, 2, 3)).abs().max()
        assert float(moved) < 1e-2 * float(nearest.mean((0, 2, 3)).abs().max())


@pytest.mark.parametrize("name", NETWORKS)
def test_errors_of_the_first_layer_cancel(name: str) -> None:
    """On pictures that it was not rounded for, and where all is of one colour; NNCF has moved the
    largest of each filter by half a step."""
    network = folded(name)
    layer = network.conv1
    before = layer.weight.detach()
    high = before.abs().amax((1, 2, 3), keepdim=True)
    grid = high.clamp(min=0.01 * float(high.max())) / LARGEST_FIRST
    nearest = (before / grid).round() * grid
    round_weights(network, smooth(30, 64, 3).split(1))
    carried = network.conv1.weight.detach()
    half = (before.abs() == high) * before.sign() * grid / 2
    for views in (smooth(20, 64, 4), torch.ones(1, 3, 64, 64) * 2):
        by_nearest, up, down = (
            torch.conv2d(views, found - before, None, layer.stride).square().mean().sqrt()
            for found in (nearest, carried + half, carried - half)
        )
        assert max(float(up), float(down)) < 0.5 * float(by_nearest)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_pictures_of_one_colour(level: float) -> None:
    """From which nothing is learnt of what goes together."""
    network = folded("resnet20")
    round_weights(network, torch.full((3, 3, 32, 32), level).split(1))
    assert all(bool(tensor.isfinite().all()) for tensor in network.parameters())


def test_without_pictures() -> None:
    with pytest.raises(ValueError, match="there are none"):
        round_weights(folded("resnet20"), [])


def test_one_picture_at_a_time_or_several() -> None:
    views = smooth(6, 32, 7)
    found = [folded("resnet20") for _ in range(2)]
    for network, size in zip(found, (1, 4), strict=True):
        round_weights(network, views.split(size))
    for one, other in zip(*(network.parameters() for network in found), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_tensors_of_others_stay() -> None:
    """What was converted before shares them."""
    network = folded("resnet20")
    kept = dict(network.named_parameters())
    before = deepcopy(kept)
    round_weights(network, smooth(2, 32, 5).split(1))
    for name, tensor in kept.items():
        assert torch.equal(tensor, before[name])
    assert not torch.equal(network.conv1.weight, kept["conv1.weight"])


def test_filters_of_zeros_and_layers_without_bias() -> None:
    network = ResNet(BasicBlock, (1, 1, 1), 3, norm_layer=lambda width: nn.GroupNorm(4, width))
    nn.init.zeros_(network.conv1.weight[:3])
    nn.init.zeros_(convolutions(network)[2].weight)
    round_weights(network.eval(), smooth(2, 96, 6).split(1))
    assert not network.conv1.weight[:3].any() and not convolutions(network)[2].weight.any()
    assert all(bool(tensor.isfinite().all()) for tensor in network.parameters())


Layers = list[tuple[np.ndarray, np.ndarray]]
"""Weights (O, n) and biases (O,)."""


def openvino_layers(model: Any) -> Layers:
    import openvino

    shown: Any = []
    for one in model.get_ordered_ops():
        if one.get_type_name() in CONVOLUTIONS:
            (adding,) = one.output(0).get_target_inputs()
            shown += [one.input_value(1), adding.get_node().input_value(1)]
    alone = openvino.Model(shown, [])
    run = openvino.compile_model(alone, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([])
    values = [np.array(run[place]) for place in range(len(shown))]
    pairs = zip(values[::2], values[1::2], strict=True)
    return [(one.reshape(-1, int(np.prod(one.shape[-3:]))), bias.ravel()) for one, bias in pairs]


def onnx_layers(model: Any) -> Layers:
    from onnx import numpy_helper

    held = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    made_by = {name: node for node in model.graph.node for name in node.output}
    found: Layers = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            rounded, scale, _ = made_by[node.input[1]].input
            weights = held[rounded] * held[scale].reshape(-1, 1, 1, 1)
            found.append((weights.reshape(len(weights), -1), held[node.input[2]]))
    return found


@pytest.mark.parametrize("name", ["resnet20", "grouped"])
@pytest.mark.parametrize(
    ("written", "layers"),
    [(as_openvino, openvino_layers), (as_onnx, onnx_layers)],
    ids=["openvino", "onnx"],
)
def test_nncf_changes_none(
    written: Callable[[Any, Any], Any], layers: Callable[[Any], Layers], name: str
) -> None:
    """But the largest of each filter of the first layer."""
    classifier = made("resnet20", outputs=10)
    classifier.model, classifier.preprocess = folded(name), Preprocess(64, 72)
    graph = Graph(classifier)
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    round_weights(graph.network, graph.views(torch.from_numpy(images)).split(1))
    wanted: Layers = []
    for layer in convolutions(graph.network):
        assert layer.bias is not None
        wanted.append((layer.weight.detach().flatten(1).numpy(), layer.bias.detach().numpy()))
    with quietly():
        model = written(traced(graph, 64), graph.outputs)
        given = [{IMAGES: image[np.newaxis]} for image in images]
        found = layers(_in_eight_bits(model, given, 0))
    assert len(found) == len(wanted)
    weights, bias = wanted.pop(0)
    step = np.abs(weights).max(1, keepdims=True)
    step = step.clip(0.01 * step.max()) / LARGEST_FIRST
    apart = np.sort(np.abs(found[0][0] - weights) / step, axis=1)
    assert apart.max() < 0.51
    assert (apart[:, :-1] < 1e-3).all()
    np.testing.assert_allclose(found[0][1], bias, atol=1e-6)
    for one in found[1:]:  # what runs beside each other has no order of its own
        same = [place for place, other in enumerate(wanted) if _are_alike(one, other)]
        assert len(same) == 1
        wanted.pop(same[0])


def _are_alike(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(
        mine.shape == theirs.shape and np.allclose(mine, theirs, atol=1e-6)
        for mine, theirs in zip(one, other, strict=True)
    )
