"""Muon: orthogonal steps on filters, AdamW on the rest, and a state that comes back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from shortcut.checkpoint import optimizer_tensors, restore_optimizer
from shortcut.muon import COEFFICIENTS, STEPS, orthogonalize
from shortcut.optim import make_optimizer, scale_lr
from shortcut.settings import MuonSettings

MUON = MuonSettings(name="muon", lr=0.1, adamw_lr=0.01, weight_decay=0.1)


def by_the_post(matrix: Tensor) -> Tensor:
    """The iteration as it is published: on the matrix itself, in float64."""
    a, b, c = COEFFICIENTS
    x = matrix.double() / (matrix.double().norm() + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.float()


def small_net() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)
    )


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_the_gram_form_equals_the_published_one(rows, columns, seed):
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    wide = matrix if rows <= columns else matrix.mT
    expected = by_the_post(wide) if rows <= columns else by_the_post(wide).mT
    torch.testing.assert_close(orthogonalize(matrix), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(32, 288), (64, 32), (128, 128 * 9)])
def test_singular_values_become_about_one(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalize(matrix * 1e-3))
    assert values.min() > 0.6
    assert values.max() < 1.25


def test_filters_move_by_an_orthogonal_matrix():
    model = small_net()
    weight = model[1].weight
    optimizer = make_optimizer(model, MUON.model_copy(update={"weight_decay": 0.0}))
    before = weight.detach().clone()
    step(model, optimizer, 0)
    values = torch.linalg.svdvals((weight.detach() - before).flatten(1)) / MUON.lr
    assert values.min() > 0.6
    assert values.max() < 1.25


def test_all_but_inner_filters_take_adamws_step():
    ours, theirs = small_net(), small_net()
    optimizer = make_optimizer(ours, MUON)
    flat = [p for p in theirs.parameters() if p.ndim == 1]
    wide = [theirs[0].weight, theirs[4].weight]
    plain = torch.optim.AdamW(
        [{"params": wide, "weight_decay": 0.1}, {"params": flat, "weight_decay": 0.0}],
        lr=0.01,
        fused=False,
    )
    for seed in range(3):
        step(ours, optimizer, seed)
        step(theirs, plain, seed)
    for index in (0, 2, 4):
        for mine, other in zip(ours[index].parameters(), theirs[index].parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)
    assert not torch.equal(ours[1].bias, small_net()[1].bias)


def test_a_restored_state_goes_on_with_the_same_bits():
    model, other = small_net(), small_net()
    optimizer = make_optimizer(model, MUON)
    for seed in range(2):
        step(model, optimizer, seed)
    other.load_state_dict(model.state_dict())
    fresh = make_optimizer(other, MUON)
    saved = {name: value.clone() for name, value in optimizer_tensors(optimizer).items()}
    restore_optimizer(fresh, saved)
    step(model, optimizer, 5)
    step(other, fresh, 5)
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert bool((mine == theirs).all())


def test_each_group_keeps_its_own_rate():
    optimizer = make_optimizer(small_net(), MUON)
    scale_lr(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.005, 0.005]
    scale_lr(optimizer, 1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01, 0.01]


def test_a_gradient_that_is_missing_moves_nothing():
    model = small_net()
    optimizer = make_optimizer(model, MUON)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
