"""States: exact when they come back, whole or not there, and never lost to a bad write."""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from shortcut import checkpoint
from shortcut.checkpoint import (
    State,
    load_state,
    optimizer_tensors,
    restore_optimizer,
    save_state,
    state_files,
)
from shortcut.ema import make_average
from shortcut.errors import ModelError, ResourceError
from shortcut.events import EpochEnd
from shortcut.optim import make_optimizer
from shortcut.sealed import MANIFEST, UNFINISHED, seal
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


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def newest(folder: Path) -> State:
    found = load_state(folder)
    assert found is not None and found[1] == ()
    return found[0]


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
    assert save_state(tmp_path / "resume", state) == tmp_path / "resume" / "0001-step-000003"
    found = newest(tmp_path / "resume")

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
    assert names_in(tmp_path) == ["0004-step-000004", "0005-step-000005"]
    assert newest(tmp_path).step == 5


def test_the_newest_is_the_last_written_whatever_its_step(tmp_path):
    """Numbers that went wrong bring a training back to an earlier step."""
    for number in (999_999, 1_000_000, 3):
        save_state(tmp_path, state_at(number))
    assert newest(tmp_path).step == 3


def test_ten_thousand_states_are_in_order(tmp_path):
    (tmp_path / "9999-step-000001").mkdir()
    save_state(tmp_path, state_at(2))
    save_state(tmp_path, state_at(3))
    assert names_in(tmp_path) == ["10000-step-000002", "10001-step-000003"]


def test_every_field_comes_back(tmp_path):
    state = replace(
        state_at(7),
        tally={"steps": 3, "loss": 0.1 + 0.2},
        lr_scale=0.5,
        pieces=4,
        log={"log": 7, "events": 9, "losses": [1 / 3]},
        settings={"name": "tiny", "train": {"epochs": 3}},
    )
    save_state(tmp_path, state)
    found = newest(tmp_path)
    for name in ("model", "optimizer", "averaged"):
        assert getattr(found, name).keys() == getattr(state, name).keys()
    same = {"model": {}, "optimizer": {}, "averaged": {}}
    assert replace(found, **same) == replace(state, **same)


def damage(folder: Path, how: str) -> None:
    facts, tensors = folder / "state.json", folder / "model.safetensors"
    if how == "cut json":
        facts.write_bytes(facts.read_bytes()[:40])
    elif how == "no json":
        facts.unlink()
    elif how == "changed json":
        facts.write_text(facts.read_text("utf-8").replace('"step": ', '"step":  '), "utf-8")
    elif how == "cut tensors":
        tensors.write_bytes(tensors.read_bytes()[:-3])
    elif how == "a flipped bit":
        content = bytearray(tensors.read_bytes())
        content[-1] ^= 1
        tensors.write_bytes(content)
    elif how == "no tensors":
        tensors.unlink()
    elif how == "no manifest":
        (folder / MANIFEST).unlink()
    elif how == "empty folder":
        shutil.rmtree(folder)
        folder.mkdir()


KINDS = [
    "cut json",
    "no json",
    "changed json",
    "cut tensors",
    "a flipped bit",
    "no tensors",
    "no manifest",
    "empty folder",
]


@pytest.mark.parametrize("how", KINDS)
def test_when_the_newest_is_damaged_the_one_before_serves_and_is_named(how, tmp_path):
    save_state(tmp_path, state_at(1))
    damage(save_state(tmp_path, state_at(2)), how)
    found = load_state(tmp_path)
    assert found is not None and found[0].step == 1
    (line,) = found[1]
    assert line.startswith("0002-step-000002 is damaged (")
    assert line.endswith("; using 0001-step-000001")
    assert names_in(tmp_path) == ["0001-step-000001", "0002-step-000002.damaged"]
    save_state(tmp_path, state_at(2))
    assert newest(tmp_path).step == 2
    assert "0003-step-000002" in names_in(tmp_path)


