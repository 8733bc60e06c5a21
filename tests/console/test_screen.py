"""What a training shows: in a pipe, and on a feigned terminal."""

import io
import re

import pytest
from rich.cells import cell_len
from tests.console.feigned import (
    CLOSING,
    COLOUR,
    HIDE,
    SHOW,
    Clock,
    Terminal,
    epoch_end,
    step,
    written,
)

from shortcut.console import Screen
from shortcut.events import Notice, Progress, Step

# Plain lines


def test_a_pipe_gets_the_table_of_epochs_with_one_header():
    text = written([epoch_end(1, improved=True), epoch_end(2), epoch_end(10, improved=True)])
    assert text.splitlines() == [
        "  epoch     loss  train acc  val acc       lr     size  images/s  seconds",
        "      1   0.6219     0.7550   0.7600  0.00049      224   1,123.4     26.4  best",
        "      2   0.6219     0.7550   0.7600  0.00049      224   1,123.4     26.4",
        "     10   0.6219     0.7550   0.7600  0.00049      224   1,123.4     26.4  best",
    ]


def test_the_end_of_a_training_is_a_line_a_fact_but_its_results():
    assert written(CLOSING).splitlines() == [
        "finished in 0:12:34: all epochs done",
        "best epoch 27 of 30, accuracy 0.9123",
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
