"""The optimizers: decay where it belongs, and the same step as torch's plain one."""

import pytest
import torch
from torch import nn

from shortcut.models import create_model
from shortcut.optim import make_optimizer, scale_lr
from shortcut.settings import AdamSettings, OptimSettings, SgdSettings

SETTINGS = [
    AdamSettings(name="adam", lr=0.01, weight_decay=0.1),
    AdamSettings(name="adamw", lr=0.01, weight_decay=0.1, beta1=0.8, beta2=0.99),
    AdamSettings(name="adamw", lr=0.01),
    SgdSettings(name="sgd", lr=0.1, weight_decay=0.01),
    SgdSettings(name="sgd", lr=0.1, momentum=0.5, nesterov=False),
    SgdSettings(name="sgd", lr=0.1, momentum=0.0, nesterov=False),
]


def named(settings: OptimSettings) -> str:
    return "-".join(str(value) for value in settings.model_dump().values())


def small_net() -> nn.Module:
    torch.manual_seed(1)
    conv, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
    return nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def plain(model: nn.Module, settings: OptimSettings) -> torch.optim.Optimizer:
    """The same optimizer as the manual would have it: one loop over parameters, nothing fused."""
    groups = [
        {"params": [p], "weight_decay": settings.weight_decay if p.ndim > 1 else 0.0}
        for p in model.parameters()
    ]
    if isinstance(settings, SgdSettings):
        return torch.optim.SGD(
            groups,
            lr=settings.lr,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            foreach=False,
            fused=False,
        )
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.name]
    betas = (settings.beta1, settings.beta2)
    return make(groups, lr=settings.lr, betas=betas, foreach=False, fused=False)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    # Given gradients, not measured ones: Adam blows up the rounding of those that should be nought.
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()


def test_only_matrices_and_filters_decay():
    model = create_model("resnet20", num_classes=3)
    optimizer = make_optimizer(model, AdamSettings(name="adamw", weight_decay=0.05))
    decay = {
        id(parameter): group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    found = {name: decay.pop(id(parameter)) for name, parameter in model.named_parameters()}
    assert decay == {}
    assert found["conv1.weight"] == found["fc.weight"] == 0.05
    assert found["bn1.weight"] == found["bn1.bias"] == found["fc.bias"] == 0
    assert {name for name, value in found.items() if value} == {
        name for name, parameter in model.named_parameters() if parameter.ndim > 1
    }


def test_frozen_parameters_are_left_out():
    model = small_net()
    model[0].requires_grad_(False)
    optimizer = make_optimizer(model, AdamSettings(name="adam"))
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters() if p.requires_grad}


@pytest.mark.parametrize("settings", SETTINGS, ids=named)
def test_steps_equal_torchs_plain_ones(settings):
    ours, theirs = small_net(), small_net()
    fast, slow = make_optimizer(ours, settings), plain(theirs, settings)
    assert fast.defaults["fused"]
    for seed in range(3):
        step(ours, fast, seed)
        step(theirs, slow, seed)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)


def test_nesterov_by_hand():
    weight = nn.Parameter(torch.tensor([[1.0]]))
    model = nn.Module()
    model.register_parameter("weight", weight)
    settings = SgdSettings(name="sgd", lr=0.1, weight_decay=0.5, momentum=0.9)
    optimizer = make_optimizer(model, settings)
    value, velocity = 1.0, 0.0
    for gradient in (2.0, -1.0, 0.5):
        weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        slope = gradient + 0.5 * value
        velocity = 0.9 * velocity + slope
        value -= 0.1 * (slope + 0.9 * velocity)
        assert weight.item() == pytest.approx(value, rel=1e-6)


def test_the_rate_is_scaled_in_every_group():
    model = small_net()
    optimizer = make_optimizer(model, SgdSettings(name="sgd"))
    before = [p.detach().clone() for p in model.parameters()]
    scale_lr(optimizer, 0.0)
    step(model, optimizer, 0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.0]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
