"""`resnet.py` against torchvision: same counts, same seeds, same bits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models as reference
from torchvision.models.resnet import BasicBlock as ReferenceBasicBlock
from torchvision.models.resnet import Bottleneck as ReferenceBottleneck

from shortcut.models import VARIANTS, BasicBlock, Bottleneck, ResNet, create_model
from shortcut.models.resnet import Norm, Residual, StemName

PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
}
BOTTLENECKS = [name for name in PARAMETERS if name not in ("resnet18", "resnet34")]
GROUP_NORM: Norm = partial(nn.GroupNorm, 32)
DILATION = (False, True, True)


@dataclass
class Pair:
    """The same row from both libraries, made with the same seed and then disturbed."""

    name: str
    ours: ResNet
    theirs: reference.ResNet
    unequal: list[str]
    """Names of the tensors that differed after initialisation, before anything was changed."""


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module", params=PARAMETERS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Each row is built once: the ten together have half a billion parameters."""
    name: str = request.param
    ours, theirs = both(lambda: create_model(name), reference.get_model_builder(name))
    mine, other = ours.state_dict(), theirs.state_dict()
    unequal = [key for key in other if key not in mine or not torch.equal(mine[key], other[key])]
    with torch.no_grad():
        for parameter in theirs.parameters():  # so that loading it is more than the identity
            parameter.mul_(1.05)
            if parameter.dim() == 1:
                parameter.add_(0.01)
    yield Pair(name, ours, theirs, unequal)


def both(
    ours: Callable[[], ResNet], theirs: Callable[[], reference.ResNet]
) -> tuple[ResNet, reference.ResNet]:
    """Two networks from one seed."""
    torch.manual_seed(0)
    first = ours()
    torch.manual_seed(0)
    return first, theirs()


def both_with(
    name: str, zero_init: bool, dilation: tuple[bool, bool, bool] | None, norm: Norm | None
) -> tuple[ResNet, reference.ResNet]:
    """The row `name` straight from both constructors, with options."""
    row = VARIANTS[name]
    block = ReferenceBottleneck if row.block is Bottleneck else ReferenceBasicBlock
    return both(
        lambda: ResNet(
            row.block,
            row.layers,
            1000,
            zero_init,
            row.groups,
            row.width,
            replace_stride_with_dilation=dilation,
            norm_layer=norm,
        ),
        lambda: reference.ResNet(
            block,
            list(row.layers),
            1000,
            zero_init,
            row.groups,
            row.width,
            replace_stride_with_dilation=list(dilation) if dilation else None,
            norm_layer=norm,
        ),
    )


def assert_same_logits(ours: nn.Module, theirs: nn.Module, images: Tensor) -> None:
    """In train mode, which moves the running statistics, and then in eval mode."""
    for mode in (True, False):
        ours.train(mode)
        theirs.train(mode)
        with torch.no_grad():
            logits = ours(images)
            assert logits.isfinite().all()
            assert torch.equal(logits, theirs(images)), f"train mode: {mode}"


def assert_same_state(ours: nn.Module, theirs: nn.Module) -> None:
    mine, other = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(other)
    assert [key for key in other if not torch.equal(mine[key], other[key])] == []


def zeroed_norms(model: nn.Module) -> set[str]:
    """Norms whose weights begin at zero. Only these are read: the rest may not be filled in."""
    norms = {name: value for name, value in model.named_parameters() if "bn" in name}
    return {n for n, value in norms.items() if n.endswith("weight") and not value.detach().any()}


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameter_counts_are_torchvisions(pair: Pair) -> None:
    assert count(pair.ours) == count(pair.theirs) == PARAMETERS[pair.name]
    assert all(parameter.requires_grad for parameter in pair.ours.parameters())


def test_equal_seeds_give_equal_weights_in_equal_order(pair: Pair) -> None:
    assert pair.unequal == []
    assert list(pair.ours.state_dict()) == list(pair.theirs.state_dict())
    assert [name for name, _ in pair.ours.named_parameters()] == [
        name for name, _ in pair.theirs.named_parameters()
    ]


def test_logits_are_equal_to_the_last_bit(pair: Pair, images: Tensor) -> None:
    pair.ours.load_state_dict(pair.theirs.state_dict())
    assert_same_logits(pair.ours, pair.theirs, images)
    assert_same_state(pair.ours, pair.theirs)  # running statistics and their counters too