@pytest.mark.parametrize("how", KINDS)
def test_when_all_are_damaged_each_is_named_and_none_touched(how, tmp_path):
    for number in (1, 2):
        damage(save_state(tmp_path, state_at(number)), how)
    before = names_in(tmp_path)
    with pytest.raises(ModelError, match=r"no state can be read: 0002-step.*; 0001-step"):
        load_state(tmp_path)
    assert names_in(tmp_path) == before


def facts_of(changes: dict[str, object]) -> dict[str, bytes]:
    """What a state of another version, or of another program, may hold."""
    files = dict(state_files(state_at(1)))
    facts = json.loads(files["state.json"]) | changes
    return files | {"state.json": json.dumps(facts).encode()}


STRANGE = [
    facts_of({"history": 3}),
    facts_of({"history": [{"epoch": 1}]}),
    facts_of({"sizes": None}),
    facts_of({"unknown": 1}),
    facts_of({}) | {"state.json": b"[]"},
    facts_of({}) | {"state.json": b"\xff\xfe"},
    facts_of({}) | {"model.safetensors": b"\x00" * 8},
    {name: content for name, content in facts_of({}).items() if name != "averaged.safetensors"},
]


@pytest.mark.parametrize("files", STRANGE, ids=range(len(STRANGE)))
def test_what_is_whole_but_no_state_is_refused(files, tmp_path):
    seal(tmp_path / "0001-step-000001", files.items())
    with pytest.raises(ModelError, match="0001-step-000001 is damaged"):
        load_state(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_nothing_to_go_on_from(value, tmp_path):
    save_state(tmp_path, state_at(1))
    save_state(tmp_path, replace(state_at(2), model={"weight": torch.tensor([1.0, value])}))
    found = load_state(tmp_path)
    assert found is not None and found[0].step == 1


def test_half_written_states_are_ignored_and_cleared_away(tmp_path):
    save_state(tmp_path, state_at(1))
    shutil.copytree(tmp_path / "0001-step-000001", tmp_path / f"0009-step-000009{UNFINISHED}")
    assert newest(tmp_path).step == 1
    save_state(tmp_path, state_at(9))
    assert names_in(tmp_path) == ["0001-step-000001", "0002-step-000009"]


@pytest.mark.parametrize("failing", range(1, 6))
def test_a_write_that_fails_costs_no_older_state(failing, tmp_path, monkeypatch):
    for number in (1, 2):
        save_state(tmp_path, state_at(number))
    half = tmp_path / f"0003-step-000003{UNFINISHED}"
    half.mkdir()  # a killed process left it: on a disk that is nearly full its room is needed
    flush, calls = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        assert calls > 1 or [path.name for path in half.iterdir()] == ["model.safetensors"]
        if calls == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    monkeypatch.setattr(os, "fsync", full)
    expected = r"0003-step-000003: cannot be written \(No space left on device\); the last good"
    with pytest.raises(ResourceError, match=expected + " state is 0002-step-000002"):
        save_state(tmp_path, state_at(3))
    monkeypatch.undo()
    assert names_in(tmp_path) == ["0001-step-000001", "0002-step-000002"]
    assert newest(tmp_path).step == 2
    save_state(tmp_path, state_at(3))  # what the failure left behind is in nobody's way
    assert names_in(tmp_path) == ["0002-step-000002", "0003-step-000003"]


def test_a_disk_that_fails_to_read_is_no_damage(tmp_path, monkeypatch):
    for number in (1, 2):
        save_state(tmp_path, state_at(number))

    def refuse(path: Path) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ResourceError, match=r"0002-step-000002/.* cannot be read \(Input/output"):
        load_state(tmp_path)
    monkeypatch.undo()
    assert names_in(tmp_path) == ["0001-step-000001", "0002-step-000002"]
    assert newest(tmp_path).step == 2


def test_one_before_a_step_may_be_asked_for(tmp_path):
    for number in (4, 7):
        save_state(tmp_path, state_at(number))
    for before, expected in ((8, 7), (7, 4), (4, 7), (1, 7)):
        found = load_state(tmp_path, before=before)
        assert found is not None and found[0].step == expected


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "resume").write_text("in the way", "utf-8")
    with pytest.raises(ResourceError, match="cannot be written"):
        save_state(tmp_path / "resume", state_at(1))
