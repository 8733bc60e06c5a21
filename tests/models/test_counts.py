"""Parameters and multiply-adds of every row against two packages that count in their own ways:
equal, or each difference explained."""

import logging
from math import prod

import pytest
import torch
import torchinfo
from torch import nn

from shortcut.models import create_model, find_variant, list_models
from shortcut.models.tracing import Call, trace
from shortcut.models.work import multiply_adds


@pytest.fixture(params=list_models())
def network(request: pytest.FixtureRequest) -> tuple[nn.Module, int]:
    """Each row at its usual size, and that size in pixels."""
    variant = find_variant(request.param)
    model = create_model(request.param, num_classes=variant.usual_classes).eval()
    return model, variant.usual_size


def layers(whole: Call, kind: type[nn.Module]) -> list[tuple[nn.Module, Call]]:
    return [(call.module, call) for call in whole.finished() if isinstance(call.module, kind)]


def test_torchinfo_counts_the_same(network: tuple[nn.Module, int]) -> None:
    """It adds one operation for each number of a norm and of the linear bias, and a bias of a
    convolution once for each place."""
    model, size = network
    found = torchinfo.summary(model, (1, 3, size, size), verbose=0, device="cpu")
    whole = trace(model, size)
    norms = sum(p.numel() for m, _ in layers(whole, nn.BatchNorm2d) for p in m.parameters())
    biases = sum(m.bias.numel() for m, _ in layers(whole, nn.Linear))
    for module, call in layers(whole, nn.Conv2d):
        biases += prod(call.output) if module.bias is not None else 0
    assert found.total_params == sum(p.numel() for p in model.parameters())
    assert found.total_mult_adds == whole.multiply_adds + norms + biases


@pytest.mark.filterwarnings("ignore")  # it builds on torch.jit, which torch has deprecated
def test_fvcore_counts_the_same(network: tuple[nn.Module, int]) -> None:
    """Convolutions and products as here; it adds two operations for each output of a norm and one
    for each number that is averaged."""
    from fvcore.nn import FlopCountAnalysis

    model, size = network
    logging.getLogger("fvcore").setLevel(logging.ERROR)  # it tells of every operator it passes over
    counter = FlopCountAnalysis(model, torch.zeros(1, 3, size, size))
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    counter.tracer_warnings("none")
    found = counter.by_operator()
    whole = trace(model, size)
    assert found["conv"] + found["linear"] == whole.multiply_adds
    assert multiply_adds(model, size) == whole.multiply_adds
    norms = sum(prod(call.output) for _, call in layers(whole, nn.BatchNorm2d))
    assert found["batch_norm"] == 2 * norms
    assert set(found) <= {"conv", "linear", "batch_norm", "adaptive_avg_pool2d", "avg_pool2d"}
