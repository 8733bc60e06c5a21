"""What trackers wrote, read back with the packages' own readers."""

from pathlib import Path
from typing import Any

from tests.recipes import write_tiny_recipe

from shortcut.recipe import read_recipe
from shortcut.settings import Recipe


def recipe_of(folder: Path) -> Recipe:
    """Three epochs of three steps."""
    return read_recipe(write_tiny_recipe(folder))


def accumulated(run: Path) -> Any:
    """All that TensorBoard shows of a run, nothing left out."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run / "tensorboard"), {"scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by name."""
    found = accumulated(run)
    return {tag: [(s.step, s.value) for s in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def texts(run: Path, tag: str) -> list[tuple[int, str]]:
    """Steps and texts of one tag."""
    return [
        (event.step, event.tensor_proto.string_val[0].decode())
        for event in accumulated(run).Tensors(f"{tag}/text_summary")
    ]
