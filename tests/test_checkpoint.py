"""States: exact when they come back, whole or not there, and never lost to a bad write."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from shortcut import checkpoint
from shortcut.checkpoint import State, load_state, optimizer_tensors, restore_optimizer, save_state
from shortcut.ema import make_average
from shortcut.errors import ModelError, ResourceError
from shortcut.events import EpochEnd
from shortcut.optim import make_optimizer
from shortcut.settings import AdamSettings, SgdSettings

OPTIMIZERS = [
    AdamSettings(name="adam", weight_decay=0.01),
    AdamSettings(name="adamw"),
    SgdSettings(name="sgd"),
    SgdSettings(name="sgd", momentum=0, nesterov=False),
]
EPOCH = EpochEnd(
    epoch=1,
    epochs=3,
    train_loss=1 / 3,
    train_accuracy=0.7,
    val_loss=0.1 + 0.2,
    val_accuracy=2 / 3,
    lr=1e-3,
    seconds=1.5,
    images_per_second=99.9,
    waiting=0.01,
    image_size=64,
    improved=True,
)


def net() -> nn.Module:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
    return nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    images = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    nn.functional.cross_entropy(model(images), torch.arange(6) % 3).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def state_at(number: int) -> State:
    return State(
        model={"weight": torch.full((2,), float(number))},
        optimizer={},
        averaged={},
        step=number,
        history=(EPOCH,),
        sizes=(64, 96),
        precision={"format": "fp32", "channels_last": False},
    )


def steps_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".partial")


@pytest.mark.parametrize("settings", OPTIMIZERS, ids=lambda s: f"{s.name}-{s.weight_decay}")
def test_after_the_way_to_disk_the_next_steps_are_equal_to_the_last_bit(settings, tmp_path):
    model = net()
    optimizer, average = make_optimizer(model, settings), make_average(model, 0.9)
    for seed in range(3):
        step(model, optimizer, seed)
        average.update_parameters(model)
    state = State(
        model=model.state_dict(),
        optimizer=optimizer_tensors(optimizer),
        averaged=average.state_dict(),
        step=3,
        history=(EPOCH,),
        sizes=(64, 96),
        precision={"format": "bf16", "channels_last": True},
    )
    assert save_state(tmp_path / "resume", state) == tmp_path / "resume" / "step-000003"
    found = load_state(tmp_path / "resume")
    assert found is not None

    twin = net()
    fresh, other = make_optimizer(twin, settings), make_average(twin, 0.9)
    twin.load_state_dict(found.model)
    restore_optimizer(fresh, found.optimizer)
    other.load_state_dict(found.averaged)
    for seed in (3, 4):
        for pair in ((model, optimizer, average), (twin, fresh, other)):
            step(pair[0], pair[1], seed)
            pair[2].update_parameters(pair[0])
    for ours, theirs in ((twin, model), (other, average)):
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), name
    assert (found.step, found.history) == (3, (EPOCH,))
    assert found.precision == {"format": "bf16", "channels_last": True}


def test_the_optimizer_before_its_first_step_has_nothing_to_keep():
    optimizer = make_optimizer(net(), AdamSettings(name="adam"))
    assert optimizer_tensors(optimizer) == {}
    restore_optimizer(optimizer, {})
    assert optimizer_tensors(optimizer) == {}


def test_settings_of_the_optimizer_come_from_the_recipe_not_from_the_state():
    model = net()
    optimizer = make_optimizer(model, AdamSettings(name="adam", lr=0.1))
    step(model, optimizer, 0)
    changed = make_optimizer(model, AdamSettings(name="adam", lr=0.2))
    restore_optimizer(changed, optimizer_tensors(optimizer))
    assert {group["lr"] for group in changed.param_groups} == {0.2}


def test_no_folder_and_an_empty_one_hold_no_state(tmp_path):
    assert load_state(tmp_path / "none") is None
    assert load_state(tmp_path) is None


def test_the_newest_states_stay(tmp_path):
    for number in range(1, 6):
        save_state(tmp_path, state_at(number))
    assert checkpoint.KEEP == 2
    assert steps_in(tmp_path) == ["step-000004", "step-000005"]
    found = load_state(tmp_path)
    assert found is not None and found.step == 5


def test_a_million_steps_are_newer_than_fewer(tmp_path):
    for number in (999_998, 999_999, 1_000_000):
        save_state(tmp_path, state_at(number))
    found = load_state(tmp_path)
    assert found is not None and found.step == 1_000_000


def test_a_state_is_written_again_over_itself(tmp_path):
    save_state(tmp_path, state_at(3))
    save_state(tmp_path, replace(state_at(3), history=()))
    found = load_state(tmp_path)
    assert found is not None and found.history == ()


def damage(folder: Path, how: str) -> None:
    facts = folder / "state.json"
    tensors = folder / "model.safetensors"
    if how == "cut json":
        facts.write_bytes(facts.read_bytes()[:40])
    elif how == "no json":
        facts.unlink()
    elif how == "binary json":
        facts.write_bytes(b"\xff\xfe\x00")
    elif how == "list for json":
        facts.write_text("[]", "utf-8")
    elif how == "history is a number":
        facts.write_text(json.dumps(json.loads(facts.read_text("utf-8")) | {"history": 3}), "utf-8")
    elif how == "strange epoch":
        values = json.loads(facts.read_text("utf-8")) | {"history": [{"epoch": 1}]}
        facts.write_text(json.dumps(values), "utf-8")
    elif how == "cut tensors":
        tensors.write_bytes(tensors.read_bytes()[:-3])
    elif how == "no tensors":
        tensors.unlink()
    elif how == "empty folder":
        shutil.rmtree(folder)
        folder.mkdir()


KINDS = [
    "cut json",
    "no json",
    "binary json",
    "list for json",
    "history is a number",
    "strange epoch",
    "cut tensors",
    "no tensors",
    "empty folder",
]


@pytest.mark.parametrize("how", KINDS)
def test_when_the_newest_is_damaged_the_one_before_serves(how, tmp_path):
    save_state(tmp_path, state_at(1))
    damage(save_state(tmp_path, state_at(2)), how)
    found = load_state(tmp_path)
    assert found is not None and found.step == 1


@pytest.mark.parametrize("how", KINDS)
def test_when_all_are_damaged_each_is_named(how, tmp_path):
    for number in (1, 2):
        damage(save_state(tmp_path, state_at(number)), how)
    with pytest.raises(ModelError, match=r"no state can be read .*step-000002.*step-000001"):
        load_state(tmp_path)


def test_half_written_states_are_ignored(tmp_path):
    save_state(tmp_path, state_at(1))
    shutil.copytree(tmp_path / "step-000001", tmp_path / "step-000009.partial")
    found = load_state(tmp_path)
    assert found is not None and found.step == 1
    save_state(tmp_path, state_at(9))
    assert steps_in(tmp_path) == ["step-000001", "step-000009"]


@pytest.mark.parametrize("error", [ResourceError("disk full"), OSError(28, "No space left")])
@pytest.mark.parametrize("failing", ["model", "optimizer", "averaged"])
def test_a_write_that_fails_costs_no_older_state(error, failing, tmp_path, monkeypatch):
    for number in (1, 2):
        save_state(tmp_path, state_at(number))
    write = checkpoint.write_tensors

    def fail(path: Path, *rest: object) -> None:
        if path.stem == failing:
            raise error
        write(path, *rest)

    monkeypatch.setattr(checkpoint, "write_tensors", fail)
    with pytest.raises(ResourceError):
        save_state(tmp_path, state_at(3))
    assert steps_in(tmp_path) == ["step-000001", "step-000002"]
    found = load_state(tmp_path)
    assert found is not None and found.step == 2
    monkeypatch.undo()
    save_state(tmp_path, state_at(3))  # what the failure left behind is in nobody's way
    assert steps_in(tmp_path) == ["step-000002", "step-000003"]


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "resume").write_text("in the way", "utf-8")
    with pytest.raises(ResourceError, match="cannot be written"):
        save_state(tmp_path / "resume", state_at(1))
