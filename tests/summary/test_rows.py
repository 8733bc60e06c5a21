"""Rows of a network: sums, frozen layers, and what one output really sees."""

import pytest
import torch
from torch import nn
from torchvision import models as reference

from shortcut.models import create_model, find_variant, list_models
from shortcut.summary import summarize
from shortcut.summary.rows import as_finished


def meta(name: str, classes: int = 10) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, num_classes=classes)


@pytest.mark.parametrize("name", list_models())
def test_sums_are_the_sums_of_the_layers(name: str) -> None:
    variant = find_variant(name)
    found = summarize(meta(name), variant.usual_size)
    containers = {row.name.rpartition(".")[0] for row in found.rows if row.name}
    layers = [row for row in found.rows if row.name not in containers]
    assert found.parameters == sum(row.parameters for row in layers)
    assert found.multiply_adds == sum(row.multiply_adds for row in layers)
    assert found.rows[0].parameters == found.parameters
    assert found.rows[0].multiply_adds == found.multiply_adds


def test_frozen_layers() -> None:
    model = create_model("resnet20", num_classes=3)
    for parameter in model.layer1.parameters():
        parameter.requires_grad_(False)
    found = summarize(model, 32)
    rows = {row.name: row for row in found.rows}
    assert rows["layer1.0.conv1"].frozen and rows["layer1"].frozen
    assert not rows["layer2"].frozen and not rows[""].frozen and not rows["relu"].frozen
    assert found.parameters - found.trainable == rows["layer1"].parameters > 0


def test_inner_rows_end_before_outer_ones() -> None:
    rows = summarize(meta("resnet20"), 32).rows
    ended = list(as_finished(rows))
    assert sorted(map(id, ended)) == sorted(map(id, rows))
    place = {row.name: i for i, row in enumerate(ended)}
    assert place["layer1.0.conv1"] < place["layer1.0"] < place["layer1"] < place[""]
    assert ended[-1].name == ""


def seen_by_one_output(model: nn.Module, until: str, size: int) -> int:
    """Side of the part of the picture that moves the middle output of the layer `until`."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
    picture = torch.ones(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    maps: list[torch.Tensor] = []
    layer = model.get_submodule(until)
    with torch.enable_grad():
        handle = layer.register_forward_hook(lambda module, inputs, output: maps.append(output))
        model.double().eval()(picture)
        handle.remove()
    middle = maps[0].shape[-1] // 2
    (slope,) = torch.autograd.grad(maps[0][0, 0, middle, middle], picture)
    rows = slope[0].abs().sum((0, 2)).nonzero().flatten()
    return int(rows[-1] - rows[0] + 1)


@pytest.mark.parametrize(
    ("name", "stage", "size"),
    [
        ("resnet20", "layer1", 64),
        ("resnet20", "layer2", 128),
        ("plain20", "layer3", 192),
        ("resnet18", "layer1", 128),
        ("resnet18", "layer2", 224),
        ("resnet50", "layer1", 128),
        ("resnet50", "layer2", 224),
        ("resnet18", "layer2.0.downsample.0", 128),
        ("resnet50", "layer1.0.downsample.1", 128),
        ("resnet20", "layer2.0.conv1", 64),
    ],
)
def test_receptive_field_is_what_a_gradient_reaches(name: str, stage: str, size: int) -> None:
    """Max-pooling passes its gradient to one pixel only, so it is an average here: same window."""
    model = create_model(name, num_classes=2)
    if isinstance(pool := model.get_submodule("maxpool"), nn.MaxPool2d):
        model.maxpool = nn.AvgPool2d(pool.kernel_size, pool.stride, int(pool.padding))
    told = {row.name: row.receptive_field for row in summarize(model, size).rows}[stage]
    assert seen_by_one_output(model, stage, size) == told


def test_receptive_fields_need_no_known_names() -> None:
    """RegNet calls its projections `proj` and runs them first; RegNet-X has windows of 1 and 3."""
    model = reference.regnet_x_400mf(weights=None)
    rows = {row.name: row.receptive_field for row in summarize(model, 224).rows}
    first = "trunk_output.block1.block1-0"
    assert rows["stem"] == 3
    assert rows[f"{first}.proj"] == 3
    assert rows[f"{first}.f.b"] == rows[first] == 7


def test_receptive_fields_of_whole_networks() -> None:
    """By hand: each convolution of k widens it by (k - 1) times the strides before it."""
    for name, field in (("resnet18", 435), ("resnet34", 899), ("resnet50", 427)):
        rows = {row.name: row.receptive_field for row in summarize(meta(name), 224).rows}
        assert rows["layer4"] == field
        assert rows["avgpool"] is None and rows["fc"] is None
