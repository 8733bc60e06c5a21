"""The tree: nesting, folding, additions as rows, both languages, and other formats."""

import csv
import io

import pytest
import torch
from torch import nn

from shortcut.models import create_model
from shortcut.summary import Table, summarize, tree_table


@pytest.fixture(scope="module")
def model() -> nn.Module:
    with torch.device("meta"):
        return create_model("resnet20", num_classes=3)


def names(table: Table) -> list[str]:
    return [row[0] for row in table.rows]


def test_additions_are_rows(model: nn.Module) -> None:
    found = names(tree_table(summarize(model, 32)))
    assert sum(name.strip() == "+ shortcut" for name in found) == 9
    with torch.device("meta"):
        plain = create_model("plain20", num_classes=3)
    assert not any("shortcut" in name for name in names(tree_table(summarize(plain, 32))))


@pytest.mark.parametrize(("depth", "rows"), [(0, 1), (1, 9), (2, 18)])
def test_folding(model: nn.Module, depth: int, rows: int) -> None:
    table = tree_table(summarize(model, 32), depth=depth)
    assert len(table.rows) == rows
    assert table.rows[0][:4] == ("network", "ResNet", "3", "269,267")


def test_a_row_of_a_convolution(model: nn.Module) -> None:
    rows = {row[0].strip(): row for row in tree_table(summarize(model, 32), depth=1).rows}
    assert rows["conv1"] == (
        *("  conv1", "Conv2d", "16 x 32 x 32", "432", "442,368", "3", "1", "1", "3"),
    )
    assert "layer4" not in rows and "maxpool" not in rows  # they do nothing in this network


def test_groups_and_frozen_layers() -> None:
    model = create_model("resnext50_32x4d", num_classes=2)
    model.conv1.requires_grad_(False)
    cells = [cell for row in tree_table(summarize(model, 64)).rows for cell in row]
    assert "3 /32" in cells and "9,408 frozen" in cells


def test_chinese(model: nn.Module) -> None:
    table = tree_table(summarize(model, 32, batch=8, train=True), lang="zh")
    assert table.columns[:3] == ("层", "类型", "输出")
    assert "8 张图片" in table.remarks[2]


def test_memory_is_told(model: nn.Module) -> None:
    kept = tree_table(summarize(model, 32, batch=32, train=True)).remarks[2]
    assert kept.endswith("kept for the backward pass of 32 pictures, float32")
    assert "while predicting 1 picture," in tree_table(summarize(model, 32)).remarks[2]


def test_csv_and_markdown_hold_the_same_cells(model: nn.Module) -> None:
    table = tree_table(summarize(model, 32), depth=1)
    rows = list(csv.reader(io.StringIO(table.as_csv())))
    assert rows[0] == list(table.columns)
    assert rows[1:] == [[cell.strip() for cell in row] for row in table.rows]
    lines = table.as_markdown().splitlines()
    assert lines[0].startswith("| layer | kind |")
    assert lines[3].startswith("| &nbsp;&nbsp;conv1 |")
    assert lines[-1] == table.remarks[-1]


def test_cells_of_several_lines() -> None:
    table = Table(("a", "b"), (("1", "x\ny"), ("2", "z")))
    assert list(table.lines()) == [("1", "x"), ("", "y"), ("2", "z")]
    assert "| 1 | x<br>y |" in table.as_markdown()
