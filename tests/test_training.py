"""The loop and the step: what they compute, what they report, what they refuse."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.recipes import write_tiny_recipe
from torch import Tensor

from shortcut import step, training
from shortcut.data.folders import read_folder
from shortcut.data.loaders import Batch
from shortcut.data.splits import carve_validation
from shortcut.errors import NumbersError
from shortcut.events import EpochEnd, Finished, Notice, Progress, Step
from shortcut.job import Job
from shortcut.models import ResNet
from shortcut.precision import PLAIN, Choice
from shortcut.preparation import prepare
from shortcut.recipe import read_recipe
from shortcut.step import Taken, train_step
from shortcut.training import fit
from shortcut.world import find_world


def make_job(photos: Path, changes: dict[str, object] | None = None) -> Job:
    """A job on `photos` by the tiny recipe."""
    recipe = read_recipe(write_tiny_recipe(photos.parent), changes)
    train, val = carve_validation(read_folder(photos).parts["all"], fraction=0.25, seed=0)
    parts = {"train": train, "val": val}
    story = prepare(recipe, parts, find_world("cpu"), cache=photos.parent, choice=Choice(PLAIN, {}))
    while True:
        try:
            next(story)
        except StopIteration as end:
            return end.value


def test_an_epoch_reports_every_step_and_then_itself(tiny_photos: Path) -> None:
    events = list(fit(make_job(tiny_photos)))
    kinds = [type(event) for event in events]
    assert kinds == [Step, Step, Step, Progress, EpochEnd] * 3 + [Finished]
    steps = [event for event in events if isinstance(event, Step)]
    assert [(step.epoch, step.step) for step in steps] == [
        (e, s) for e in (1, 2, 3) for s in (1, 2, 3)
    ]
    assert all(
        step.steps == 3 and 0 <= step.waiting <= 1 and step.seconds_left >= 0 for step in steps
    )


def test_sizes_may_be_planned_anew_between_two_steps(
    tiny_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to come has the new size, in the order that it would have had."""
    seen: list[tuple[int, tuple[int, ...]]] = []

    def watched(job: Job, batches: Sequence[Batch], *where: int) -> Taken | None:
        seen.extend((batch.images.size(1), batch.indices) for batch in batches)
        return train_step(job, batches, *where)

    monkeypatch.setattr(training, "train_step", watched)
    job = make_job(tiny_photos, {"train.epochs": 1})
    order = [batch.indices for batch in job.train.epoch(0)]
    for event in fit(job):
        if isinstance(event, Step) and event.step == 1:
            job.plan([12])
    assert seen == list(zip([16, 12, 12], order, strict=True))
    assert job.history[0].image_size == 12 and job.history[0].train_accuracy <= 1


def test_it_learns(tiny_photos: Path) -> None:
    *_, last, _ = fit(make_job(tiny_photos, {"train.epochs": 6}))
    assert isinstance(last, EpochEnd)
    assert last.val_accuracy == 1.0
    assert last.train_loss < 0.5


def test_it_stops_when_validation_has_shown_the_accuracy(tiny_photos: Path) -> None:
    changes = {"train.epochs": 40, "train.target_accuracy": 0.9}
    *_, last, finished = fit(make_job(tiny_photos, changes))
    assert isinstance(last, EpochEnd) and isinstance(finished, Finished)
    assert last.val_accuracy >= 0.9
    assert finished.epochs == last.epoch < 40
    assert finished.reason == "accuracy 0.9 reached"


def test_equal_seeds_give_equal_bits_for_any_number_of_threads(tiny_photos: Path) -> None:
    first = make_job(tiny_photos)
    second = make_job(tiny_photos, {"data.workers": 0})
    for job in (first, second):
        list(fit(job))
    ours, theirs = (job.classifier.model.state_dict() for job in (first, second))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    other = make_job(tiny_photos, {"seed": 1})
    list(fit(other))
    assert not torch.equal(ours["conv1.weight"], other.classifier.model.conv1.weight)


