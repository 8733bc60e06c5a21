"""Averaged weights, against a loop written by hand."""

import pytest
import torch
from torch import nn

from shortcut.ema import make_average


def moved(model: nn.Module, seed: int) -> None:
    """Change every weight and statistic, as a training step would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator))
            else:
                tensor += 1


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Linear(2, 2))


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_the_average_is_that_of_a_loop_by_hand(decay):
    model = net()
    average = make_average(model, decay)
    expected: dict[str, torch.Tensor] = {}
    for step in range(40):
        moved(model, step)
        average.update_parameters(model)
        keep = 0.0 if step == 0 else min(decay, (1 + step) / (10 + step))
        for name, now in model.state_dict().items():
            if not now.is_floating_point():
                expected[name] = now.clone()
            else:
                old = expected.get(name, torch.zeros_like(now))
                expected[name] = keep * old + (1 - keep) * now
    got = average.module.state_dict()
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, msg=name)


def test_counters_are_copied_not_averaged():
    model = net()
    average = make_average(model, 0.9)
    for step in range(5):
        moved(model, step)
        average.update_parameters(model)
    assert int(average.module[1].num_batches_tracked) == 5
    assert average.module[1].num_batches_tracked.dtype == torch.int64


def test_still_weights_are_their_own_average():
    model = net()
    average = make_average(model, 0.99)
    for _ in range(20):
        average.update_parameters(model)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(average.module.state_dict()[name], value)


def test_the_start_is_forgotten_after_a_few_steps():
    model = nn.Linear(1, 1, bias=False)
    average = make_average(model, 0.9999)
    nn.init.constant_(model.weight, 100.0)
    average.update_parameters(model)
    nn.init.zeros_(model.weight)
    for _ in range(20):
        average.update_parameters(model)
    assert average.module.weight.item() < 1  # a plain average would still be at 99.8


def test_the_average_has_weights_of_its_own():
    model = net()
    average = make_average(model, 0.9)
    average.update_parameters(model)
    before = {name: value.clone() for name, value in average.module.state_dict().items()}
    moved(model, 3)
    assert all(torch.equal(average.module.state_dict()[name], before[name]) for name in before)


def test_a_restored_average_goes_on_in_the_same_way():
    model, twin = net(), net()
    first, second = make_average(model, 0.99), make_average(twin, 0.99)
    for step in range(6):
        moved(model, step)
        first.update_parameters(model)
    second.load_state_dict(first.state_dict())
    for step in range(6, 9):
        moved(model, step)
        first.update_parameters(model)
        second.update_parameters(model)
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name
