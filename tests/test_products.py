"""Weight gradients by products are torch's own, but for the order of additions."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from shortcut import products
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.products import ProductConv2d, use_products

SIDES = st.integers(1, 9)


def gradients(layer: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Of the sum of squares, for the images and every parameter."""
    images = images.clone().requires_grad_()
    layer.zero_grad()
    layer(images).float().square().sum().backward()
    assert images.grad is not None
    found = {name: p.grad for name, p in layer.named_parameters() if p.grad is not None}
    return {"images": images.grad, **found}


@given(
    kernel=st.sampled_from([(1, 1), (3, 3), (7, 7), (1, 3)]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 5), SIDES, SIDES),
    filters=st.integers(1, 6),
)
def test_every_gradient_is_that_of_torch(kernel, stride, padding, shape, filters):
    if any(side + 2 * padding < size for side, size in zip(shape[2:], kernel, strict=True)):
        return  # the filter does not fit
    torch.manual_seed(0)
    layer = nn.Conv2d(shape[1], filters, kernel, stride, padding, bias=False).double()
    images = torch.randn(shape, dtype=torch.float64)
    images = images.contiguous(memory_format=torch.channels_last)
    expected = gradients(layer, images)
    use_products(layer, True)
    assert type(layer) is ProductConv2d
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "FEW", 10**9)
        found = gradients(layer, images)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", [1, 3])
def test_in_bfloat16_it_is_as_near_to_the_truth_as_torch(kernel):
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 48, kernel, padding=kernel // 2, bias=False)
    layer = layer.to(memory_format=torch.channels_last)
    images = torch.randn(4, 32, 6, 6).contiguous(memory_format=torch.channels_last)
    truth = gradients(copy.deepcopy(layer).double(), images.double())["weight"]
    errors = []
    for use in (False, True):
        use_products(layer, use)
        with torch.autocast("cpu", torch.bfloat16):
            found = gradients(layer, images)["weight"]
        assert found.dtype == torch.float32
        errors.append(float((found.double() - truth).norm() / truth.norm()))
    assert errors[1] < 1.2 * errors[0] < 0.02


def test_names_copies_and_answers_stay(tmp_path):
    torch.manual_seed(0)
    model = create_model("resnet20", num_classes=2).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        before = model(images)
    names = list(model.state_dict())
    use_products(model, True)
    assert sum(isinstance(module, ProductConv2d) for module in model.modules()) > 10
    with torch.inference_mode():
        assert torch.equal(model(images), before)
        assert torch.equal(copy.deepcopy(model)(images), before)
    assert list(model.state_dict()) == names
    use_products(model, False)
    assert not any(isinstance(module, ProductConv2d) for module in model.modules())


def test_what_products_do_not_know_stays_with_torch():
    for layer in (
        nn.Conv2d(4, 4, 3, groups=2, bias=False),
        nn.Conv2d(4, 4, 3, dilation=2, bias=False),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 3, padding="same", bias=False),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular", bias=False),
    ):
        use_products(layer, True)
        assert type(layer) is nn.Conv2d


@pytest.mark.parametrize(("side", "used"), [(6, True), (24, False)])
def test_many_pixels_are_left_to_torch(side, used, monkeypatch):
    """288 entries a filter, so up to 576 pixels a batch."""
    called = []
    original = products._windows
    monkeypatch.setattr(products, "_windows", lambda *a: called.append(1) or original(*a))
    layer = nn.Conv2d(32, 8, 3, padding=1, bias=False)
    use_products(layer, True)
    gradients(layer, torch.randn(8, 32, side, side))
    assert bool(called) == used


def test_a_gradient_lies_as_its_weight_does():
    layer = nn.Conv2d(32, 8, 3, bias=False).to(memory_format=torch.channels_last)
    use_products(layer, True)
    found = gradients(layer, torch.randn(2, 32, 6, 6))["weight"]
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_sums_are_held_in_float32():
    """Over 1,568 pixels: in bfloat16 they would be off by several times the last digit."""
    torch.manual_seed(0)
    layer = nn.Conv2d(128, 16, 3, padding=1, bias=False).bfloat16()
    images = torch.randn(32, 128, 7, 7).bfloat16().requires_grad_()
    into = torch.randn(32, 16, 7, 7).bfloat16()
    exact = copy.deepcopy(layer).double()
    use_products(layer, True)
    (found,) = torch.autograd.grad(layer(images), layer.weight, into)
    (truth,) = torch.autograd.grad(exact(images.double()), exact.weight, into.double())
    assert float((found.double() - truth).norm() / truth.norm()) < 2**-8


def test_it_can_be_differentiated_twice():
    layer = nn.Conv2d(3, 2, 2, 2, 1, bias=False).double()
    use_products(layer, True)
    images = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    weight = layer.weight.detach().clone().requires_grad_()

    def call(images: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (images,))

    assert "_Convolution" in str(call(images, weight).grad_fn)
    assert torch.autograd.gradgradcheck(call, (images, weight))


def test_what_is_frozen_gets_no_gradient():
    layer = nn.Conv2d(8, 8, 3, bias=False)
    use_products(layer, True)
    layer(torch.rand(1, 8, 3, 3)).sum().backward()  # pictures of the first layer: data
    assert layer.weight.grad is not None
    layer.weight.requires_grad_(False)
    assert not layer(torch.rand(1, 8, 3, 3)).requires_grad


@pytest.mark.parametrize("bf16", [True, False])
def test_a_training_step_has_the_same_answers(bf16):
    torch.manual_seed(0)
    model = create_model("resnet18_pool32", num_classes=2).to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    twin = copy.deepcopy(model)
    use_products(twin, True)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        assert torch.equal(twin(images), model(images))


def test_a_pickle_and_a_state_fit_both_ways():
    model = create_model("resnet20", num_classes=2)
    plain, weights = model.state_dict(), list(model.parameters())
    use_products(model, True)
    assert all(new is old for new, old in zip(model.parameters(), weights, strict=True))
    twin = pickle.loads(pickle.dumps(model))
    assert any(type(module) is ProductConv2d for module in twin.modules())
    twin.load_state_dict(plain)
    create_model("resnet20", num_classes=2).load_state_dict(twin.state_dict())


def test_it_can_be_compiled():
    """Forward and backward, by a backend that needs no compiler."""
    layer = nn.Conv2d(32, 4, 3, padding=1, bias=False)
    images = torch.rand(2, 32, 4, 4)
    expected = gradients(layer, images)
    use_products(layer, True)
    layer.compile(backend="aot_eager")
    for name, found in gradients(layer, images).items():
        torch.testing.assert_close(found, expected[name])


def test_its_work_can_be_counted_with_weights_that_are_trained():
    """As at the end of each training, for the share of the matrix rate."""
    model = create_model("resnet18", num_classes=2)
    before = multiply_adds(model, 64)
    use_products(model, True)
    assert multiply_adds(model, 64) == before
    assert model.conv1.weight.requires_grad
