"""Which step an event belongs to, when trackers begin, and that they never stand in the way."""

import threading
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
from tests.stories import drain, stop_at
from tests.tracking.reading import recipe_of

from shortcut.errors import DataError, InterruptedRunError, NumbersError
from shortcut.events import EpochEnd, Event, Finished, Measured, Notice, Saved, Step
from shortcut.runfolder import Facts, gather_facts
from shortcut.runs import resuming, training
from shortcut.tracking import following, tracked
from shortcut.tracking.items import Begin, Course, End, Figures, Item, Picture, Told, Tracked


@pytest.fixture
def items(monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    """What a tracker got, which keeps all it gets."""
    kept: list[Item] = []

    def keep(run: Tracked, items: Iterable[Item]) -> None:
        kept.extend(items)

    monkeypatch.setattr(following, "find_tracker", lambda _: keep)
    return kept


def step(epoch: int, number: int) -> Step:
    return Step(
        epoch, 3, number, 4, loss=1.0, lr=0.1, images_per_second=9, waiting=0, seconds_left=1
    )


def epoch_end(epoch: int) -> EpochEnd:
    return EpochEnd(epoch, 3, 0.5, 0.75, 0.4, 0.8, 0.1, 2.0, 9.0, 0.0, 16, improved=True)


FINISHED = Finished(3, 2, 0.8, 6.0, "all epochs done")


def facts(interval: int = 2) -> Facts:
    place = Path("photos")
    return gather_facts(
        "photos", "folders", place, measured_on="val", lang="en", log_interval=interval
    )


def places(course: Course, *events: Event) -> list[tuple[type[Item], int]]:
    return [(type(item), item.step) for event in events for item in course.items(event)]


def test_steps_are_counted_through_and_thinned():
    course = Course(facts(), 1)
    events = [step(1, 1), step(1, 2), step(1, 3), step(1, 4), epoch_end(1), step(2, 1), step(2, 2)]
    expected = [(Begin, 1), (Figures, 2), (Figures, 4), (Figures, 4), (Figures, 6)]
    assert places(course, *events) == expected


def test_results_stand_behind_the_last_step():
    course = Course(facts(), 1)
    places(course, step(3, 4))
    events = [epoch_end(3), FINISHED, Measured("val", 4, 5, 0.8, (0.5, 0.9))]
    events.append(Saved("curves", Path("curves.png")))
    found = [item for event in events for item in course.items(event)]
    assert [item.step for item in found] == [12, 13, 13, 13]
    assert found[0].values["val/accuracy"] == 0.8
    result = {"result/val_accuracy": 0.8, "result/val_accuracy_low": 0.5}
    assert found[2] == Figures(13, result | {"result/val_accuracy_high": 0.9})
    assert found[3] == Picture(13, Path("curves.png"))
    assert list(course.end("finished", "")) == [End(13, "finished", "")]


@pytest.mark.parametrize("back", [1, 2, 3])
def test_who_goes_back_says_so_also_where_thinned_steps_would_hide_it(back: int):
    course = Course(facts(), 1)
    places(course, step(1, 1), step(1, 2), step(1, 3))
    notice = Notice("back")
    (begin, told, *_) = [*course.items(notice), *course.items(step(1, back))]
    assert (begin, told) == (Begin(back), Told(back, ("back",)))


def test_a_training_that_goes_on_behind_the_last_step_of_an_epoch_knows_where():
    """There is no `Step` then before the end of the epoch."""
    assert places(Course(facts(), 4), epoch_end(2)) == [(Begin, 8), (Figures, 8)]


def test_items_of_a_whole_training(items: list[Item], tiny_photos: Path, tmp_path: Path) -> None:
    story = training(tiny_photos, recipe_of(tmp_path), output=tmp_path / "run", log_interval=2)
    events, outcome = drain(tracked(story, ["any"]))
    assert outcome.val.images == 6
    assert items[0] == Begin(1) and items[-1] == End(10, "finished", "")
    assert [type(item) for item in items].count(Begin) == 1
    steps = [item.step for item in items if isinstance(item, Figures) and "step/lr" in item.values]
    assert steps == [2, 4, 6, 8]
    told = [line for item in items if isinstance(item, Told) for line in item.lines]
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert [line for line in told if not line.startswith("best epoch")] == notices


def test_an_interrupted_training_goes_on_where_it_was(
    items: list[Item], tiny_photos: Path, tmp_path: Path
) -> None:
    story = training(tiny_photos, recipe_of(tmp_path), output=tmp_path / "run", log_interval=1)
    place = lambda event: isinstance(event, Step) and (event.epoch, event.step) == (2, 3)  # noqa: E731
    stop_at(tracked(story, ["any"]), place)
    assert items[-1] == End(6, "interrupted", "")
    items.clear()
    drain(tracked(resuming(tmp_path / "run"), ["any"]))
    assert items[0] == Begin(6)  # the end of the epoch: its last step is done
    assert [item.step for item in items if isinstance(item, Figures)][:2] == [6, 7]
    items.clear()
    drain(tracked(resuming(tmp_path / "run"), ["any"]))
    assert items[0] == Begin(10)  # results alone come again


@pytest.mark.parametrize(
    ("error", "status"),
    [(NumbersError("not finite"), "failed"), (InterruptedRunError("SIGTERM"), "interrupted")],
)
def test_how_it_ended(
    error: Exception, status: str, items: list[Item], tiny_photos: Path, tmp_path: Path
) -> None:
    def broken() -> Generator[Event, None, None]:
        story = training(tiny_photos, recipe_of(tmp_path), output=tmp_path / "run")
        for event in story:
            yield event
            if isinstance(event, Step):
                story.close()
                raise error

    with pytest.raises(type(error)):
        drain(tracked(broken(), ["any"]))
    assert items[-1] == End(1, status, str(error))


def test_nothing_is_left_of_a_training_that_never_began(
    items: list[Item], tiny_photos: Path, tmp_path: Path
) -> None:
    for file in (tiny_photos / "red").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError):
        drain(tracked(training(tiny_photos, recipe_of(tmp_path), output=tmp_path / "run"), ["any"]))
    assert items == [] and not (tmp_path / "run").exists()