def test_accumulated_gradients_equal_the_mean_over_all_pictures(tiny_photos: Path) -> None:
    job = make_job(tiny_photos, {"optim.name": "sgd", "train.accumulate": 3})
    batches = list(job.train.epoch(0))
    assert [len(batch.labels) for batch in batches] == [6, 6, 6]
    batches[2] = _first(batches[2], 2)  # unequal parts must be weighted by their pictures
    expected = _mean_gradient(job, batches)
    before = job.classifier.model.fc.weight.detach().clone()
    train_step(job, batches, 0)
    lr = job.optimizer.param_groups[0]["lr"]
    nesterovs_first_step = 1 + 0.9
    moved = (before - job.classifier.model.fc.weight) / (lr * nesterovs_first_step)
    decay = 5e-4 * before
    torch.testing.assert_close(moved, expected + decay, rtol=1e-4, atol=1e-6)


def test_accumulation_makes_fewer_steps(tiny_photos: Path) -> None:
    job = make_job(tiny_photos, {"train.accumulate": 2, "train.epochs": 1})
    assert [e.steps for e in fit(job) if isinstance(e, Step)] == [2, 2]
    assert job.step == 2


def spoil(monkeypatch: pytest.MonkeyPatch, steps: set[int], value: float) -> None:
    """Makes the loss of these steps, counted from 0, and with it every gradient, `value`."""
    original, calls = step._loss, itertools.count()

    def spoilt(*arguments: Any) -> Tensor:
        loss = original(*arguments)
        return loss * value if next(calls) in steps else loss

    monkeypatch.setattr(step, "_loss", spoilt)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_reach_nothing(
    value: float, tiny_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tiny_photos, {"train.ema_decay": 0.9, "train.epochs": 1})
    spoil(monkeypatch, {1}, value)
    story = fit(job)
    first = next(story)
    assert isinstance(first, Step)
    before = {name: value.clone() for name, value in job.classifier.model.state_dict().items()}
    told = next(story)
    assert isinstance(told, Notice)
    assert told.text == "epoch 1, step 2: loss or gradient not finite; step left out"
    after = job.classifier.model.state_dict()
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert job.step == 1
    kinds = [type(event) for event in story]
    assert kinds == [Step, Progress, EpochEnd, Finished]
    assert all(bool(tensor.isfinite().all()) for tensor in job.measured.model.state_dict().values())
    assert job.history[0].train_loss < 10


def test_three_such_steps_in_a_row_end_it_and_the_pictures_are_named(
    tiny_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tiny_photos)
    spoil(monkeypatch, {1, 3, 4, 5}, float("nan"))
    with pytest.raises(NumbersError) as refusal:
        list(fit(job))
    text = str(refusal.value)
    assert "3 steps in a row" in text and "epoch 2, step 3 (pictures photo-" in text
    assert "try `--lr 0.001`" in text


def test_answers_that_are_not_finite_are_no_measurement(tiny_photos: Path) -> None:
    job = make_job(tiny_photos, {"train.epochs": 1})
    for event in fit(job):
        if isinstance(event, Step) and event.step == event.steps:
            with torch.no_grad():
                job.classifier.model.fc.bias.fill_(float("nan"))
            break
    with pytest.raises(NumbersError, match="validation loss is nan after epoch 1"):
        list(fit(job))
    assert job.best is None


