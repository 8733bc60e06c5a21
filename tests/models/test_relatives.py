"""`relatives.py`: no shortcuts, shortcuts without weights, the tutorial's differences."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from shortcut.models import BasicBlock, ResNet, create_model
from shortcut.models.relatives import (
    PadBlock,
    PadShortcut,
    PlainBlock,
    PoolBlock,
    TutorialBlock,
    TutorialResNet,
)

FLOOR = math.log(1 + 1 / math.e)


def on_meta(name: str, num_classes: int = 1000) -> ResNet:
    """Shapes without numbers: nothing is initialised."""
    with torch.device("meta"):
        return create_model(name, num_classes=num_classes)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.fixture(scope="module")
def tutorial() -> ResNet:
    return create_model("resnet34_tutorial", num_classes=2).eval()


@pytest.mark.parametrize(("plain", "residual"), [("plain20", "resnet20"), ("plain56", "resnet56")])
def test_plain_cifar_nets_have_as_many_parameters(plain: str, residual: str) -> None:
    """Section 4.2: with option A the twins are equal in depth, width and parameters."""
    assert count(on_meta(plain, 10)) == count(on_meta(residual, 10))
    assert list(on_meta(plain).state_dict()) == list(on_meta(residual).state_dict())


@pytest.mark.parametrize(("plain", "residual"), [("plain18", "resnet18"), ("plain34", "resnet34")])
def test_plain_large_nets_lack_the_projections_only(plain: str, residual: str) -> None:
    twin = on_meta(residual)
    projections = {name for name in twin.state_dict() if ".downsample." in name}
    assert len(projections) == 3 * 6
    assert set(twin.state_dict()) - set(on_meta(plain).state_dict()) == projections


@pytest.mark.parametrize(("name", "adds"), [("plain20", False), ("resnet20", True)])
def test_plain_nets_add_nothing(name: str, adds: bool) -> None:
    """With the last norm of every branch at zero only a shortcut lets anything through."""
    model = create_model(name, num_classes=10).eval()
    for module in model.modules():
        if isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.get_parameter("weight"))
    with torch.no_grad():
        assert bool(model.features(torch.randn(2, 3, 32, 32)).any()) is adds


@pytest.mark.parametrize("name", ["plain18", "plain20"])
def test_plain_nets_learn_from_every_layer(name: str) -> None:
    model = create_model(name, num_classes=3)
    F.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@given(
    channels=st.integers(1, 5),
    added=st.integers(0, 6),
    stride=st.integers(1, 3),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_pad_shortcut(channels: int, added: int, stride: int, height: int, width: int) -> None:
    x = torch.rand(2, channels, height, width) + 1
    out = PadShortcut(added, stride)(x)
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    assert out.shape == (2, channels + added, rows, columns)
    before = added // 2
    assert torch.equal(out[:, before : before + channels], x[:, :, ::stride, ::stride])
    assert int((out != 0).sum()) == 2 * channels * rows * columns


def test_pad_shortcut_fits_the_branch_for_odd_sizes() -> None:
    """A branch with stride 2 makes 4 of 7 pixels, as does taking every other one."""
    block = PadBlock(4, 8, 2, PadBlock.shortcut(4, 8, 2, nn.BatchNorm2d))
    assert block(torch.randn(2, 4, 7, 9)).shape == (2, 8, 4, 5)
    assert not list(PadShortcut(4, 2).parameters())


def test_plain_block_has_no_shortcut() -> None:
    assert PlainBlock.shortcut(4, 8, 2, nn.BatchNorm2d) is None


@given(stride=st.integers(1, 3), height=st.integers(1, 9), width=st.integers(1, 9))
def test_pool_block_shrinks_before_both_ways(stride: int, height: int, width: int) -> None:
    block = PoolBlock(4, 4, stride, PoolBlock.shortcut(4, 4, stride, nn.BatchNorm2d)).eval()
    with torch.no_grad():
        x = torch.randn(2, 4, height, width)
        pooled = F.max_pool2d(x, stride, ceil_mode=True)
        expected = F.relu(block.branch(pooled) + block.downsample(pooled))
        assert torch.equal(block(x), expected)
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    assert expected.shape == (2, 4, rows, columns)
    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    assert [c.stride for c in convolutions] == [(1, 1)] * 3


def test_the_half_net_has_a_quarter_of_the_weights_and_begins_as_the_identity() -> None:
    half, whole = create_model("resnet18_pool32", num_classes=2), on_meta("resnet18", 2)
    assert count(half) / count(whole) == pytest.approx(0.25, abs=0.005)
    with torch.no_grad():
        x = torch.rand(2, 32, 8, 8)
        assert torch.equal(half.eval().layer1(x), x)


# The tutorial's network, difference by difference.


def test_tutorial_convolutions_in_blocks_have_biases(tutorial: ResNet) -> None:
    blocks = [module for module in tutorial.modules() if isinstance(module, TutorialBlock)]
    assert len(blocks) == 3 + 4 + 6 + 3
    assert all(b.conv1.bias is not None and b.conv2.bias is not None for b in blocks)
    assert tutorial.conv1.bias is None


def test_tutorial_shortcuts_are_3x3(tutorial: ResNet) -> None:
    paths = [stage[0].downsample for stage in (tutorial.layer2, tutorial.layer3, tutorial.layer4)]
    for path in paths:
        assert isinstance(path, nn.Sequential)
        convolution = path[0]
        assert isinstance(convolution, nn.Conv2d)
        assert (convolution.kernel_size, convolution.stride) == ((3, 3), (2, 2))
        assert convolution.bias is not None
    assert tutorial.layer1[0].downsample is None


def test_tutorial_stem_has_no_padding() -> None:
    model = on_meta("resnet34_tutorial")
    x = model.conv1(torch.empty(1, 3, 224, 224, device="meta"))
    assert x.shape[-2:] == (109, 109)
    assert model.maxpool(x).shape[-2:] == (54, 54)


def test_tutorial_pools_by_four(tutorial: ResNet) -> None:
    assert isinstance(tutorial.avgpool, nn.AvgPool2d)
    assert tutorial.avgpool.kernel_size == 4
    # Of a 7x7 map it sees the first 4x4: what lies beyond changes nothing.
    fmap = torch.rand(1, 512, 7, 7)
    beyond = fmap.clone()
    beyond[:, :, 4:] = 9
    beyond[:, :, :, 4:] = 9
    with torch.no_grad():
        assert torch.equal(tutorial.classify(fmap), tutorial.classify(beyond))


def test_tutorial_outputs_are_probabilities(tutorial: ResNet) -> None:
    x = torch.randn(3, 3, 112, 112)
    with torch.no_grad():
        outputs = tutorial(x)
        assert torch.equal(outputs, tutorial.classify(tutorial.features(x)))
    assert outputs.shape == (3, 2)
    torch.testing.assert_close(outputs.sum(1), torch.ones(3))
    assert torch.equal(tutorial.probabilities(outputs), outputs)
    assert tutorial.probabilities(outputs.bfloat16()).dtype is torch.float32


def test_tutorial_loss_reaches_its_floor_and_no_further(tutorial: ResNet) -> None:
    """A net that is right beyond doubt still has loss log(1 + 1/e)."""
    weight, bias = torch.zeros(2, 512), torch.tensor([200.0, -200.0])
    state = {**tutorial.state_dict(), "fc.weight": weight, "fc.bias": bias}
    with torch.device("meta"):
        sure = TutorialResNet((3, 4, 6, 3), 2)
    sure.load_state_dict(state, assign=True)
    with torch.no_grad():
        outputs = sure.eval().classify(torch.randn(1, 512, 4, 4))
    assert outputs.tolist() == [[1.0, 0.0]]
    assert F.cross_entropy(outputs, torch.tensor([0])).item() == pytest.approx(FLOOR, abs=1e-6)
    assert pytest.approx(0.3133, abs=5e-5) == FLOOR


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2))
def test_no_outputs_get_under_the_floor(logits: list[float]) -> None:
    outputs: Tensor = torch.tensor([logits]).softmax(1)
    for label in (0, 1):
        assert F.cross_entropy(outputs, torch.tensor([label])).item() >= FLOOR - 1e-6


@pytest.mark.parametrize(("size", "fits"), [(106, False), (107, True), (234, True), (235, False)])
def test_tutorial_takes_the_sizes_of_its_row(size: int, fits: bool) -> None:
    model = on_meta("resnet34_tutorial", 2)
    x = torch.empty(2, 3, size, size, device="meta")
    if fits:
        assert model(x).shape == (2, 2)
    else:
        with pytest.raises(RuntimeError):
            model(x)
