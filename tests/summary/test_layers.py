"""The layer table: the hot-dog tutorial's to the letter, torchsummary's for every row."""

import csv
import re
from pathlib import Path

import pytest
import torch
import torchsummary
from torch import nn

from shortcut.models import create_model
from shortcut.summary import layer_table, render_layers, summarize

GOLDEN = Path(__file__).parents[1] / "golden" / "summary" / "resnet34-2-classes.txt"
TORCHVISION = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
)


def meta(name: str, classes: int) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, num_classes=classes)


def test_the_tutorials_table_to_the_letter() -> None:
    assert render_layers(summarize(meta("resnet34", 2), 224)) + "\n" == GOLDEN.read_text()


def test_the_golden_table_is_the_tutorials(shared_data: Path) -> None:
    with (shared_data / "tutorials" / "s0-resnet34-layers.tsv").open(newline="") as file:
        printed = [tuple(row) for row in csv.reader(file, delimiter="\t")][1:]
    lines = GOLDEN.read_text().splitlines()[3 : 3 + len(printed)]
    cells = [re.fullmatch(r" *(\S+) +(\[.*\]) +(\S+)", line) for line in lines]
    assert len(printed) == 124
    assert [found.groups() for found in cells if found] == printed
    assert layer_table(summarize(meta("resnet34", 2), 224)).rows == tuple(printed)


def as_torchsummary_prints(name: str, capsys: pytest.CaptureFixture[str], size: int) -> list[str]:
    """Its own output for the same network; adaptive pooling by the name that tutorials know."""
    model = create_model(name)
    capsys.readouterr()
    torchsummary.summary(model, (3, size, size), device="cpu")
    lines = capsys.readouterr().out.rstrip("\n").splitlines()
    return [
        f"{found[1]:>20}{found[2]}"
        if (found := re.fullmatch(r" *Adaptive(AvgPool2d-\d+)(.*)", line))
        else line
        for line in lines
    ]


@pytest.mark.parametrize("name", TORCHVISION)
def test_every_line_is_torchsummarys(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = as_torchsummary_prints(name, capsys, 64)
    # At 64 px the name alone would choose the small stem; this is the standard one.
    ours = render_layers(summarize(meta(name, 1000), 64)).splitlines()
    assert ours == theirs
    assert len(ours) > 60


def test_frozen_parameters_are_not_trainable() -> None:
    model = create_model("resnet20", num_classes=3)
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    text = render_layers(summarize(model, 32))
    assert "Trainable params: 195\n" in text
    assert f"Non-trainable params: {269_722 - 650 - 0:,}\n" in text
