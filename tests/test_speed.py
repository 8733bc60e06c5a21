"""Figures of speed: positive numbers, and a network that is left as it was."""

from types import SimpleNamespace

import pytest
import torch

from shortcut.events import EpochEnd
from shortcut.models import create_model
from shortcut.models.work import multiply_adds
from shortcut.precision import PLAIN
from shortcut.speed import describe_bound, describe_use, matrix_rate, measure_speed


def test_both_figures_are_rates_and_the_network_stays_as_it_was() -> None:
    model = create_model("resnet20", num_classes=10).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    speed = measure_speed(model, image_size=16, device=torch.device("cpu"), batch_size=2)
    assert 0 < speed.train < float("inf") and 0 < speed.predict < float("inf")
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (0.02, "compute-bound: 2% of the time is waiting for pictures; about 1:40 to go"),
        (0.4, "data-bound: 40% of the time is waiting for pictures; `--cache disk` or more"),
    ],
)
def test_what_holds_a_training_back(waiting: float, words: str) -> None:
    end = EpochEnd(1, 3, 1, 0, 1, 0, 0, 20.0, 100.0, waiting, 64, False)
    job = SimpleNamespace(history=[end], train=SimpleNamespace(threads=1))
    assert describe_bound(job, 100.0).text.startswith(words)


def test_the_use_of_the_machine_is_work_over_time() -> None:
    model = create_model("resnet20", num_classes=10)
    ends = [
        EpochEnd(n, 2, 1, 0, 1, 0, 0, 1, speed, 0, 32, False) for n, speed in ((1, 100), (2, 50))
    ]
    cpu = torch.device("cpu")
    classifier = SimpleNamespace(model=model, device=cpu)
    job = SimpleNamespace(history=ends, classifier=classifier, precision=PLAIN)
    rate = 6 * multiply_adds(model, 32) / ((1 / 100 + 1 / 50) / 2)
    assert f"at {rate / 1e9:,.0f} GFLOP/s" in describe_use(job).text
    assert "matrix product in fp32" in describe_use(job).text
    assert matrix_rate(PLAIN, cpu) > 1e8