def out_of_memory_at(
    monkeypatch: pytest.MonkeyPatch, number: int, error: Exception, above: int
) -> None:
    """From call `number` on, the network does not take more than `above` pictures at a time."""
    forward, calls = ResNet.forward, itertools.count()

    def limited(model: ResNet, images: Tensor) -> Tensor:
        call = next(calls)
        outputs = forward(model, images)
        if model.training and call >= number and len(images) > above:
            raise error
        return outputs

    monkeypatch.setattr(ResNet, "forward", limited)


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("number", [0, 2])
def test_where_memory_runs_out_a_batch_goes_in_pieces(
    number: int, error: Exception, tiny_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, object] = {"train.epochs": 1, "train.ema_decay": 0.9}
    halves = make_job(tiny_photos, settings)
    halves.pieces = 2 if number == 0 else 1
    expected: list[float] = []
    for event in fit(halves):
        if isinstance(event, Step):
            expected.append(event.loss)
            halves.pieces = 2 if event.step >= number else 1
    job = make_job(tiny_photos, settings)
    out_of_memory_at(monkeypatch, number, error, above=3)
    events = list(fit(job))
    losses = [event.loss for event in events if isinstance(event, Step)]
    assert losses == expected
    (told,) = [event.text for event in events if isinstance(event, Notice)]
    assert told.startswith("out of memory: each batch of 6 pictures now goes through the network")
    ours, theirs = job.measured.model.state_dict(), halves.measured.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_memory_that_does_not_do_for_two_pictures_ends_it(
    tiny_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory_at(monkeypatch, 0, MemoryError(), above=0)
    with pytest.raises(MemoryError):
        list(fit(make_job(tiny_photos)))


def test_pieces_are_what_smaller_batches_accumulated_would_be(tiny_photos: Path) -> None:
    """The same pictures, the same sums: bit for bit, batch norm included."""
    pieces = make_job(tiny_photos, {"train.epochs": 1})
    pieces.pieces = 2
    small = make_job(tiny_photos, {"train.epochs": 1, "train.batch_size": 3, "train.accumulate": 2})
    losses = [[e.loss for e in fit(job) if isinstance(e, Step)] for job in (pieces, small)]
    assert losses[0] == losses[1]


def test_patience_ends_the_training(tiny_photos: Path) -> None:
    job = make_job(tiny_photos, {"train.epochs": 50, "train.patience": 2, "optim.lr": 1e-9})
    *_, finished = fit(job)
    assert isinstance(finished, Finished)
    assert finished.reason == "no progress for 2 epochs"
    assert finished.epochs < 50


def test_averaged_weights_are_the_ones_measured(tiny_photos: Path) -> None:
    job = make_job(tiny_photos, {"train.ema_decay": 0.9, "train.epochs": 1})
    list(fit(job))
    assert job.averaged is not None
    assert job.measured.model is job.averaged.module
    assert not torch.equal(job.measured.model.conv1.weight, job.classifier.model.conv1.weight)


@pytest.mark.parametrize(
    "changes",
    [
        {"augment.mixup": 0.2},
        {"augment.cutmix": 1.0},
        {"augment.mixup": 0.2, "augment.cutmix": 1.0},
        {"train.label_smoothing": 0.1},
        {"train.clip_norm": 0.5},
        {"augment.start_scale": 0.5},
        {"optim.name": "sgd"},
        {"schedule.name": "cosine"},
        {"augment.crop.name": "resized"},
    ],
    ids=str,
)
def test_every_option_trains_and_is_not_without_effect(
    tiny_photos: Path, changes: dict[str, object]
) -> None:
    plain, changed = make_job(tiny_photos), make_job(tiny_photos, changes)
    *_, with_option, _ = fit(changed)
    assert isinstance(with_option, EpochEnd)
    assert with_option.train_loss < 5
    list(fit(plain))
    weights = (job.classifier.model.conv1.weight for job in (plain, changed))
    assert not torch.equal(*weights)


def _first(batch: Batch, count: int) -> Batch:
    return replace(
        batch,
        images=batch.images[:count],
        labels=batch.labels[:count],
        indices=batch.indices[:count],
        counted=count,
        total=count,
    )


def _mean_gradient(job: Job, batches: Sequence[Batch]) -> torch.Tensor:
    """Of the last layer's weight, by plain autograd: batch norm sees each batch by itself."""
    model = job.classifier.model.train()
    total = sum(len(batch.labels) for batch in batches)
    outputs = [model(job.classifier.normalise(batch.images)) for batch in batches]
    losses = [
        F.cross_entropy(output, batch.labels, reduction="sum")
        for output, batch in zip(outputs, batches, strict=True)
    ]
    (gradient,) = torch.autograd.grad(sum(losses, torch.zeros(())) / total, model.fc.weight)
    return gradient
