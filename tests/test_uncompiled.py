"""Optimizers below torch's wrappers: the same bits, and no compiler loaded."""

import subprocess
import sys

import pytest
import torch
from torch.optim import SGD, Adam, AdamW

from shortcut.uncompiled import UncompiledAdam, UncompiledAdamW, UncompiledSGD

PAIRS = [
    (UncompiledSGD, SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (UncompiledAdam, Adam, {"lr": 0.01}),
    (UncompiledAdamW, AdamW, {"lr": 0.01, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("ours", "theirs", "settings"), PAIRS)
@pytest.mark.parametrize("fused", [True, False])
def test_steps_are_torchs_own(ours, theirs, settings, fused):
    torch.manual_seed(0)
    mine = [torch.randn(4, 3, requires_grad=True), torch.randn(5, requires_grad=True)]
    others = [value.detach().clone().requires_grad_() for value in mine]
    optimizers = ours(mine, fused=fused, **settings), theirs(others, fused=fused, **settings)
    for _ in range(4):
        for values, optimizer in zip((mine, others), optimizers, strict=True):
            optimizer.zero_grad()
            sum((value**2).sum() for value in values).backward()
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(mine, others, strict=True))
    states = [optimizer.state_dict() for optimizer in optimizers]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    assert states[0]["state"].keys() == states[1]["state"].keys()


TRAINING = """
import sys, torch
from shortcut.optim import make_optimizer, scale_lr
from shortcut.settings import AdamSettings, MuonSettings, SgdSettings
for settings in (AdamSettings(name="adamw"), SgdSettings(name="sgd"), MuonSettings(name="muon")):
    layer = torch.nn.Conv2d(4, 4, 3)
    optimizer = make_optimizer(layer, settings)
    scale_lr(optimizer, 0.5)
    layer(torch.rand(1, 4, 5, 5)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
import shortcut.runs
print(*{"torch._dynamo", "sympy", "sklearn", "scipy", "matplotlib"} & sys.modules.keys())
"""


def test_a_training_waits_for_nothing_that_it_does_not_need():
    """Each of these takes one to four seconds to import."""
    command = [sys.executable, "-c", TRAINING]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
