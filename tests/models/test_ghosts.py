"""Networks without numbers: the same shapes, nothing drawn, nothing heavy imported."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from shortcut.models import create_model, list_models
from shortcut.models.ghosts import ghost_of, nothing_drawn, shapes_only


@pytest.mark.parametrize("name", list_models())
def test_shapes_are_those_of_the_network(name: str) -> None:
    with shapes_only():
        ghost = create_model(name, num_classes=3)
    with torch.device("meta"):
        drawn = create_model(name, num_classes=3)
    expected = drawn.state_dict()
    found = ghost.state_dict()
    assert list(found) == list(expected)
    for label, tensor in found.items():
        assert (tensor.shape, tensor.dtype, tensor.device) == (
            expected[label].shape,
            expected[label].dtype,
            torch.device("meta"),
        )
    assert all(parameter.requires_grad for parameter in ghost.parameters())


def test_the_random_numbers_of_others_are_not_used_up() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with nothing_drawn():
        create_model("resnet20", num_classes=3)
    assert torch.equal(torch.rand(3), expected)


def test_outside_weights_are_drawn_again() -> None:
    with nothing_drawn():
        model = create_model("resnet20", num_classes=3)
    assert not any(model.bn1.running_mean) and int(model.bn1.num_batches_tracked) == 0
    assert create_model("resnet20", num_classes=3).conv1.weight.std() > 0.05


def test_weights_that_are_shared_stay_so_and_no_number_is_copied() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)).requires_grad_(False)
    model[1].weight = model[0].weight
    ghost = ghost_of(model)
    assert ghost[1].weight is ghost[0].weight
    assert {parameter.device.type for parameter in ghost.parameters()} == {"meta"}
    assert not any(parameter.requires_grad for parameter in ghost.parameters())
    assert model[0].weight.device.type == "cpu"


def test_loading_a_model_does_not_import_a_compiler() -> None:
    """It takes longer to import than a network takes to answer."""
    code = (
        "import sys; from shortcut.models import create_model\n"
        "from shortcut.models.weights import filled_model\n"
        "state = create_model('resnet20', num_classes=2, stem='small').state_dict()\n"
        "filled_model('resnet20', state, num_classes=2, stem='small')\n"
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
