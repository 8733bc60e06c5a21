"""The paper's Table 1: blocks, repeats and figures, against what the paper prints."""

import csv
from pathlib import Path

import pytest
import torch
from torch import nn

from shortcut.models import create_model
from shortcut.summary import stage_column, stage_table
from shortcut.summary.stages import PAPER

PAPERS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def meta(name: str, classes: int = 1000) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, num_classes=classes)


@pytest.mark.parametrize("name", PAPERS)
def test_multiply_adds_are_the_papers(name: str) -> None:
    column = stage_column(name, meta(name), 224)
    printed = PAPER[name]
    assert column.depth == int(name.removeprefix("resnet"))
    # The paper prints one decimal, cut off rather than rounded: 3.66 and 3.86 stand as 3.6 and 3.8.
    counted = (column.as_in_paper or column.multiply_adds) / 1e9
    assert int(counted * 10) / 10 == pytest.approx(printed) or round(counted, 1) == printed
    assert (column.as_in_paper is None) == (name in ("resnet18", "resnet34"))


def test_the_papers_table(shared_data: Path) -> None:
    with (shared_data / "tutorials" / "paper-table1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        name = f"resnet{row['model']}"
        stages = {stage.name: stage for stage in stage_column(name, meta(name), 224).stages}
        for stage in ("conv2_x", "conv3_x", "conv4_x", "conv5_x"):
            assert [blocks.repeats for blocks in stages[stage].blocks] == [int(row[stage])]
            assert len(stages[stage].blocks[0].convolutions) == (
                2 if row["block"] == "basic" else 3
            )
        assert PAPER[name] == float(row["multiply_adds_1e9"])


def test_stages_of_a_bottleneck_network() -> None:
    column = stage_column("resnet50", meta("resnet50"), 224)
    sizes = [stage.output for stage in column.stages]
    assert [size[1] for size in sizes] == [112, 56, 28, 14, 7]
    assert column.stages[0].layers == ("7x7, 64, stride 2",)
    assert column.stages[1].layers == ("3x3 max pool, stride 2",)
    assert column.stages[2].blocks[0].convolutions == ("1x1, 128", "3x3, 128", "1x1, 512")


def test_groups_stand_in_the_brackets() -> None:
    column = stage_column("resnext50_32x4d", meta("resnext50_32x4d"), 224)
    assert column.stages[1].blocks[0].convolutions[1] == "3x3, 128, C=32"
    assert column.paper is None


def test_networks_side_by_side() -> None:
    columns = [stage_column("resnet18", meta("resnet18"), 224)]
    columns.append(stage_column("resnet20", meta("resnet20", 10), 32))
    table = stage_table(columns)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["conv5_x"][1] == "" and "⎡ 3x3, 512 ⎤ x 2" in rows["conv5_x"][0]
    assert rows["depth"] == ("18", "20")
    assert rows["multiply-adds"] == ("1.81 x 10^9", "40.6 x 10^6")
    assert rows["the paper prints"] == ("1.8 x 10^9", "")
    assert not any("v1.5" in remark for remark in table.remarks)


def test_the_difference_is_explained_where_there_is_one() -> None:
    columns = [stage_column("resnet50", meta("resnet50"), 224)]
    for lang, word in (("en", "v1.5"), ("zh", "瓶颈块")):
        table = stage_table(columns, lang)
        assert any(word in remark for remark in table.remarks)
    rows = {row[0]: row[1] for row in stage_table(columns).rows}
    assert rows["multiply-adds"] == "4.09 x 10^9"
    assert rows["with the paper's strides"] == "3.86 x 10^9"


def test_three_lines_have_a_middle() -> None:
    lines = list(stage_table([stage_column("resnet50", meta("resnet50"), 224)]).lines())
    cells = [line[1] for line in lines if "64 " in line[1] and "x" in line[1]]
    assert "⎢ 3x3, 64  ⎥ x 3" in cells