@pytest.mark.parametrize("option", ["dilation", "group norm", "zero init"])
def test_logits_are_equal_with_options(
    pair: Pair, option: str, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    if option == "dilation" and pair.name not in BOTTLENECKS:
        return  # torchvision's BasicBlock has none; see test_basic_block_refuses
    # Random numbers take most of the time of building, and `pair` has the weights already.
    for function in ("kaiming_normal_", "kaiming_uniform_"):
        monkeypatch.setattr(nn.init, function, no_initialisation)
    ours, theirs = both_with(
        pair.name,
        option == "zero init",
        DILATION if option == "dilation" else None,
        GROUP_NORM if option == "group norm" else None,
    )
    assert list(ours.state_dict()) == list(theirs.state_dict())
    zeros = zeroed_norms(theirs)
    assert zeroed_norms(ours) == zeros
    assert len(zeros) == (sum(VARIANTS[pair.name].layers) if option == "zero init" else 0)
    state = pair.theirs.state_dict()
    donor = {k: torch.zeros_like(state[k]) if k in zeros else state[k] for k in theirs.state_dict()}
    for model in (ours, theirs):
        # Weights are shared, not copied; statistics move in train mode, so each has its own.
        buffers = {key: donor[key].clone() for key, _ in model.named_buffers()}
        model.load_state_dict({**donor, **buffers}, assign=True)
    assert_same_logits(ours, theirs, images)
    assert_same_state(ours, theirs)


def no_initialisation(tensor: Tensor, *_: object, **__: object) -> Tensor:
    return tensor


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_equal_seeds_with_all_options_at_once(name: str, images: Tensor) -> None:
    dilation = DILATION if name in BOTTLENECKS else None
    ours, theirs = both_with(name, True, dilation, GROUP_NORM)
    assert_same_state(ours, theirs)
    assert_same_logits(ours, theirs, images)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_gradients_are_equal_to_the_last_bit(name: str, images: Tensor) -> None:
    ours, theirs = both(lambda: create_model(name), reference.get_model_builder(name))
    for model in (ours, theirs):
        F.cross_entropy(model(images), torch.tensor([3, 700])).backward()
    other = dict(theirs.named_parameters())
    for key, parameter in ours.named_parameters():
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, other[key].grad), key


def test_resnet34_with_two_classes_has_the_tutorials_parameters() -> None:
    with torch.device("meta"):
        model = create_model("resnet34", num_classes=2)
    assert count(model) == 21_285_698
    assert count(model.fc) == 1_026


def test_zero_init_makes_every_block_the_identity() -> None:
    model = ResNet(BasicBlock, (2, 2, 2, 2), 10, zero_init_residual=True)
    x = torch.rand(2, 64, 8, 8)
    assert torch.equal(model.layer1(x), x)


@pytest.mark.parametrize("options", [{"groups": 2}, {"base_width": 128}, {"dilation": 2}])
def test_basic_block_refuses(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="use Bottleneck"):
        BasicBlock(64, 64, **options)


def test_basic_nets_refuse_dilation() -> None:
    with pytest.raises(ValueError, match="use Bottleneck"):
        ResNet(BasicBlock, (2, 2, 2, 2), replace_stride_with_dilation=DILATION)


def test_dilation_must_have_three_elements() -> None:
    with pytest.raises(ValueError, match=r"\(=\(True, True\)\) must have 3 elements"):
        ResNet(Bottleneck, (1, 1, 1, 1), replace_stride_with_dilation=(True, True))


@pytest.mark.parametrize(
    ("stem", "stem_size", "last_size"),
    [("standard", 16, 2), ("small", 64, 8), ("unpadded", 14, 2)],
)
def test_sizes_after_the_stem_and_the_stages(
    stem: StemName, stem_size: int, last_size: int
) -> None:
    """For 64 pixels: a quarter after the standard stem, all after the small one."""
    with torch.device("meta"):
        model = ResNet(BasicBlock, (1, 1, 1, 1), stem=stem)
        x = torch.empty(2, 3, 64, 64)
    assert model.maxpool(model.conv1(x)).shape == (2, 64, stem_size, stem_size)
    assert model.features(x).shape == (2, 512, last_size, last_size)


def test_dilation_keeps_the_size_of_the_last_stages() -> None:
    with torch.device("meta"):
        model = ResNet(Bottleneck, (1, 1, 1, 1), replace_stride_with_dilation=DILATION)
        x = torch.empty(1, 3, 224, 224)
    assert model.features(x).shape == (1, 2048, 28, 28)


def test_output_sizes_are_the_papers() -> None:
    """Table 1: 112, 56, 28, 14, 7."""
    with torch.device("meta"):
        model = create_model("resnet50")
        x = model.conv1(torch.empty(1, 3, 224, 224))
    sizes = [x.shape[-1]]
    x = model.maxpool(x)
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        x = stage(x)
        sizes.append(x.shape[-1])
    assert sizes == [112, 56, 28, 14, 7]


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_features_then_classify_is_forward(
    block: type[BasicBlock] | type[Bottleneck], images: Tensor
) -> None:
    model = ResNet(block, (1, 1, 1, 1), 5).eval()
    with torch.no_grad():
        fmap = model.features(images)
        assert fmap.shape == (2, 512 * block.expansion, 1, 1)
        assert torch.equal(model.classify(fmap), model(images))


def test_probabilities_are_full_precision_and_sum_to_one() -> None:
    model = ResNet(BasicBlock, (1, 1, 1), 4, inplanes=16, stem="small")
    rows = model.probabilities(torch.randn(3, 4, dtype=torch.bfloat16))
    assert rows.dtype is torch.float32
    torch.testing.assert_close(rows.sum(1), torch.ones(3))


def test_a_residual_without_a_branch_cannot_be_made() -> None:
    class Empty(Residual):
        pass

    with pytest.raises(TypeError, match=r"abstract method.*branch"):
        Empty()  # pyright: ignore[reportAbstractUsage]
