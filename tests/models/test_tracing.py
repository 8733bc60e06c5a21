"""Tracing: calls, shapes and work as counted by hand; memory as autograd holds it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision import models as reference
from torchvision.ops import FrozenBatchNorm2d

from shortcut.errors import ModelError
from shortcut.models import BasicBlock, ResNet, create_model, find_variant, list_models
from shortcut.models.tracing import Call, activation_bytes, ghost_of, trace

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
    activation_bytes(model, 32, 2, train=True)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_names_without_numbers_and_with_them_agree() -> None:
    def plain(call: Call) -> list[tuple[str, str, tuple[int, ...], int]]:
        return [(c.name, c.kind, c.output, c.multiply_adds) for c in call.finished()]

    assert plain(trace(create_model("resnet20"), 32)) == plain(trace(meta("resnet20", 1000), 32))


class Two(nn.Module):
    """Two layers whose memory can be counted by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(8, 4, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.relu(self.first(x)))


@pytest.mark.parametrize("batch", [1, 5])
def test_memory_counted_by_hand(batch: int) -> None:
    picture, first, second = 3 * 16 * 16, 8 * 16 * 16, 4 * 16 * 16
    # The second convolution keeps relu's output for its weights; relu's input is free by then, as
    # its slope is read from its output.
    kept = picture + first + second
    assert activation_bytes(Two(), 16, batch, train=True) == 4 * batch * kept
    # The batch belongs to the caller and stays; at relu two maps of 8 channels are alive.
    assert activation_bytes(Two(), 16, batch, train=False) == 4 * batch * (picture + 2 * first)


def held(model: nn.Module, images: Tensor) -> int:
    """What autograd really holds after a forward pass on the CPU, each memory once."""
    own = {value.untyped_storage().data_ptr() for value in model.state_dict().values()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(images)
    return sum(kept.values())


@pytest.mark.parametrize("make", [lambda: meta("resnet20"), lambda: meta("resnet18")])
def test_memory_of_training_is_near_what_autograd_saves(make: Callable[[], ResNet]) -> None:
    model = make().to_empty(device="cpu").train()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.01)
    images = torch.randn(4, 3, 64, 64)
    found = activation_bytes(model, 64, 4, train=True)
    saved = held(model, images)
    assert saved <= found <= 1.01 * saved  # ours counts the output too


def test_memory_grows_with_the_batch() -> None:
    model = meta("resnet18")
    one, four = (activation_bytes(model, 64, batch, train=False) for batch in (1, 4))
    assert four == pytest.approx(4 * one, rel=0.01)  # some hundred bytes of norms do not grow


def test_a_size_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ModelError, match="does not take RGB pictures of 32 pixels") as caught:
        trace(meta("resnet34_tutorial"), 32)
    assert "\n" not in str(caught.value)


def test_one_picture_is_too_few_to_learn_from() -> None:
    with pytest.raises(ModelError, match="training on 1 of 8 pixels is not possible"):
        activation_bytes(meta("resnet18"), 8, 1, train=True)
    assert activation_bytes(meta("resnet18"), 8, 2, train=True) > 0


def test_weights_that_are_shared_stay_so_and_no_number_is_copied() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)).requires_grad_(False)
    model[1].weight = model[0].weight
    ghost = ghost_of(model)
    assert ghost[1].weight is ghost[0].weight
    assert {parameter.device.type for parameter in ghost.parameters()} == {"meta"}
    assert not any(parameter.requires_grad for parameter in ghost.parameters())
    assert model[0].weight.device.type == "cpu"


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
