"""Nothing lost: closed, stopped or gone wrong anywhere, a training goes on as if nothing had
happened."""

import itertools
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.recipes import write_tiny_recipe
from tests.stories import CalmPace, drain, save_always, stop_at

from shortcut import checkpoint, course, keeping, step
from shortcut.budget import Budget
from shortcut.checkpoint import load_state
from shortcut.classifier import Classifier
from shortcut.errors import DataError, InterruptedRunError, NumbersError, ResourceError
from shortcut.events import EpochEnd, Event, Notice, Progress, Saved, Step
from shortcut.proof import differences
from shortcut.recipe import read_recipe
from shortcut.runlog import Lines
from shortcut.runs import resuming, training
from shortcut.signals import Stop

VARIANTS: dict[str, dict[str, object]] = {
    "everything": {
        "train.ema_decay": 0.9,
        "augment.mixup": 0.2,
        "augment.start_scale": 0.5,
        "optim.name": "muon",
        "train.label_smoothing": 0.1,
    },
    "accumulating": {
        "train.batch_size": 2,
        "train.accumulate": 3,
        "optim.name": "sgd",
        "schedule.name": "plateau",
        "schedule.patience": 0,
        "train.clip_norm": 1.0,
    },
}


@pytest.fixture
def photos(tiny_photos: Path) -> Path:
    return tiny_photos


def recipe_of(tmp_path: Path, changes: dict[str, object] | None = None) -> Any:
    return read_recipe(write_tiny_recipe(tmp_path), changes or {})


@pytest.mark.parametrize("variant", VARIANTS)
def test_closed_at_any_event_it_ends_with_the_same_bits(
    variant: str, photos: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, VARIANTS[variant])
    events, _ = drain(training(photos, recipe, output=tmp_path / "whole", log_interval=2))
    kinds = [type(event) for event in events]
    begun, ended = kinds.index(Step), len(kinds) - kinds[::-1].index(EpochEnd)
    places = random.Random(variant).sample(range(begun, ended), 6)
    for place in sorted({*places, begun, ended - 1}):
        cut = tmp_path / f"cut{place}"
        count = itertools.count()
        story = training(photos, recipe, output=cut, log_interval=2)
        stop_at(story, lambda _, count=count, place=place: next(count) == place)
        drain(resuming(cut))
        assert list(differences(tmp_path / "whole", cut)) == [], events[place]


