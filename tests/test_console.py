"""What stands on the screen: in a pipe, on a feigned terminal, on a real pseudo-terminal."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from shortcut import console
from shortcut.console import Screen, error_line, print_scores, print_table
from shortcut.events import EpochEnd, Event, Finished, Measured, Notice, Progress, Saved, Step
from shortcut.metrics import Scores

SOURCE = Path(console.__file__).parents[1]
COLOUR = re.compile(r"\x1b\[[\d;]*m")
CONTROL = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        """What was written, without colours and cursor movements."""
        return CONTROL.sub("", self.getvalue()).replace("\r", "\n").splitlines()


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(console, "monotonic", turned)
    return turned


def step(number: int = 412, *, epoch: int = 3, loss: float = 0.5) -> Step:
    return Step(epoch, 30, number, 1250, loss, 0.001, 123.4, 0.04, 725.0)


def epoch_end(epoch: int, *, size: int = 224, improved: bool = False) -> EpochEnd:
    return EpochEnd(
        epoch, 30, 0.6219, 0.755, 0.6, 0.76, 0.00049, 26.4, 1123.4, 0.04, size, improved
    )


CLOSING: tuple[Event, ...] = (
    Finished(30, 27, 0.9123, 754.0, "all epochs done"),
    Measured("val", 1823, 1998, 0.91241, (0.8969, 0.9258)),
    Saved("curves", Path("runs/[x]/curves.png")),
    Saved("confusion matrix", Path("runs/[x]/confusion_matrix.png")),
)


def written(events: Iterable[Event], stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    with Screen(stream=stream) as screen:
        for event in events:
            screen.show(event)
    return stream.getvalue()


def scores(count: int, *, name: str = "c{}", wrong: int = 0) -> Scores:
    confusion = np.diag(np.arange(count, dtype=np.int64) + 90)
    if wrong:
        confusion[count - 1, 0] = wrong
    return Scores(tuple(name.format(i) for i in range(count)), confusion, loss=0.3)


# Plain lines


def test_a_pipe_gets_the_table_of_epochs_with_one_header():
    text = written([epoch_end(1, improved=True), epoch_end(2), epoch_end(10, improved=True)])
    assert text.splitlines() == [
        "  epoch     loss  train acc  val acc       lr  images/s  seconds",
        "      1   0.6219     0.7550   0.7600  0.00049   1,123.4     26.4  best",
        "      2   0.6219     0.7550   0.7600  0.00049   1,123.4     26.4",
        "     10   0.6219     0.7550   0.7600  0.00049   1,123.4     26.4  best",
    ]


def test_the_size_of_pictures_is_a_column_from_when_it_changes():
    lines = written([epoch_end(1, size=160), epoch_end(2, size=224)]).splitlines()
    assert "size" not in lines[0]
    assert lines[2].split()[-3:] == ["size", "images/s", "seconds"]
    assert lines[3].split()[5] == "224"


def test_the_end_of_a_training_is_a_line_a_fact():
    assert written(CLOSING).splitlines() == [
        "finished in 0:12:34: all epochs done",
        "best epoch 27 of 30, accuracy 0.9123",
        "val accuracy 0.9124 [0.897, 0.926], 1,998 pictures",
        "curves            runs/[x]/curves.png",
        "confusion matrix  runs/[x]/confusion_matrix.png",
    ]


def test_a_pipe_gets_a_step_line_every_ten_seconds_with_the_mean_loss(clock: Clock):
    stream = io.StringIO()
    with Screen(stream=stream) as screen:
        for number in range(1, 101):
            clock.now += 0.25
            screen.show(step(number, loss=float(number)))
    first, second = stream.getvalue().splitlines()
    assert first == (
        "epoch  3/30  step    40/1,250  loss 30.5000  lr 0.00100  123.4 images/s"
        "  waiting 4 %  0:12:05 left"
    )
    assert "step    80/1,250  loss 70.5000" in second


def test_an_epoch_line_puts_the_next_step_line_off(clock: Clock):
    stream = io.StringIO()
    with Screen(stream=stream) as screen:
        clock.now += 9
        screen.show(epoch_end(1))
        clock.now += 9
        screen.show(step())
    assert "step" not in stream.getvalue()


def test_reading_in_a_pipe_is_told_at_its_end_and_every_ten_seconds(clock: Clock):
    stream = io.StringIO()
    with Screen(stream=stream) as screen:
        for done in range(0, 8001, 400):
            screen.show(Progress("reading pictures", done, 8000))
            clock.now += 1
    counts = re.findall(r"reading pictures (.*)", stream.getvalue())
    assert counts == ["4,000 / 8,000", "8,000 / 8,000"]


def test_numbers_that_are_none_are_shown_as_such(clock: Clock):
    stream = io.StringIO()
    with Screen(stream=stream) as screen:
        clock.now += 11
        screen.show(Step(1, 1, 1, 1, float("nan"), 9.77e-5, 3.21, 1.0, float("inf")))
    assert stream.getvalue() == (
        "epoch 1/1  step 1/1  loss nan  lr 9.8e-05  3.2 images/s  waiting 100 %  ? left\n"
    )


def test_a_notice_in_a_pipe_is_one_line_with_its_brackets():
    text = "left out: data/[bold]cats[/bold]/" + "long folder/" * 30 + "a.jpg :smile:"
    assert written([Notice(text)]) == text + "\n"


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
def test_a_pipe_stays_a_pipe_whatever_the_environment(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, "1")
    text = written(
        [
            Notice("a"),
            Progress("reading pictures", 1, 2),
            step(),
            epoch_end(1, improved=True),
            *CLOSING,
        ]
    )
    assert "\x1b" not in text
    assert "\r" not in text


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    events = [Notice("a"), step(1250), epoch_end(1, improved=True), *CLOSING]
    assert written(events, Terminal()) == written(events)


def test_quiet_shows_nothing():
    stream = Terminal()
    with Screen(quiet=True, stream=stream) as screen:
        for event in (
            Notice("a"),
            Progress("reading pictures", 1, 2),
            step(),
            epoch_end(1),
            *CLOSING,
        ):
            screen.show(event)
    assert stream.getvalue() == ""


def test_the_screen_writes_to_standard_error_alone(capsys: pytest.CaptureFixture[str]):
    with Screen() as screen:
        for event in (
            Notice("a"),
            Progress("reading pictures", 2, 2),
            step(),
            epoch_end(1),
            *CLOSING,
        ):
            screen.show(event)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("a\n  epoch")


def test_what_a_stream_cannot_encode_is_escaped():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with Screen(stream=stream) as screen:
        screen.show(Notice("猫\x1b[2J\udce9\n\u202e"))
    stream.seek(0)
    assert stream.read() == "\\u732b\\x1b[2J\\udce9\\n\\u202e\n"


# A terminal


def test_a_terminal_draws_steps_in_place_and_keeps_the_lines_above():
    terminal = Terminal()
    written([Notice("first"), step(), epoch_end(1, improved=True), step(1250), *CLOSING], terminal)
    text = terminal.getvalue()
    assert text.count(HIDE) == text.count(SHOW) == 1
    lines = [line.rstrip() for line in terminal.lines]
    assert any(re.fullmatch(r"epoch  3/30  ━+.*  412/1,250  0:12:05 left", x) for x in lines)
    assert any(re.fullmatch(r"epoch  3/30  ━+  measuring  0:12:05 left", x) for x in lines)
    assert "loss 0.5000   lr 0.00100   123.4 images/s   waiting 4 %" in lines
    for line in written([Notice("first"), epoch_end(1, improved=True), *CLOSING]).splitlines():
        assert lines.count(line) == 1
    assert text.rindex(SHOW) < text.index("finished")


def test_a_terminal_is_drawn_ten_times_a_second_at_most(clock: Clock):
    terminal = Terminal()
    with Screen(stream=terminal) as screen:
        for number in range(1, 1001):
            clock.now += 0.001
            screen.show(step(number))
        drawn = sum(line.startswith("loss") for line in terminal.lines)
    assert 9 <= drawn <= 11


def test_reading_on_a_terminal_leaves_no_trace():
    terminal = Terminal()
    with Screen(stream=terminal) as screen:
        screen.show(Progress("reading pictures", 1200, 8000))
        assert any(re.fullmatch(r"reading pictures  ━+.*1,200 / 8,000", x) for x in terminal.lines)
        screen.show(Progress("reading pictures", 8000, 8000))
        assert terminal.getvalue().endswith("\x1b[1A\x1b[2K")


def test_no_color_takes_the_colours_and_leaves_the_display(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    written([step(), epoch_end(1, improved=True)], terminal)
    codes = {code for part in COLOUR.findall(terminal.getvalue()) for code in part[2:-1].split(";")}
    assert codes <= {"0", "1", "2"}  # off, bold, dim
    assert HIDE in terminal.getvalue()


@pytest.mark.parametrize("width", [60, 80, 140, 200])
def test_nothing_is_wider_than_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = Terminal()
    epochs = [epoch_end(1, size=160, improved=True), epoch_end(2, improved=True)]
    notice = Notice("a choice that was made, and why " * 9)
    written(
        [Progress("reading pictures", 1, 80_000), notice, step(), *epochs, step(1250), *CLOSING],
        terminal,
    )
    assert max(cell_len(line.rstrip()) for line in terminal.lines) <= width
    assert any("val acc" in line for line in terminal.lines)


def test_an_error_inside_gives_the_terminal_back():
    terminal = Terminal()
    with pytest.raises(KeyboardInterrupt), Screen(stream=terminal) as screen:
        screen.show(step())
        raise KeyboardInterrupt
    assert terminal.getvalue().rindex(SHOW) > terminal.getvalue().rindex(HIDE)


# A real pseudo-terminal

TRAINING = """
    import sys, time, warnings
    from shortcut.console import Screen, error_line, print_table
    from shortcut.events import Notice, Step
    try:
        with Screen() as screen:
            screen.show(Notice("left out: [red]/a.jpg"))
            for number in range(1, 6):
                screen.show(Step(1, 2, number, 1000, 0.5, 0.001, 99.0, 0.1, 60.0))
            warnings.warn("of somebody else")
            while sys.argv[1] == "wait":
                time.sleep(0.01)  # short: a signal just before a sleep does not cut it off
    except KeyboardInterrupt:
        error_line("interrupted: runs/[x] holds the best so far")
    print_table("Table", ["name"], [["[b]cat"]])
