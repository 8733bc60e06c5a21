"""What a file says of pictures that its model knows: it comes back, or is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.files import message
from torch import Tensor

from shortcut import load
from shortcut.card import HEADER
from shortcut.classifier import Classifier
from shortcut.errors import ModelError
from shortcut.familiarity import LONGEST_BANK, PREFIX, fit
from shortcut.models import create_model
from shortcut.models.stages import feature_widths
from shortcut.models.tensorfiles import read_tensors, write_tensors


@pytest.fixture(scope="module")
def model(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one that all tests here have, knowing some features that no picture gave."""
    made = load(saved)
    early, late = feature_widths(made.model)
    noise = np.random.default_rng(0).normal(5, 1, (500, early + late)).astype(np.float32)
    path = tmp_path_factory.mktemp("known") / "best.safetensors"
    replace(made, familiarity=fit(noise[:300], noise[300:], early)).save(path)
    return path


def test_it_comes_back_to_the_last_bit(model: Path, tmp_path: Path) -> None:
    found = load(model)
    assert found.familiarity is not None
    found.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == model.read_bytes()
    again = load(tmp_path / "again.safetensors").familiarity
    assert again is not None and again.figures() == found.familiarity.figures()
    for name, value in again.arrays().items():
        assert np.array_equal(value, found.familiarity.arrays()[name])
    assert not any(name.startswith(PREFIX) for name in found.model.state_dict())


def test_without_it_a_file_is_as_it_was(model: Path, tmp_path: Path) -> None:
    replace(load(model), familiarity=None).save(tmp_path / "m.safetensors")
    tensors, metadata = read_tensors(tmp_path / "m.safetensors")
    assert not any(name.startswith(PREFIX) for name in tensors)
    assert "familiarity" not in json.loads(metadata[HEADER])
    assert load(tmp_path / "m.safetensors").familiarity is None


Parts = tuple[dict[str, Tensor], dict[str, Any]]


def tensor(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Parts], object]:
    """A damage of one tensor."""

    def damage(parts: Parts) -> None:
        parts[0][PREFIX + name] = change(parts[0][PREFIX + name])

    return damage


def poisoned(number: float) -> Callable[[Tensor], Tensor]:
    def change(given: Tensor) -> Tensor:
        given = given.clone()
        given.view(-1)[-1] = number
        return given

    return change


def wider(parts: Parts) -> None:
    """Of another network: all its tensors fit each other."""
    for name in ("centre", "axes"):
        given = parts[0][f"{PREFIX}early.{name}"]
        parts[0][f"{PREFIX}early.{name}"] = torch.cat([given, given])


DAMAGES: dict[str, tuple[Callable[[Parts], object], str]] = {
    "a tensor is missing": (lambda p: p[0].pop(PREFIX + "late.bank"), "`familiarity.late.bank` is"),
    "a tensor more": (lambda p: p[0].update({PREFIX + "x": torch.ones(1)}), "`familiarity.x` is"),
    "no tensors": (
        lambda p: [p[0].pop(name) for name in list(p[0]) if name.startswith(PREFIX)],
        "`familiarity.early.centre` is absent",
    ),
    "no figures": (lambda p: p[1].pop("familiarity"), "familiarity: Field required"),
    "a figure is missing": (lambda p: p[1]["familiarity"].pop("limit"), "familiarity.limit"),
    "a figure more": (lambda p: p[1]["familiarity"].update(a=1), "unknown field `a`"),
    "the limit is no number": (
        lambda p: p[1]["familiarity"].update(limit=float("nan")),
        "familiarity.limit",
    ),
    "no spread": (lambda p: p[1]["familiarity"]["early"].update(spread=0), "early.spread"),
    "neighbour 0": (lambda p: p[1]["familiarity"]["late"].update(nearest=0), "late.nearest"),
    "a flat bank": (tensor("late.bank", torch.flatten), "`familiarity.late.bank` is ("),
    "a narrower bank": (tensor("late.bank", lambda t: t[:, 1:].clone()), "axes"),
    "a shorter centre": (tensor("early.centre", lambda t: t[1:].clone()), "features"),
    "an empty bank": (tensor("early.bank", lambda t: t[:0].clone()), "0 pictures"),
    "too few for a neighbour": (tensor("late.bank", lambda t: t[:2].clone()), "2 pictures"),
    "a huge bank": (
        tensor("early.bank", lambda t: t.repeat(LONGEST_BANK // len(t) + 1, 1)),
        "pictures, so what it knows",
    ),
    "of another network": (wider, "and the network has 48"),
    "NaN in the bank": (tensor("early.bank", poisoned(float("nan"))), "other than finite"),
    "an endless axis": (tensor("late.axes", poisoned(float("inf"))), "other than finite"),
    "wide numbers": (tensor("early.bank", Tensor.float), "other than finite float16"),
    "whole numbers": (tensor("early.centre", Tensor.int), "other than finite float32"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_refused(model: Path, tmp_path: Path, kind: str) -> None:
    tensors, metadata = read_tensors(model)
    parts = tensors, json.loads(metadata[HEADER])
    damage, words = DAMAGES[kind]
    damage(parts)
    path = tmp_path / "m.safetensors"
    write_tensors(path, parts[0], {HEADER: json.dumps(parts[1])})
    said = message(ModelError, lambda: load(path))
    assert said.startswith(f"{path}: ") and said.isprintable() and len(said) < 500
    assert words in said


def test_a_neighbour_beyond_the_bank_is_refused(model: Path, tmp_path: Path) -> None:
    tensors, metadata = read_tensors(model)
    card = json.loads(metadata[HEADER])
    tensors[PREFIX + "early.bank"] = tensors[PREFIX + "early.bank"][:5].clone()
    card["familiarity"]["early"]["nearest"] = 6
    write_tensors(tmp_path / "m.safetensors", tensors, {HEADER: json.dumps(card)})
    said = message(ModelError, lambda: load(tmp_path / "m.safetensors"))
    assert "has fewer pictures than neighbour 6" in said


def test_weights_that_are_handed_out_are_free_of_it(model: Path, tmp_path: Path) -> None:
    from shortcut.formats.torchvision import export_torchvision

    known = load(model).familiarity
    torch.manual_seed(0)
    network = create_model("resnet18", num_classes=2, stem="standard")
    made = Classifier(network, "resnet18", "standard", ("a", "b"), load(model).preprocess)
    path = export_torchvision(replace(made, familiarity=known), tmp_path / "w.pth")
    assert not any(PREFIX in name for name in torch.load(path, weights_only=True))