class Hurried(CalmPace):
    """Lets the last pictures be smaller wherever it may."""

    def glance(self, step: Step) -> None:
        self.job.plan([*self.job.train.sizes[:-1], 16 - 2 * step.step])


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_size_that_was_planned_within_an_epoch_is_gone_on_with(
    step: int, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run has no clock to look at: the new size is in the state."""
    monkeypatch.setattr(course, "Pace", Hurried)
    budget, recipe = Budget(60.0, time.monotonic(), free=False), recipe_of(tmp_path)
    events, _ = drain(training(photos, recipe, budget=budget, output=tmp_path / "whole"))
    sizes = [event.image_size for event in events if isinstance(event, EpochEnd)]
    assert sizes == [16, 16, 12]  # steps 1 and 2 of the last three
    stop_at(
        training(photos, recipe, budget=budget, output=tmp_path / "cut"),
        lambda event: isinstance(event, Step) and (event.epoch, event.step) == (3, step),
    )
    drain(resuming(tmp_path / "cut"))
    same = list(differences(tmp_path / "whole", tmp_path / "cut")) == []
    assert same == (step > 1)  # after the first, nobody looked at the clock a second time


def test_closed_after_every_single_step_it_still_ends_with_the_same_bits(
    photos: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, VARIANTS["everything"])
    drain(training(photos, recipe, output=tmp_path / "whole"))
    stop_at(training(photos, recipe, output=tmp_path / "cut"), lambda e: isinstance(e, Step))
    for _ in range(8):
        stop_at(resuming(tmp_path / "cut"), lambda event: isinstance(event, Step))
    drain(resuming(tmp_path / "cut"))
    assert list(differences(tmp_path / "whole", tmp_path / "cut")) == []


def test_a_comparison_that_finds_nothing_would_find_something(photos: Path, tmp_path: Path) -> None:
    for run, seed in (("one", 0), ("other", 1)):
        drain(training(photos, recipe_of(tmp_path, {"seed": seed}), output=tmp_path / run))
    found = list(differences(tmp_path / "one", tmp_path / "other"))
    for what in ("best.safetensors: conv1.weight", "state: history", "log.txt", "results.csv"):
        assert any(line.startswith(what) for line in found), what


def test_states_are_saved_in_the_middle_of_an_epoch_when_that_is_cheap(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_always(monkeypatch)
    seen: list[int] = []
    for event in training(photos, recipe_of(tmp_path), output=tmp_path / "run"):
        if isinstance(event, Step):
            found = load_state(tmp_path / "run" / "resume")
            assert found is not None
            seen.append(found[0].step)
    assert seen == list(range(1, 10))


def test_states_wait_until_they_are_worth_it(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that is short for its price saves at its beginning and at its end."""
    monkeypatch.setattr(keeping, "PRICE", 1e-9)
    for event in training(photos, recipe_of(tmp_path), output=tmp_path / "run"):
        if isinstance(event, Step):
            (state,) = (tmp_path / "run" / "resume").glob("*-step-*")
            assert state.name == "0001-step-000000"
    assert (tmp_path / "run" / "resume" / "0002-step-000009").is_dir()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("where", [Step, Progress, EpochEnd])
def test_a_signal_is_obeyed_at_the_next_edge_and_costs_no_step(
    where: type[Event], number: int, photos: Path, tmp_path: Path
) -> None:
    recipe, stop = recipe_of(tmp_path), Stop()
    story = training(photos, recipe, output=tmp_path / "run", stop=stop)
    steps = 0
    with pytest.raises(InterruptedRunError, match="nothing is lost") as refusal, stop:
        for event in story:
            steps += isinstance(event, Step)
            began = steps > 0 and not isinstance(event, Saved)
            if began and isinstance(event, where) and not stop.number:
                signal.raise_signal(number)
    assert refusal.value.exit_code == 128 + number
    assert "shortcut resume" in str(refusal.value)
    found = load_state(tmp_path / "run" / "resume")
    assert found is not None and found[0].step == steps


def test_a_signal_before_the_training_leaves_nothing(photos: Path, tmp_path: Path) -> None:
    stop = Stop()
    story = training(photos, recipe_of(tmp_path), output=tmp_path / "run", stop=stop)
    with pytest.raises(KeyboardInterrupt), stop:
        for event in story:
            if isinstance(event, Progress):
                signal.raise_signal(signal.SIGTERM)
    story.close()
    assert not (tmp_path / "run").exists()


def spoil(monkeypatch: pytest.MonkeyPatch, bad: Callable[[int], bool]) -> None:
    """Makes the loss NaN in those calls, counted from 0, of which `bad` says so."""
    original, calls = step._loss, itertools.count()

    def spoilt(*arguments: Any) -> torch.Tensor:
        loss = original(*arguments)
        return loss * float("nan") if bad(next(calls)) else loss

    monkeypatch.setattr(step, "_loss", spoilt)


def test_numbers_gone_wrong_bring_it_back_to_the_last_state_at_half_the_rate(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PRICE", 1e-9)  # the state at the beginning is the only one
    spoil(monkeypatch, lambda call: call in (5, 6, 7))
    events, outcome = drain(training(photos, recipe_of(tmp_path), output=tmp_path / "run"))
    rates = [event.lr for event in events if isinstance(event, Step)]
    assert rates[5] == rates[0] / 2  # five steps, then from the beginning again
    (told,) = [e.text for e in events if isinstance(e, Notice) and "half the learning" in e.text]
    assert told.endswith("back to step 0, on at half the learning rate")
    rows = (outcome.folder / "results.csv").read_text("utf-8").splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3"]
    log = (outcome.folder / "log.txt").read_text("utf-8")
    assert log.count("av_train_loss") == 3 and told in log
    found = load_state(outcome.folder / "resume")
    assert found is not None and found[0].lr_scale == 0.5


def test_the_second_time_it_ends_and_the_last_state_stays(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda call: call >= 5)
    with pytest.raises(NumbersError, match="learning rate is probably too high") as refusal:
        drain(training(photos, recipe_of(tmp_path), output=tmp_path / "run"))
    assert refusal.value.exit_code == 6
    found = load_state(tmp_path / "run" / "resume")
    assert found is not None
    assert all(bool(tensor.isfinite().all()) for tensor in found[0].model.values())


def test_a_disk_that_is_full_for_a_while_does_not_end_the_training(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_always(monkeypatch)
    recipe = recipe_of(tmp_path)
    drain(training(photos, recipe, output=tmp_path / "whole"))
    attempts = itertools.count()
    _refuse(monkeypatch, lambda: next(attempts) in (2, 3, 6, 7))
    events, outcome = drain(training(photos, recipe, output=tmp_path / "full"))
    told = [e.text for e in events if isinstance(e, Notice) and e.text.startswith("not saved: ")]
    assert len(told) == 4 and all("Training goes on." in text for text in told)
    assert "not saved: " in (outcome.folder / "log.txt").read_text("utf-8")
    assert list(differences(tmp_path / "whole", tmp_path / "full")) == []


def test_with_the_weights_of_this_very_step_the_same_would_come_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_always(monkeypatch)  # a state after step 3 is there, and of no use
    spoil(monkeypatch, lambda call: call in (3, 4, 5))
    recipe = recipe_of(tmp_path, {"train.batch_size": 3})
    events, _ = drain(training(photos, recipe, output=tmp_path / "run"))
    (told,) = [e.text for e in events if isinstance(e, Notice) and "half the learning" in e.text]
    assert told.endswith("back to step 2, on at half the learning rate")


def test_an_epoch_without_a_single_usable_step(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda call: call == 0)
    recipe = recipe_of(tmp_path, {"train.batch_size": 18})  # a step an epoch
    events, outcome = drain(training(photos, recipe, output=tmp_path / "run"))
    ends = [event for event in events if isinstance(event, EpochEnd)]
    assert [end.images_per_second > 0 for end in ends] == [False, True, True]
    assert outcome.val.images == 6


def test_the_log_of_a_disk_that_is_full_for_a_while_is_whole_in_the_end(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_always(monkeypatch)
    recipe = recipe_of(tmp_path)
    drain(training(photos, recipe, output=tmp_path / "whole", log_interval=1))
    push, calls = Lines.push, itertools.count()

    def full(lines: Lines) -> None:
        if 30 < next(calls) < 36:
            raise OSError(28, "No space left on device")
        push(lines)

    monkeypatch.setattr(Lines, "push", full)
    events, _ = drain(training(photos, recipe, output=tmp_path / "full", log_interval=1))
    told = [e.text for e in events if isinstance(e, Notice) and e.text.startswith("not saved: ")]
    assert told and all("No space left" in text for text in told)
    assert list(differences(tmp_path / "whole", tmp_path / "full")) == []


def test_a_picture_that_is_gone_costs_no_step(photos: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, {"data.cache": "off", "data.workers": 0})
    steps, hidden = 0, photos.with_name("hidden")
    with pytest.raises(DataError, match="no such file"):
        for event in training(photos, recipe, output=tmp_path / "run"):
            steps += isinstance(event, Step)
            if steps == 1 and photos.exists():
                photos.rename(hidden)
    found = load_state(tmp_path / "run" / "resume")
    assert found is not None and found[0].step == steps < 9
    hidden.rename(photos)
    drain(resuming(tmp_path / "run"))
    drain(training(photos, recipe, output=tmp_path / "whole"))
    assert list(differences(tmp_path / "whole", tmp_path / "run")) == []


def test_a_disk_that_stays_full_ends_it_with_the_last_good_state(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_always(monkeypatch)
    attempts = itertools.count()
    _refuse(monkeypatch, lambda: next(attempts) >= 3)
    with pytest.raises(ResourceError, match=r"No space left .* good state is 0003-step-000002"):
        drain(training(photos, recipe_of(tmp_path), output=tmp_path / "run"))
    monkeypatch.undo()
    _, outcome = drain(resuming(tmp_path / "run"))
    assert outcome.val.images == 6


def test_an_improvement_that_cannot_be_written_is_written_later(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(tmp_path)
    drain(training(photos, recipe, output=tmp_path / "whole"))
    save, calls = Classifier.save, itertools.count()

    def failing(classifier: Classifier, path: Path) -> None:
        if next(calls) == 0:
            raise ResourceError("disk full")
        save(classifier, path)

    monkeypatch.setattr(Classifier, "save", failing)
    drain(training(photos, recipe, output=tmp_path / "late"))
    assert list(differences(tmp_path / "whole", tmp_path / "late")) == []


def test_one_that_could_not_be_written_never_replaces_a_later_one(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(tmp_path, {"train.epochs": 2})
    better = lambda **facts: EpochEnd(**facts | {"improved": True})  # noqa: E731
    monkeypatch.setattr("shortcut.training.EpochEnd", better)
    drain(training(photos, recipe, output=tmp_path / "whole"))
    save, calls = Classifier.save, itertools.count()

    def failing(classifier: Classifier, path: Path) -> None:
        if next(calls) < 2:  # at the end of the first epoch, and at once again
            raise ResourceError("disk full")
        save(classifier, path)

    monkeypatch.setattr(Classifier, "save", failing)
    drain(training(photos, recipe, output=tmp_path / "late"))
    whole, late = (load_file(tmp_path / run / "best.safetensors") for run in ("whole", "late"))
    assert all(torch.equal(whole[name], late[name]) for name in whole)


def _refuse(monkeypatch: pytest.MonkeyPatch, when: Callable[[], bool]) -> None:
    """The disk is full for states, when `when` says so."""
    seal = checkpoint.seal

    def full(*arguments: Any) -> None:
        if when():
            raise OSError(28, "No space left on device")
        seal(*arguments)

    monkeypatch.setattr(checkpoint, "seal", full)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
