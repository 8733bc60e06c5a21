"""All networks both ways, as a table: `pytest -m nightly -s tests/formats/test_table.py`."""

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from tests.formats.networks import OTHERS, TORCHVISION, difference, made, shaken
from torch import nn
from torchvision import models as reference

from shortcut.formats.imported import import_weights
from shortcut.formats.torchvision import export_torchvision
from shortcut.models.tensorfiles import write_tensors

TIMM = [
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "wide_resnet50_2"),
]


def comes_in(theirs: nn.Module, name: str, path: Path) -> float:
    """Pickled, as most such files are: the child's limit of memory must leave room for it."""
    torch.save(shaken(theirs).state_dict(), path)
    ours = import_weights(path)
    assert ours.network == name
    return difference(theirs, ours.model)


def goes_out(name: str, path: Path) -> float:
    ours = made(name)
    export_torchvision(ours, path)
    theirs: nn.Module = getattr(reference, name)(num_classes=3)
    theirs.load_state_dict(load_file(path), strict=True)
    return difference(ours.model, theirs.eval())


def comes_back(name: str, path: Path) -> float:
    ours = made(name)
    write_tensors(path, ours.model.state_dict(), {})
    size = 112 if name == "resnet34_tutorial" else 32
    return difference(ours.model, import_weights(path, model=name).model, size)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_no_bit_is_lost_on_any_way(tmp_path: Path) -> None:
    ways: dict[str, Callable[[str], float | None]] = {
        "torchvision in": lambda name: (
            comes_in(getattr(reference, name)(num_classes=3), name, tmp_path / "a.pth")
            if name in TORCHVISION
            else None
        ),
        "torchvision out": lambda name: (
            goes_out(name, tmp_path / f"{name}.safetensors") if name in TORCHVISION else None
        ),
        "timm in": lambda name: (
            comes_in(
                timm.create_model(name, pretrained=False, num_classes=3), name, tmp_path / "b.pth"
            )
            if name in TIMM
            else None
        ),
        "own, there and back": lambda name: comes_back(name, tmp_path / "c.safetensors"),
    }
    torch.manual_seed(0)
    print(f"\n{'largest difference':<20}", *ways, sep="  ")
    found: list[float] = []
    for name in (*TORCHVISION, *OTHERS):
        row = [way(name) for way in ways.values()]
        found += [value for value in row if value is not None]
        cells = [
            f"{'-' if value is None else value:>{len(way)}}"
            for way, value in zip(ways, row, strict=True)
        ]
        print(f"{name:<20}", *cells, sep="  ")
    assert len(found) == 2 * len(TORCHVISION) + len(TIMM) + len(TORCHVISION) + len(OTHERS)
    assert max(found) == 0.0
