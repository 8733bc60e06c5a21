"""Memory of layers: by hand, and against what autograd really holds."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from shortcut.errors import ModelError
from shortcut.models import ResNet, create_model
from shortcut.models.memory import activation_bytes


def meta(name: str) -> ResNet:
    with torch.device("meta"):
        return create_model(name, num_classes=10)


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


def test_one_picture_is_too_few_to_learn_from() -> None:
    with pytest.raises(ModelError, match="training on 1 of 8 pixels is not possible"):
        activation_bytes(meta("resnet18"), 8, 1, train=True)
    assert activation_bytes(meta("resnet18"), 8, 2, train=True) > 0


def test_the_network_is_left_alone() -> None:
    model = create_model("resnet20", num_classes=3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    activation_bytes(model, 32, 2, train=True)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