"""


def run_on_terminal(folder: Path, argument: str) -> tuple[str, str]:
    """What a script wrote to the terminal on its stderr, and to the pipe on its stdout."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(TRAINING), encoding="utf-8")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"PYTHONIOENCODING": "utf-8"}
    del environment["COLUMNS"], environment["LINES"]
    child = subprocess.Popen(
        [sys.executable, str(script), argument],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    seen, asked = b"", False
    while select.select([master], [], [], 60)[0]:
        try:
            seen += os.read(master, 65536)
        except OSError:  # Linux's word for the end of a pseudo-terminal
            break
        if argument == "wait" and b"somebody" in seen and not asked:
            asked = True
            os.kill(child.pid, signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    os.close(master)
    assert child.returncode == 0
    return seen.decode(), out.decode()


@pytest.mark.parametrize("argument", ["go", "wait"])
def test_a_script_on_a_pseudo_terminal(argument: str, tmp_path: Path):
    seen, out = run_on_terminal(tmp_path, argument)
    assert seen.count(HIDE) == seen.count(SHOW) == 1
    assert seen.index(HIDE) < seen.index("━") < seen.index("somebody") < seen.index(SHOW)
    plain = CONTROL.sub("", seen)
    assert "left out: [red]/a.jpg\r\n" in plain
    assert re.search(r"epoch 1/2  ━+ +1/1,000  0:01:00 left", plain)
    assert out == "Table\nname\n[b]cat\n"
    message = "shortcut: interrupted: runs/[x] holds the best so far\r\n"
    assert plain.endswith(message) == (argument == "wait")


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
        "",
        "class  precision  recall     F1  pictures",
        "[cat]      1.000   0.900  0.947       100",
        "dog        0.909   1.000  0.952       100",
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
    assert [line.split()[0] for line in lines[3:28]] == list(many.classes)
    assert lines[29] == "most confused pairs"
    assert [line.split() for line in lines[31:34]] == [
        ["c11", "c12", "12"],
        ["c10", "c11", "11"],
        ["c9", "c10", "10"],
    ]
    assert lines[41:] == ["The CSV holds the whole matrix of 25 classes."]


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
