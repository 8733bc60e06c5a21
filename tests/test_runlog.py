"""log.txt in the tutorials' own lines, results.csv, events.jsonl."""

import csv
import errno
import io
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from shortcut.errors import ResourceError
from shortcut.events import EpochEnd, Event, Finished, Measured, Notice, Progress, Saved, Step
from shortcut.runlog import RESULT_COLUMNS, Mark, RunLog, trained_seconds


def a_step(step: int, loss: float, epoch: int = 1) -> Step:
    return Step(
        epoch=epoch,
        epochs=200,
        step=step,
        steps=500,
        loss=loss,
        lr=0.001,
        images_per_second=100.0,
        waiting=0.0,
        seconds_left=60.0,
    )


def an_epoch(**values: object) -> EpochEnd:
    facts = {
        "epoch": 1,
        "epochs": 5,
        "train_loss": 0.6219,
        "train_accuracy": 0.755,
        "val_loss": 0.5,
        "val_accuracy": 0.760,
        "lr": 0.001,
        "seconds": 26.4,
        "images_per_second": 80.0,
        "waiting": 0.25,
        "image_size": 224,
        "improved": True,
    }
    return EpochEnd(**(facts | values))


def logged(
    folder: Path, events: Sequence[Event], *, measured_on: str = "test", interval: int = 20
) -> list[str]:
    with RunLog(folder, measured_on=measured_on, interval=interval) as log:
        log.rewind(Mark(), [])
        for event in events:
            log.write(event)
    return (folder / "log.txt").read_text("utf-8").splitlines()


def test_the_hot_dog_tutorials_line(tmp_path):
    lines = logged(tmp_path, [an_epoch()])
    assert lines[-1] == "epoch 1, loss 0.6219, train acc 0.755, test acc 0.760, time 26.4 sec"


def test_the_cats_and_dogs_tutorials_lines(tmp_path):
    steps = [a_step(number, 0.853) for number in range(1, 21)]
    lines = logged(tmp_path, [*steps, an_epoch(train_loss=0.678, val_accuracy=0.601)])
    assert lines[:3] == [
        "[epoch 1, batch 20] loss: 0.853",
        "epoch 1 av_train_loss: 0.678 lr: 0.00100",
        "epoch 1 av_test_acc: 0.601",
    ]


def test_lines_name_the_part_that_was_measured(tmp_path):
    lines = logged(tmp_path, [an_epoch(lr=0.00049)], measured_on="val")
    assert lines == [
        "epoch 1 av_train_loss: 0.622 lr: 0.00049",
        "epoch 1 av_val_acc: 0.760",
        "epoch 1, loss 0.6219, train acc 0.755, val acc 0.760, time 26.4 sec",
    ]


def test_a_loss_line_is_the_mean_since_the_last(tmp_path):
    losses = [1.0, 2.0, 3.0, 4.0, 99.0]
    steps = [a_step(number, loss) for number, loss in enumerate(losses, 1)]
    lines = logged(tmp_path, steps, interval=2)
    assert lines == ["[epoch 1, batch 2] loss: 1.500", "[epoch 1, batch 4] loss: 3.500"]


def test_what_an_epoch_leaves_over_does_not_leak_into_the_next(tmp_path):
    first = [a_step(number, 50.0) for number in (1, 2, 3)]
    second = [a_step(number, 1.0, epoch=2) for number in (1, 2)]
    lines = logged(tmp_path, [*first, *second], interval=2)
    assert lines == ["[epoch 1, batch 2] loss: 50.000", "[epoch 2, batch 2] loss: 1.000"]


def test_other_events_are_one_line_each(tmp_path):
    events = [
        Notice("small stem for pictures of 16 px"),
        Progress("pictures", 256, 1000),
        Saved("run folder", Path("runs/a")),
        Measured("test", 7, 8, 0.875, (0.5, 0.97)),
        Finished(3, 2, 0.875, 12.3456789, "all epochs done"),
    ]
    lines = logged(tmp_path, events)
    assert lines[0] == "small stem for pictures of 16 px"
    assert lines[1] == "run folder: runs/a"
    assert lines[2] == "test accuracy 0.8750 [0.5000, 0.9700], 8 pictures"
    assert lines[3] == "finished in 12 sec: all epochs done; best epoch 2, accuracy 0.8750"
    assert len(lines) == 4


def test_results_are_a_row_an_epoch(tmp_path):
    logged(tmp_path, [an_epoch(), an_epoch(epoch=2, improved=False, train_loss=1 / 3)])
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == RESULT_COLUMNS
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert rows[0] | {"epoch": "1"} == {
        "epoch": "1",
        "train_loss": "0.6219",
        "train_accuracy": "0.755",
        "val_loss": "0.5",
        "val_accuracy": "0.76",
        "lr": "0.001",
        "image_size": "224",
        "images_per_second": "80",
        "seconds": "26.4",
        "improved": "True",
    }
    assert (rows[1]["train_loss"], rows[1]["improved"]) == ("0.333333", "False")


