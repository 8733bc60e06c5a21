"""Costs: measured on a copy, alone, and as what they will be."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.test_planning import COSTS, WORK
from tests.test_training import make_job
from torch import nn
from torch.optim import Optimizer

from shortcut import costs as costs_module
from shortcut.classifier import Classifier
from shortcut.costs import UNSURE, Costs, Work, measure_costs, measure_optimizers
from shortcut.data.loaders import Batch, EvaluationLoader
from shortcut.job import Job
from shortcut.norms import SyncedNorm, sync_norms
from shortcut.optim import make_optimizer
from shortcut.precision import BF16, EXACT, Precision
from shortcut.recipe import read_recipe
from shortcut.settings import OptimSettings
from shortcut.world import ALONE


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Goes only when it is told to: what is measured in float32 takes four seconds, else one."""
    told = SimpleNamespace(now=0.0, mirrors=[])

    def measure(classifier: Classifier, _: EvaluationLoader, precision: Precision) -> None:
        told.now += 4.0 if precision == EXACT else 1.0
        told.mirrors.append(classifier.mirror_below)

    monkeypatch.setattr(costs_module, "time", SimpleNamespace(perf_counter=lambda: told.now))
    monkeypatch.setattr(costs_module, "train_step", lambda *_: None)
    monkeypatch.setattr(costs_module, "measure", measure)
    return told


def test_the_optimizer_is_timed_with_all_gradients(monkeypatch: pytest.MonkeyPatch):
    """Muon takes them away: without new ones there would be nothing to time."""
    found: list[bool] = []

    def spied(model: nn.Module, settings: OptimSettings) -> Optimizer:
        optimizer = make_optimizer(model, settings)
        step = optimizer.step

        def counted() -> None:
            found.append(all(parameter.grad is not None for parameter in model.parameters()))
            step()

        optimizer.step = counted
        return optimizer

    monkeypatch.setattr(costs_module, "make_optimizer", spied)
    optim, names = read_recipe("balanced").optim, ("resnet20", "resnet18_pool32")
    seconds = measure_optimizers(names, optim, 2, torch.device("cpu"))
    assert found == [True] * 4
    assert seconds.keys() == set(names) and min(seconds.values()) > 0


@pytest.mark.parametrize(
    ("below", "classes", "passes"),
    [(0.0, 2, 1.0), (0.9, 2, 1 + UNSURE), (1.0, 2, 2.0), (0.0, 3, 1.0), (0.9, 3, 2.0)],
)
def test_the_end_is_measured_in_float32_with_the_mirror_images_that_will_be_asked(
    below: float, classes: int, passes: float, tiny_photos: Path, clock: SimpleNamespace
):
    job = make_job(tiny_photos)
    job.classifier.mirror_below = below
    job.classifier.classes = tuple("abc"[:classes])
    job.precision = BF16
    costs, pictures = measure_costs(job, (16, 32)), len(job.val.labels)
    assert costs.measuring == pytest.approx(passes * 1 / pictures)
    assert costs.final == pytest.approx(passes * 4 / pictures)
    assert set(clock.mirrors) == {0.0}


def test_steps_are_timed_as_they_will_be(tiny_photos: Path, monkeypatch: pytest.MonkeyPatch):
    """In training mode, which a fitted head leaves, with all batches of a step, and of each the
    share of one of four processes."""
    seen: list[tuple[bool, list[int]]] = []

    def step(trial: Job, batches: list[Batch], _: int) -> None:
        sizes = [len(batch.labels) for batch in batches]
        seen.append((trial.classifier.model.training, sizes))

    monkeypatch.setattr(costs_module, "train_step", step)
    job = make_job(tiny_photos, {"train.batch_size": 12, "train.accumulate": 2})
    job.classifier.model.eval()
    measure_costs(replace(job, world=replace(ALONE, size=4)), (16, 32))
    assert seen == [(True, [3, 3])] * 10


def test_costs_are_measured_on_a_copy(tiny_photos: Path):
    job = make_job(tiny_photos, {"train.ema_decay": 0.9})
    before = {name: value.clone() for name, value in job.classifier.model.state_dict().items()}
    costs = measure_costs(job, (16, 32))
    assert costs.training(32) > 0 and costs.measuring > 0 and costs.final > 0
    assert all(
        torch.equal(before[name], value)
        for name, value in job.classifier.model.state_dict().items()
    )
    assert job.step == 0 and not job.history and not job.optimizer.state
    averaged = job.averaged
    assert averaged is not None and int(averaged.n_averaged) == 0
    assert all(parameter.grad is None for parameter in job.classifier.model.parameters())


def test_costs_are_measured_without_the_other_processes(tiny_photos: Path):
    """They wait elsewhere: a norm that asked them would never hear an answer."""
    job = make_job(tiny_photos)
    sync_norms(job.classifier.model, torch.device("cpu"))
    assert measure_costs(job, (16, 32)).training(32) > 0
    kinds = {type(layer) for layer in job.classifier.model.modules()}
    assert SyncedNorm in kinds and torch.nn.BatchNorm2d not in kinds


def test_a_slow_step_is_timed_once(tiny_photos: Path, monkeypatch: pytest.MonkeyPatch):
    taken: list[int] = []
    monkeypatch.setattr(costs_module, "train_step", lambda *_: taken.append(1))
    monkeypatch.setattr(costs_module, "PATIENCE", 1e-9)
    measure_costs(make_job(tiny_photos), (16, 32))
    assert len(taken) == 2


def test_a_learning_rate_that_would_explode_does_not_spoil_the_timing(tiny_photos: Path):
    job = make_job(tiny_photos, {"optim.name": "sgd", "optim.lr": 1e30})
    assert measure_costs(job, (16, 32)).training(32) > 0


@given(WORK, COSTS, st.integers(1, 64))
def test_processes_share_an_epoch_and_the_first_ends_alone(work, costs, processes):
    shared = replace(work, processes=processes)
    assert shared.epoch(96, costs) * processes == pytest.approx(work.epoch(96, costs))
    assert shared.ending(costs) == work.ending(costs)


def test_test_pictures_are_opened_at_the_end():
    costs, work = Costs(1e-3, 1e-7, 2e-3, 4e-3), Work(100, 30, 60)
    assert replace(work, opening=40.0).ending(costs) == pytest.approx(work.ending(costs) + 40)


def test_a_larger_machine_does_everything_faster():
    costs = Costs(1e-3, 1e-7, 2e-3, 4e-3)
    assert costs.scaled(2) == Costs(2e-3, 2e-7, 4e-3, 8e-3)
    assert replace(costs, fixed=0).training(100) == pytest.approx(1e-3)
