"""Stem, stages, blocks and ways, read from what happens inside a network."""

import pytest
import torch
import torchvision
from torch import nn

from shortcut.diagram.network import Network
from shortcut.diagram.reading import read_network
from shortcut.errors import ModelError
from shortcut.models import BasicBlock, create_model, find_variant


def read(name: str, size: int | None = None) -> Network:
    with torch.device("meta"):
        model = create_model(name)
    return read_network(name, model, size or find_variant(name).usual_size)


@pytest.mark.parametrize(
    ("name", "depth", "blocks"),
    [
        ("resnet18", 18, [2, 2, 2, 2]),
        ("resnet34", 34, [3, 4, 6, 3]),
        ("resnet50", 50, [3, 4, 6, 3]),
        ("resnet152", 152, [3, 8, 36, 3]),
        ("resnext101_64x4d", 101, [3, 4, 23, 3]),
        ("plain18", 18, [2, 2, 2, 2]),
        ("resnet56", 56, [9, 9, 9]),
        ("plain56", 56, [9, 9, 9]),
    ],
)
def test_depth_is_the_number_in_the_name(name, depth, blocks):
    network = read(name)
    assert network.depth == depth
    assert [len(stage.blocks) for stage in network.stages] == blocks


def test_only_first_blocks_differ():
    network = read("resnet50")
    assert [[len(run) for run in stage.runs()] for stage in network.stages] == [
        [1, 2],
        [1, 3],
        [1, 5],
        [1, 2],
    ]
    changes = [stage.blocks[0].change for stage in network.stages]
    assert changes == ["channels", "size", "size", "size"]
    assert {block.change for stage in network.stages for block in stage.blocks[1:]} == {"none"}


def test_ways_of_a_block():
    first, second = read("resnet50").stages[0].blocks[:2]
    assert [layer.kernel for layer in first.branch if layer.kind == "conv"] == [
        (1, 1),
        (3, 3),
        (1, 1),
    ]
    assert first.shortcut is not None
    assert [layer.kind for layer in first.shortcut] == ["conv", "norm"]
    assert second.shortcut == ()
    assert [layer.kind for layer in second.after] == ["relu"]
    assert read("plain20").stages[0].blocks[0].shortcut is None


def test_the_paper_s_small_nets_pad_their_shortcuts():
    shortcut = read("resnet20").stages[1].blocks[0].shortcut
    assert shortcut is not None and [layer.kind for layer in shortcut] == ["padding"]


def test_the_tutorial_s_network():
    network = read("resnet34_tutorial")
    assert network.head[-1].kind == "softmax"
    shortcut = network.stages[1].blocks[0].shortcut
    assert shortcut is not None and shortcut[0].kernel == (3, 3)
    assert all(layer.bias for layer in network.stages[1].blocks[0].branch if layer.kind == "conv")


def test_torchvision_s_own_network_is_read_alike():
    with torch.device("meta"):
        other = torchvision.models.resnet50()
    assert read_network("resnet50", other, 224).stages == read("resnet50").stages


def test_a_wrapped_network_is_read():
    with torch.device("meta"):
        wrapped = nn.Sequential(create_model("resnet18"))
    assert len(read_network("wrapped", wrapped, 224).stages) == 4


@pytest.mark.parametrize(
    ("model", "size", "said"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), 32, "not a row of stages"),
        (nn.Conv2d(1, 4, 3), 32, "does not take RGB pictures of 32 pixels"),
        (torchvision.models.regnet_x_400mf(weights=None), 64, "at most one addition"),
        (torchvision.models.densenet121(weights=None), 64, "not a row of stages"),
    ],
)
def test_what_cannot_be_drawn(model, size, said):
    with pytest.raises(ModelError, match=said) as caught:
        read_network("mine", model, size)
    assert "\n" not in str(caught.value)


class ProjectedBlock(BasicBlock):
    """The paper's option C: a projection on every shortcut, also where shapes are equal."""

    @staticmethod
    def shortcut(inplanes, planes, stride, norm_layer):
        return nn.Conv2d(inplanes, planes, 1, stride, bias=False)

    def __init__(self, *given, **settings):
        super().__init__(*given, **settings)
        self.downsample = self.shortcut(self.conv1.in_channels, self.conv2.out_channels, 1, None)


def test_a_projection_is_known_by_where_it_begins():
    class Stage(nn.Sequential):
        pass

    with torch.device("meta"):
        model = nn.Sequential(nn.Conv2d(3, 8, 3), Stage(ProjectedBlock(8, 8)))
    (block,) = read_network("mine", model, 32).stages[0].blocks
    assert block.shortcut is not None and [layer.kernel for layer in block.shortcut] == [(1, 1)]
    assert len([layer for layer in block.branch if layer.kind == "conv"]) == 2


def test_names_are_printed_safely():
    with torch.device("meta"):
        model = create_model("resnet18")
    assert read_network("a\x00b\nc", model, 224).name == "a□b c"
