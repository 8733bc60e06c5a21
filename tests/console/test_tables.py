"""Tables, scores and errors: in a pipe, and on a feigned terminal."""

import sys

import numpy as np
import pytest
from rich.cells import cell_len
from tests.console.feigned import Terminal, scores

from shortcut.console import error_line, print_scores, print_table
from shortcut.metrics import Scores

# Tables


def use_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    return terminal


def test_a_table_in_a_pipe_is_aligned_by_spaces(capsys: pytest.CaptureFixture[str]):
    rows = [["a[0].jpg", "1.0", "狗"], ["[bold]long.jpg", "0.97", "cat"]]
    print_table("Predictions", ["picture", "score", "label"], rows, right={1})
    assert capsys.readouterr().out.splitlines() == [
        "Predictions",
        "picture         score  label",
        "a[0].jpg          1.0  狗",
        "[bold]long.jpg   0.97  cat",
    ]


def test_chinese_counts_two_cells(capsys: pytest.CaptureFixture[str]):
    print_table(None, ["label", "n"], [["狗和猫", "1"], ["cat", "2"]])
    assert capsys.readouterr().out.splitlines() == ["label   n", "狗和猫  1", "cat     2"]


def test_a_table_on_a_terminal_folds_text_and_keeps_numbers(monkeypatch: pytest.MonkeyPatch):
    terminal = use_terminal(monkeypatch, 60)
    path = "photos/" + "folder/" * 12 + "[b].jpg"
    print_table("Predictions", ["picture", "score"], [[path, "0.9712"]], right=[1])
    lines = terminal.lines
    assert max(map(cell_len, lines)) <= 60
    assert "".join(line.split()[0] for line in lines[3:]) == path
    assert lines[3].endswith("  0.9712")


def test_a_table_too_wide_for_a_terminal_loses_nothing(monkeypatch: pytest.MonkeyPatch):
    terminal = use_terminal(monkeypatch, 60)
    heads = [f"{i:>05}" for i in range(100)]
    print_table(None, heads, [heads], right=range(100))
    assert terminal.lines == ["  ".join(heads)] * 2


def test_a_table_without_rows_is_its_header(capsys: pytest.CaptureFixture[str]):
    print_table(None, ["run", "accuracy"], [])
    assert capsys.readouterr().out == "run  accuracy\n"


# Scores


def test_scores_in_a_pipe(capsys: pytest.CaptureFixture[str]):
    print_scores(Scores(("[cat]", "dog"), np.array([[90, 10], [0, 100]]), loss=0.3))
    assert capsys.readouterr().out.splitlines() == [
        "accuracy 0.9500, 95 % interval [0.910, 0.973], 190 of 200 pictures right",
        "balanced accuracy 0.9500, each class counting the same",
        "",
        "class  precision  recall       95 %     F1  pictures",
        "[cat]      1.000   0.900  0.83-0.94  0.947       100",
        "dog        0.909   1.000  0.96-1.00  0.952       100",
        "",
        "confusion matrix: a row for each truth, a column for each answer",
        "truth  [cat]  dog",
        "[cat]     90   10",
        "dog        0  100",
    ]


def test_one_class_is_a_table_too(capsys: pytest.CaptureFixture[str]):
    print_scores(Scores(("cat",), np.array([[3]]), loss=0.0))
    assert capsys.readouterr().out.splitlines()[-2:] == ["truth  cat", "cat      3"]


def test_above_twenty_classes_the_most_confused_pairs(capsys: pytest.CaptureFixture[str]):
    many = scores(25)
    many.confusion[np.arange(12), np.arange(1, 13)] = np.arange(1, 13)
    print_scores(many)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[4:29]] == list(many.classes)
    assert lines[30] == "most confused pairs"
    assert [line.split() for line in lines[32:35]] == [
        ["c11", "c12", "12"],
        ["c10", "c11", "11"],
        ["c9", "c10", "10"],
    ]
    assert lines[42:] == ["The CSV holds the whole matrix of 25 classes."]


def test_without_mistakes_no_pair_is_named(capsys: pytest.CaptureFixture[str]):
    print_scores(scores(25))
    assert capsys.readouterr().out.endswith("\nno class was taken for another\n")


def test_a_matrix_is_headed_by_names_then_numbers_then_replaced(monkeypatch: pytest.MonkeyPatch):
    found: list[str] = []
    for width in (200, 80, 40):
        terminal = use_terminal(monkeypatch, width)
        print_scores(scores(10, name="a class number {}", wrong=7))
        assert max(map(cell_len, terminal.lines[1:])) <= max(width, 64)
        found.append("\n".join(" ".join(line.split()) for line in terminal.lines))
    assert "truth a class number 0 a class number 1" in found[0]
    assert "truth 1 2 3 4 5 6 7 8 9 10\n" in found[1]
    assert "10 a class number 9 7 0 0 0 0 0 0 0 0 99" in found[1]
    assert "most confused pairs\n" in found[2]


# Errors


def test_an_error_is_one_line_with_its_brackets(capsys: pytest.CaptureFixture[str]):
    path = "runs/[bold]x[/bold]/" + "long folder/" * 30
    error_line(f"{path}: no such file.\n  Give another.")
    captured = capsys.readouterr()
    assert captured.err == f"shortcut: {path}: no such file. Give another.\n"
    assert captured.out == ""


def test_on_a_terminal_the_name_is_red(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    error_line("[x] is missing. " * 20)
    assert terminal.getvalue().startswith("\x1b[1;31mshortcut:\x1b[0m [x] is missing.")
    assert terminal.getvalue().count("\n") == 1
