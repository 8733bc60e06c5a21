"""The exact state of a training at the end of an epoch, as a folder of safetensors and JSON.

A state is written beside its final place and renamed, so that there is never half a one; the newest
whole one is used. Order and augmentation are pure functions of (seed, epoch, index), so no random
state is needed.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from shortcut.errors import ModelError, ResourceError
from shortcut.events import EpochEnd
from shortcut.models.tensorfiles import read_tensors, write_tensors

KEEP = 2
"""The newest state, and the one before it in case the newest is damaged."""


@dataclass(frozen=True)
class State:
    """What a training needs to go on as if it had never stopped."""

    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    averaged: Mapping[str, Tensor]
    """Empty where no weights are averaged."""
    step: int
    history: tuple[EpochEnd, ...]
    sizes: tuple[int, ...]
    """Image size in pixels of each epoch, those to come as well."""
    precision: Mapping[str, Any]
    """The fields of `Precision`."""


def save_state(folder: Path, state: State) -> Path:
    """Write `state` as `folder/step-000400`; older states but the last are removed.

    Raises:
        ResourceError: if it cannot be written; older states are untouched.
    """
    final = folder / f"step-{state.step:06d}"
    partial = final.with_suffix(".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in ("model", "optimizer", "averaged"):
            write_tensors(partial / f"{name}.safetensors", getattr(state, name), {})
        facts = {
            "step": state.step,
            "sizes": list(state.sizes),
            "precision": dict(state.precision),
            "history": [asdict(epoch) for epoch in state.history],
        }
        with (partial / "state.json").open("w", encoding="utf-8") as file:
            json.dump(facts, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        for old in _states(folder)[KEEP:]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ResourceError(f"{final}: cannot be written ({error.strerror}).") from error
    return final


def load_state(folder: Path) -> State | None:
    """The newest whole state below `folder`, or None if there is none.

    Raises:
        ModelError: if there are states but none can be read.
    """
    states = _states(folder)
    problems: list[str] = []
    for path in states:
        try:
            facts: dict[str, Any] = json.loads((path / "state.json").read_text("utf-8"))
            tensors = {
                name: read_tensors(path / f"{name}.safetensors")[0]
                for name in ("model", "optimizer", "averaged")
            }
            history = tuple(EpochEnd(**epoch) for epoch in facts["history"])
            return State(
                **tensors,
                step=facts["step"],
                history=history,
                sizes=tuple(facts["sizes"]),
                precision=facts["precision"],
            )
        except (OSError, ValueError, KeyError, TypeError, ModelError) as error:
            problems.append(f"{path.name}: {error}")
    if states:
        raise ModelError(f"{folder}: no state can be read ({'; '.join(problems)}).")
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


def _states(folder: Path) -> list[Path]:
    """Newest first."""
    if not folder.is_dir():
        return []
    whole = (path for path in folder.glob("step-*") if path.name.removeprefix("step-").isdigit())
    return sorted(whole, key=lambda path: int(path.name.removeprefix("step-")), reverse=True)
