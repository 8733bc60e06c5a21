"""The loop and the step: what they compute, what they report, what they refuse."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.recipes import write_tiny_recipe

from shortcut.data.folders import read_folder
from shortcut.data.loaders import Batch
from shortcut.data.splits import carve_validation
from shortcut.errors import NumbersError
from shortcut.events import EpochEnd, Finished, Step
from shortcut.job import Job
from shortcut.precision import PLAIN, Choice
from shortcut.preparation import prepare
from shortcut.recipe import read_recipe
from shortcut.step import train_step
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
    assert kinds == [Step, Step, Step, EpochEnd] * 3 + [Finished]
    steps = [event for event in events if isinstance(event, Step)]
    assert [(step.epoch, step.step) for step in steps] == [
        (e, s) for e in (1, 2, 3) for s in (1, 2, 3)
    ]
    assert all(
        step.steps == 3 and 0 <= step.waiting <= 1 and step.seconds_left >= 0 for step in steps
    )


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


def test_a_loss_that_is_not_finite_never_reaches_the_weights(tiny_photos: Path) -> None:
    job = make_job(tiny_photos)
    with torch.no_grad():
        job.classifier.model.fc.bias.fill_(float("nan"))
    before = job.classifier.model.conv1.weight.detach().clone()
    with pytest.raises(NumbersError, match="epoch 1"):
        list(fit(job))
    assert torch.equal(before, job.classifier.model.conv1.weight)


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
