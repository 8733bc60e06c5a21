"""What is saved comes back to the last bit."""

import json
import os

import pytest
import torch
from safetensors import safe_open
from tests.classifier.made import CLASSES, make, noise

from shortcut.card import HEADER
from shortcut.classifier import load
from shortcut.data.preprocess import Preprocess
from shortcut.errors import ResourceError
from shortcut.models.tensorfiles import read_tensors, write_tensors
from shortcut.recipe import read_recipe

NETWORKS = [
    ("resnet20", "small", 16),
    ("plain20", "small", 24),
    ("resnet18", "small", 16),
    ("resnet18", "standard", 64),
    ("resnet34_tutorial", "unpadded", 112),
]


@pytest.mark.parametrize(("network", "stem", "size"), NETWORKS)
def test_what_is_saved_comes_back_to_the_last_bit(network, stem, size, tmp_path):
    made = make(network, stem, size)
    made.save(tmp_path / "m.safetensors")
    found = load(tmp_path / "m.safetensors")
    assert (found.network, found.stem, found.classes) == (network, stem, CLASSES)
    assert found.preprocess == made.preprocess
    expected, got = made.model.state_dict(), found.model.state_dict()
    assert list(got) == list(expected)
    assert all(torch.equal(got[name], value) for name, value in expected.items())
    made.model.to(memory_format=torch.channels_last)  # the layout decides the order of sums
    pixels = [made.pixels(noise(size + 9, size + 5)), made.pixels(noise(200, 300))]
    assert (found.probabilities(pixels) == made.probabilities(pixels)).all()


def test_everything_else_comes_back_too(saved):
    found = load(str(saved))
    assert found.recipe == read_recipe("digits")
    assert found.metrics == {"val_accuracy": 0.935, "epoch": 197, "part": "val"}
    assert (found.created, found.version) == ("2026-01-31T12:00:00+01:00", "0.1.0")
    assert found.preprocess == Preprocess(16, 20, (0.1, 0.2, 0.3), (0.5, 0.25, 1.0))
    assert found.device == torch.device("cpu")
    assert not any(module.training for module in found.model.modules())


def test_what_was_loaded_saves_as_the_same_file(saved, tmp_path):
    load(saved).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_a_file_tells_everything_without_our_code(saved):
    with safe_open(saved, framework="np") as file:
        card = json.loads(file.metadata()[HEADER])
    assert card["classes"] == list(CLASSES)
    assert (card["network"], card["stem"], card["format"]) == ("resnet20", "small", 1)
    assert card["preprocess"]["image_size"] == 16
    assert card["recipe"]["optim"]["name"] == "muon"


def test_saving_leaves_the_network_in_training(tmp_path):
    made = make()
    made.model.train()
    made.save(tmp_path / "deep" / "m.safetensors")
    assert made.model.training


def test_a_failing_save_leaves_the_older_file(saved, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    path.write_bytes(saved.read_bytes())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="No space left"):
        make().save(path)
    assert path.read_bytes() == saved.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_file_without_counters_has_them_at_nought(saved, tmp_path):
    """Files from before torch 0.4.1 lack them; whatever lay in memory must not stand there."""
    tensors, metadata = read_tensors(saved)
    for name in [name for name in tensors if name.endswith("num_batches_tracked")]:
        del tensors[name]
    write_tensors(tmp_path / "m.safetensors", tensors, metadata)
    torch.use_deterministic_algorithms(True)  # fills new memory with a number nobody would take
    try:
        found = load(tmp_path / "m.safetensors")
    finally:
        torch.use_deterministic_algorithms(False)
    assert int(found.model.bn1.num_batches_tracked) == 0
