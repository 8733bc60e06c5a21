"""The exact state of a training after any step, as folders of safetensors and JSON.

Order and augmentation are pure functions of (seed, epoch, index), so no random state is needed.
Each state is sealed (`sealed.py`): the newest whole one is used, a damaged one is named and set
aside.
"""

import contextlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from torch import Tensor
from torch.optim import Optimizer

from shortcut.disk import reason_of
from shortcut.errors import ModelError, ResourceError
from shortcut.events import EpochEnd
from shortcut.models.tensorfiles import tensor_bytes
from shortcut.sealed import UNFINISHED, seal, unseal
from shortcut.world import World

KEEP = 2
"""The newest state, and the one before it in case the newest is damaged."""
TENSORS = ("model", "optimizer", "averaged")
DAMAGED = ".damaged"


@dataclass(frozen=True)
class State:
    """What a training needs to go on as if it had never stopped."""

    model: Mapping[str, Tensor] = field(repr=False)
    optimizer: Mapping[str, Tensor] = field(repr=False)
    """Empty before the first step."""
    averaged: Mapping[str, Tensor] = field(repr=False)
    """Empty where no weights are averaged."""
    step: int
    """Optimizer steps taken in all."""
    history: tuple[EpochEnd, ...]
    sizes: tuple[int, ...]
    """Image size in pixels of each epoch, those to come as well."""
    precision: Mapping[str, Any]
    """The fields of `Precision`."""
    tally: Mapping[str, Any] = field(default_factory=dict)
    """The fields of `Tally`: how far the epoch under way is."""
    lr_scale: float = 1.0
    """What the learning rate was multiplied by after numbers went wrong."""
    pieces: int = 1
    """See `Job`."""
    adaptable: bool = False
    """See `Job`."""
    log: Mapping[str, Any] = field(default_factory=dict)
    """The fields of `Mark`: where the run's log ended."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The recipe's, with the epochs that were planned."""
    asked: int = 0
    """Epochs that `recipe.yaml` asks for; a budget may have planned others."""
    pictures: str = ""
    """A digest of those that could be read, and of their labels, in their order."""


def save_state(folder: Path, state: State) -> Path:
    """Write `state` as `folder/0012-step-000400`, the twelfth of its run; the oldest are removed.

    Raises:
        ResourceError: if it cannot be written; older states are untouched.
    """
    for half in folder.glob(f"*{UNFINISHED}"):  # a killed process left it: room for this one
        shutil.rmtree(half, ignore_errors=True)
    older = _states(folder)
    number = 1 + max((_number(path) for path in folder.glob("*-step-*")), default=0)
    final = folder / f"{number:04d}-step-{state.step:06d}"
    try:
        seal(final, state_files(state))
    except OSError as error:
        kept = f"the last good state is {older[0].name}" if older else "there is no older one"
        raise ResourceError(f"{final}: cannot be written ({reason_of(error)}); {kept}.") from error
    for old in older[KEEP - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_state(folder: Path, before: float = math.inf) -> tuple[State, tuple[str, ...]] | None:
    """The newest whole state below `folder` and a line for each damaged one, or None if there are
    none.

    Damaged ones get a name that ends in `.damaged`, so that they are not counted among the newest.

    Args:
        before: a step; states of that and later ones are taken only where there is no other.

    Raises:
        ModelError: if there are states but none is whole.
        ResourceError: one cannot be read just now, by no fault of its own.
    """
    problems: list[str] = []
    states = sorted(_states(folder), key=lambda path: _step(path) >= before)
    for path in states:
        try:
            state = parse_state(unseal(path))
        except ModelError as error:
            problems.append(f"{path.name} is damaged ({error})")
            continue
        for damaged in states[: len(problems)]:
            _set_aside(damaged)
        return state, tuple(f"{problem}; using {path.name}" for problem in problems)
    if problems:
        raise ModelError(f"{folder}: no state can be read: {'; '.join(problems)}.")
    return None


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: `3.exp_avg` belongs to the fourth parameter."""
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave; settings come from the recipe."""
    parameters: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # Fused kernels walk through memory: the layout must be the parameter's (channels last).
            value = torch.empty_like(parameter, device="cpu").copy_(value)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def state_files(state: State) -> Iterator[tuple[str, bytes]]:
    """The files of a state, name and content each, one at a time."""
    for name in TENSORS:
        yield f"{name}.safetensors", tensor_bytes(getattr(state, name))
    facts = {name: value for name, value in vars(state).items() if name not in TENSORS}
    facts["history"] = [asdict(epoch) for epoch in state.history]
    yield "state.json", json.dumps(facts, indent=1).encode()


def parse_state(contents: Mapping[str, bytes]) -> State:
    """The state whose files these are.

    Raises:
        ModelError: the reason, if they are of no state of this version, or not finite.
    """
    try:
        facts: dict[str, Any] = json.loads(contents["state.json"])
        facts["history"] = tuple(EpochEnd(**epoch) for epoch in facts["history"])
        facts["sizes"] = tuple(facts["sizes"])
        for name in TENSORS:
            facts[name] = from_safetensors(contents[f"{name}.safetensors"])
        state = State(**facts)
    except KeyError as error:
        raise ModelError(f"{error.args[0]} is missing") from error
    except (ValueError, TypeError, SafetensorError) as error:
        raise ModelError(f"not a state of this version: {reason_of(error)}") from error
    if not all(_is_finite(tensor) for tensor in state.model.values()):
        raise ModelError("its weights are not finite numbers")
    return state


def share_state(world: World, state: State | None) -> State | None:
    """What the first process has, for all of them."""
    if world.size == 1:
        return state
    files = dict(state_files(state)) if state and world.first else {}
    names = [*(f"{name}.safetensors" for name in TENSORS), "state.json"]
    contents = {name: world.share(files.get(name, b"")) for name in names}
    return parse_state(contents) if contents["state.json"] else None


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def _set_aside(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rename(path.with_name(path.name + DAMAGED))


def _states(folder: Path) -> list[Path]:
    """Newest first."""
    found = (path for path in folder.glob("*-step-*") if not path.suffix)
    return sorted(found, key=_number, reverse=True)


def _number(path: Path) -> int:
    return _whole(path.name.partition("-")[0])


def _step(path: Path) -> int:
    return _whole(path.name.rpartition("-")[2])


def _whole(digits: str) -> int:
    return int(digits) if digits.isdecimal() else 0