def test_every_line_of_events_is_an_object_with_a_time(tmp_path):
    events = [
        Notice("größer 猫"),
        *[a_step(number, 0.5) for number in range(1, 5)],
        an_epoch(),
        Saved("model", tmp_path / "best.safetensors"),
        Measured("val", 7, 8, 0.875, (0.5, 0.97)),
        Finished(1, 1, 0.875, 1.0, "all epochs done"),
    ]
    logged(tmp_path, events, interval=2)
    lines = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    kinds = ["Notice", "Step", "Step", "EpochEnd", "Saved", "Measured", "Finished"]
    assert [record["event"] for record in records] == kinds
    times = [datetime.fromisoformat(record["time"]) for record in records]
    assert times == sorted(times) and all(time.tzinfo for time in times)
    assert records[0]["text"] == "größer 猫"
    assert records[2]["step"] == 4
    assert records[3]["val_accuracy"] == 0.760
    assert records[4]["path"] == str(tmp_path / "best.safetensors")
    assert records[5]["interval"] == [0.5, 0.97]


def test_what_came_after_a_mark_stands_there_once(tmp_path):
    with RunLog(tmp_path, measured_on="test", interval=2) as log:
        for event in (*[a_step(number, float(number)) for number in (1, 2, 3)], an_epoch()):
            log.write(event)
        mark = log.mark()
        log.write(an_epoch(epoch=2))
    with (tmp_path / "log.txt").open("a") as file:
        file.write("half a li")
    again = RunLog(tmp_path, measured_on="test", interval=2)
    with again as log:
        log.rewind(mark, [an_epoch()])
        log.write(an_epoch(epoch=2))
    rows = (tmp_path / "results.csv").read_text("utf-8").splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    lines = (tmp_path / "log.txt").read_text("utf-8").splitlines()
    assert len(lines) == 7 and lines[-1].startswith("epoch 2, loss")
    events = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["event"] for line in events] == ["Step", "EpochEnd", "EpochEnd"]


def test_a_loss_line_goes_on_from_the_middle_of_its_steps(tmp_path):
    steps = [a_step(number, loss) for number, loss in enumerate([1.0, 2.0, 3.0, 4.0], 1)]
    with RunLog(tmp_path, measured_on="val", interval=4) as log:
        for event in steps[:3]:
            log.write(event)
        mark = log.mark()
    with RunLog(tmp_path, measured_on="val", interval=4) as log:
        log.rewind(Mark(mark.log, mark.events, mark.losses), [])
        log.write(steps[3])
    assert (tmp_path / "log.txt").read_text() == "[epoch 1, batch 4] loss: 2.500\n"


def test_a_log_that_is_shorter_than_its_mark_stays_as_it_is(tmp_path):
    """After a power cut, say."""
    (tmp_path / "log.txt").write_text("one line\n")
    with RunLog(tmp_path, measured_on="val", interval=4) as log:
        log.rewind(Mark(log=900, events=900), [])
        log.write(Notice("another"))
    assert (tmp_path / "log.txt").read_bytes() == b"one line\nanother\n"


def test_what_was_reported_is_on_disk_at_once(tmp_path):
    log = RunLog(tmp_path, measured_on="val", interval=1)
    with log:
        log.rewind(Mark(), [])
        log.write(a_step(1, 0.5))
        log.write(an_epoch())
        assert len((tmp_path / "log.txt").read_text("utf-8").splitlines()) == 4
        assert len((tmp_path / "results.csv").read_text("utf-8").splitlines()) == 2
        assert len((tmp_path / "events.jsonl").read_text("utf-8").splitlines()) == 2


def test_the_files_are_closed_when_something_fails(tmp_path):
    log = RunLog(tmp_path, measured_on="val", interval=1)
    with pytest.raises(KeyboardInterrupt), log:
        raise KeyboardInterrupt
    assert all(lines.file.closed for lines in log.files)


class Full(io.FileIO):
    """A file on a disk that takes so many more bytes, and none after that."""

    room = 0

    def write(self, data: bytes, /) -> int:
        taken = data[: self.room]
        self.room -= len(taken)
        if data and not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(taken)


def test_a_disk_that_is_full_for_a_while_costs_no_line(tmp_path):
    with RunLog(tmp_path, measured_on="val", interval=1) as log:
        log.rewind(Mark(), [])
        log.write(Notice("before"))
        log.log.file.close()
        log.log.file = full = Full(tmp_path / "log.txt", "a")
        full.room = 4
        for text in ("one", "two", "three"):
            log.write(Notice(text))
        assert (tmp_path / "log.txt").read_text("utf-8") == "before\none\n"
        with pytest.raises(ResourceError, match=r"log\.txt: cannot be written \(No space left"):
            log.mark()
        full.room = 1000
        log.write(Notice("after"))
        assert log.mark().log == (tmp_path / "log.txt").stat().st_size
    lines = (tmp_path / "log.txt").read_text("utf-8").splitlines()
    assert lines == ["before", "one", "two", "three", "after"]


def test_the_time_of_a_training_is_that_of_its_epochs(tmp_path: Path) -> None:
    assert trained_seconds(tmp_path) is None
    (tmp_path / "results.csv").write_text("epoch,seconds\n1,2.5\n2,3\n")
    assert trained_seconds(tmp_path) == 5.5
    for damaged in ("epoch\n1\n", "epoch,seconds\n1\n", "epoch,seconds\n1,?\n"):
        (tmp_path / "results.csv").write_text(damaged)
        assert trained_seconds(tmp_path) is None
