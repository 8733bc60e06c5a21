"""`weights.py`: weights that fit go into a network, and all others change nothing."""

import pytest
import torch
from tests.models.files import message
from torch import Tensor, nn

from shortcut.errors import ModelError
from shortcut.models import create_model
from shortcut.models.weights import filled_model, load_matching


@pytest.fixture(scope="module")
def donor() -> dict[str, Tensor]:
    """The state of a resnet20 for 10 classes, unlike any fresh one."""
    torch.manual_seed(9)
    state = create_model("resnet20", num_classes=10).state_dict()
    return {name: torch.rand(value.shape).to(value.dtype) + 1 for name, value in state.items()}


def differing(model: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    state = model.state_dict()
    return [n for n in state if n not in tensors or not torch.equal(state[n], tensors[n])]


@pytest.mark.parametrize("new_head", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_all_tensors_are_copied(
    donor: dict[str, Tensor], new_head: bool, layout: torch.memory_format
) -> None:
    model = create_model("resnet20", num_classes=10)
    model.to(memory_format=layout)  # type: ignore[call-overload]
    strides = [parameter.stride() for parameter in model.parameters()]
    assert load_matching(model, donor, new_head=new_head) == []
    assert differing(model, donor) == []
    assert [parameter.stride() for parameter in model.parameters()] == strides
    model.fc.weight.data.zero_()
    assert donor["fc.weight"].all()  # copied, not shared


def test_another_number_of_classes_swaps_the_head(donor: dict[str, Tensor]) -> None:
    model = create_model("resnet20", num_classes=3)
    before = model.fc.weight.detach().clone()
    assert load_matching(model, donor, new_head=True) == ["fc.weight", "fc.bias"]
    assert differing(model, donor) == ["fc.weight", "fc.bias"]
    assert torch.equal(model.fc.weight, before)


def test_without_a_new_head_other_classes_are_an_error(donor: dict[str, Tensor]) -> None:
    model = create_model("resnet20", num_classes=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert message(ModelError, lambda: load_matching(model, donor, new_head=False)) == (
        "the weights do not fit the network: `fc.weight` is (10, 64) in the weights and (3, 64) "
        "in the network, and 1 more differ. Name the network they were made for."
    )
    assert differing(model, before) == []


@pytest.mark.parametrize("new_head", [True, False])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer3.2.bn2.bias": None}, "`layer3.2.bn2.bias` is absent in the weights and (64,) in"),
        ({"fc.bias": None}, "`fc.bias` is absent in the weights and (10,) in the network."),
        ({"extra": torch.zeros(2, 1)}, "`extra` is (2, 1) in the weights and absent in the net"),
        (
            {"fc.scale": torch.zeros(())},
            "`fc.scale` is () in the weights and absent in the network",
        ),
        ({"bn1.weight": torch.zeros(16, 1)}, "`bn1.weight` is (16, 1) in the weights and (16,) in"),
        (
            {"conv1.weight": torch.zeros(16, 3, 7, 7), "x": torch.zeros(1), "bn1.bias": None},
            "`conv1.weight` is (16, 3, 7, 7) in the weights and (16, 3, 3, 3) in the network, "
            "and 2 more differ.",
        ),
    ],
)
def test_what_does_not_fit_changes_nothing(
    donor: dict[str, Tensor], change: dict[str, Tensor | None], said: str, new_head: bool
) -> None:
    tensors = {n: v for n, v in {**donor, **change}.items() if v is not None}
    model = create_model("resnet20", num_classes=10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    heard = message(ModelError, lambda: load_matching(model, tensors, new_head=new_head))
    assert heard.startswith("the weights do not fit the network: " + said)
    assert differing(model, before) == []


def test_files_without_counters_are_taken(donor: dict[str, Tensor]) -> None:
    old = {name: value for name, value in donor.items() if "num_batches" not in name}
    assert len(old) < len(donor)
    model = create_model("resnet20", num_classes=10)
    assert load_matching(model, old, new_head=False) == []
    assert differing(model, {**model.state_dict(), **old}) == []
    assert int(model.get_buffer("bn1.num_batches_tracked")) == 0


def test_half_precision_files_are_widened(donor: dict[str, Tensor]) -> None:
    half = {n: v.bfloat16() if v.is_floating_point() else v for n, v in donor.items()}
    model = create_model("resnet20", num_classes=10)
    load_matching(model, half, new_head=False)
    assert model.conv1.weight.dtype is torch.float32
    assert torch.equal(model.conv1.weight, half["conv1.weight"].float())


def test_another_depth_is_an_error() -> None:
    """A resnet34's weights have more blocks than a resnet18 has places."""
    with torch.device("meta"):
        small, large = create_model("resnet18"), create_model("resnet34")
    said = message(ModelError, lambda: load_matching(small, large.state_dict(), new_head=True))
    assert "`layer1.2.conv1.weight` is (64, 64, 3, 3) in the weights and absent in the" in said


def test_a_filled_model_is_ready_to_answer(donor: dict[str, Tensor]) -> None:
    torch.manual_seed(1)
    half = {n: v.half() if v.is_floating_point() else v for n, v in donor.items()}
    old = {n: v for n, v in half.items() if "num_batches" not in n}
    model = filled_model("resnet20", old, num_classes=10, stem="small")
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert differing(model, {n: v.float() for n, v in half.items()}) == [
        n for n in donor if "num_batches" in n
    ]
    assert int(model.get_buffer("bn1.num_batches_tracked")) == 0
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 16, 16)).shape == (1, 10)


def test_a_filled_model_fits_or_there_is_none(donor: dict[str, Tensor]) -> None:
    said = message(ModelError, lambda: filled_model("resnet20", donor, num_classes=3, stem="small"))
    assert said.startswith("the weights do not fit the network: `fc.weight` is (10, 64)")
