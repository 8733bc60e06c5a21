"""Figures of speed: positive numbers, and a network that is left as it was."""

import torch

from shortcut.models import create_model
from shortcut.speed import measure_speed


def test_both_figures_are_rates_and_the_network_stays_as_it_was() -> None:
    model = create_model("resnet20", num_classes=10).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    speed = measure_speed(model, image_size=16, device=torch.device("cpu"), batch_size=2)
    assert 0 < speed.train < float("inf") and 0 < speed.predict < float("inf")
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