def test_a_process_that_is_not_the_first_tracks_nothing(items: list[Item]) -> None:
    """It does not get to know the run folder."""

    def taking_part() -> Generator[Event, None, None]:
        yield Notice("reading")

    assert drain(tracked(taking_part(), ["any"])) == ([Notice("reading")], None)
    assert items == []


def test_a_tracker_that_fails_is_named_once_and_the_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, tiny_photos: Path, tmp_path: Path
) -> None:
    def fail(run: Tracked, items: Iterable[Item]) -> None:
        next(iter(items))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(following, "find_tracker", lambda _: fail)
    story = training(tiny_photos, recipe_of(tmp_path), output=tmp_path / "run")
    events, outcome = drain(tracked(story, ["any"]))
    told = [event.text for event in events if isinstance(event, Notice)]
    expected = "tracking has ended: any: No space left on device; the training is not affected"
    assert told.count(expected) == 1 and sum("tracking" in line for line in told) == 1
    assert outcome.val.images == 6


def test_nobody_waits_for_a_tracker_that_hangs(
    monkeypatch: pytest.MonkeyPatch, tiny_photos: Path, tmp_path: Path
) -> None:
    free = threading.Event()

    def hang(run: Tracked, items: Iterable[Item]) -> None:
        free.wait()

    monkeypatch.setattr(following, "find_tracker", lambda _: hang)
    monkeypatch.setattr(following, "PATIENCE", 0.1)
    story = training(tiny_photos, recipe_of(tmp_path), output=tmp_path / "run")
    events, outcome = drain(tracked(story, ["any"]))
    assert isinstance(events[-1], Notice) and "not all was taken" in events[-1].text
    assert outcome.val.images == 6
    free.set()
