"""Weights of timm's networks: its ResNets give its answers, their relatives are refused by name."""

from pathlib import Path

import pytest
import timm
import torch
from tests.formats.networks import difference, shaken
from torch import nn

from shortcut.errors import ModelError
from shortcut.formats.imported import import_weights
from shortcut.models.foreign import ForeignWeights, recognise
from shortcut.models.tensorfiles import write_tensors

QUICK = ("resnet18", "resnet50")
"""The others take longer and are in `test_table.py`, nightly."""


def create(name: str) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, pretrained=False, num_classes=3)


@pytest.mark.parametrize("name", QUICK)
def test_timms_weights_give_timms_answers(name: str, tmp_path: Path) -> None:
    theirs = shaken(create(name))
    write_tensors(tmp_path / "model.safetensors", theirs.state_dict(), {})
    ours = import_weights(tmp_path / "model.safetensors")
    assert (ours.network, ours.stem) == (name, "standard")
    assert difference(theirs, ours.model) == 0.0


@pytest.mark.parametrize(
    ("name", "nearest", "differs"),
    [
        ("seresnet50", "resnet50", "64 unexpected (`layer1.0.se.fc1.weight`"),
        ("resnet50d", "resnet50", "17 missing (`conv1.weight`"),
        ("resnet50c", "resnet50", "1 missing (`conv1.weight`)"),
        ("resnet50_gn", "resnet50", "106 missing (`bn1.running_mean`"),
        ("resnet26", "resnet18", "54 unexpected (`layer1.0.conv3.weight`"),
        ("resnext101_32x4d", "wide_resnet101_2", "33 of another shape (`layer1.0.conv2.weight`"),
        ("resnetv2_50", "plain18", "300 unexpected (`stem.conv.weight`"),
    ],
)
def test_relatives_are_refused_with_names(name: str, nearest: str, differs: str) -> None:
    with torch.device("meta"):
        state = create(name).state_dict()
    with pytest.raises(ModelError) as refusal:
        recognise(ForeignWeights(state, {}, ""))
    said = str(refusal.value)
    assert said.startswith(f"the weights fit no network here; the nearest is `{nearest}` with the ")
    assert differs in said


@pytest.mark.parametrize("name", ["resnetaa50", "resnetblur50"])
def test_what_has_no_weights_cannot_be_seen(name: str) -> None:
    """A limit, documented in `models/foreign.py`: their anti-aliasing leaves no trace in a file."""
    with torch.device("meta"):
        state = create(name).state_dict()
    assert recognise(ForeignWeights(state, {}, "")) == ("resnet50", "standard")
