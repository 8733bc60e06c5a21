"""Tracing: calls, shapes and work as counted by hand; memory as autograd holds it."""

import pytest
import torch
from torch import Tensor, nn
from torchvision import models as reference
from torchvision.ops import FrozenBatchNorm2d

from shortcut.errors import ModelError
from shortcut.models import BasicBlock, ResNet, create_model, find_variant, list_models
from shortcut.models.tracing import Call, Watcher, trace

SMALL = ("resnet18", "resnet50", "resnext50_32x4d", "resnet20", "plain20", "resnet34_tutorial")


def meta(name: str, classes: int = 10) -> ResNet:
    with torch.device("meta"):
        return create_model(name, num_classes=classes)


def size_of(name: str) -> int:
    return 32 if name.endswith("20") else 224


def test_calls_of_a_block_in_their_order() -> None:
    whole = trace(meta("resnet18"), 224)
    stage = next(call for call in whole.calls if call.name == "layer2")
    first = stage.calls[0]
    assert [call.name.removeprefix("layer2.0.") for call in first.calls] == [
        *("conv1", "bn1", "relu", "conv2", "bn2", "downsample", "add", "relu")
    ]
    assert (first.input, first.output) == ((64, 56, 56), (128, 28, 28))
    assert [call.kind for call in first.calls][-2:] == ["Add", "ReLU"]


@pytest.mark.parametrize("name", SMALL)
def test_an_addition_a_block_and_none_in_plain_networks(name: str) -> None:
    calls = list(trace(meta(name), size_of(name)).finished())
    blocks = sum("Block" in call.kind or call.kind == "Bottleneck" for call in calls)
    additions = sum(call.kind == "Add" for call in calls)
    assert blocks > 0
    assert additions == (0 if name.startswith("plain") else blocks)


@pytest.mark.parametrize("name", list_models())
def test_work_is_what_a_hand_counts(name: str) -> None:
    """A convolution: kernel area x input channels of a group x outputs; a linear layer: in x
    out."""
    whole = trace(meta(name), find_variant(name).usual_size)
    by_hand = 0
    for call in whole.finished():
        if isinstance(call.module, nn.Conv2d):
            kernel = call.module.kernel_size[0] * call.module.kernel_size[1]
            channels, height, width = call.output
            inputs = call.input[0] // call.module.groups
            work = kernel * inputs * channels * height * width
        elif isinstance(call.module, nn.Linear):
            work = call.module.in_features * call.module.out_features
        else:
            continue
        assert call.multiply_adds == work, call.name
        by_hand += work
    assert whole.multiply_adds == by_hand


def test_the_network_is_left_alone() -> None:
    model = create_model("resnet20", num_classes=3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace(model, 32)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_names_without_numbers_and_with_them_agree() -> None:
    def plain(call: Call) -> list[tuple[str, str, tuple[int, ...], int]]:
        return [(c.name, c.kind, c.output, c.multiply_adds) for c in call.finished()]

    assert plain(trace(create_model("resnet20"), 32)) == plain(trace(meta("resnet20", 1000), 32))


def test_a_size_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ModelError, match="does not take RGB pictures of 32 pixels") as caught:
        trace(meta("resnet34_tutorial"), 32)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["densenet121", "vit_b_32", "regnet_x_400mf", "convnext_tiny"])
def test_any_network_is_traced(name: str) -> None:
    whole = trace(getattr(reference, name)(weights=None), 224)
    assert whole.output == (1000,)
    assert whole.multiply_adds > 1e8


def test_a_way_of_its_own_is_told_from_what_goes_on() -> None:
    calls = {call.name: call for call in trace(meta("resnet50"), 64).finished()}
    rewinding = {name for name, call in calls.items() if call.rewinds}
    assert rewinding == {f"layer{stage}.0.downsample" for stage in (1, 2, 3, 4)}


def test_a_bias_that_is_broadcast_is_no_shortcut() -> None:
    with torch.device("meta"):
        model = reference.resnet18(weights=None, norm_layer=FrozenBatchNorm2d)
    assert sum(call.kind == "Add" for call in trace(model, 64).finished()) == 8


def test_additions_by_number_are_no_shortcuts() -> None:
    class Shifted(ResNet):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + 1.0)

    with torch.device("meta"):
        model = Shifted(BasicBlock, (1, 1, 1, 1), 2)
    assert sum(call.kind == "Add" for call in trace(model, 64).finished()) == 4


def test_a_watcher_sees_what_is_done_and_what_came_of_it() -> None:
    class Last(Watcher):
        def see(self, operation: object, given: tuple[object, ...], result: Tensor) -> None:
            self.last = operation, len(given), result.shape

    with Last() as watcher:
        torch.ones(2, 3).mul(2)
    assert watcher.last == (torch.ops.aten.mul, 2, (2, 3))
