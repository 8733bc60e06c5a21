"""Where the work is done: the device. Later also how many processes share it; no other file will
know."""

from dataclasses import dataclass

import torch

from shortcut.errors import ResourceError


@dataclass(frozen=True)
class World:
    """The place of this process among all of them, and its device."""

    device: torch.device
    rank: int = 0
    size: int = 1

    def describe(self) -> str:
        """The device in words: `2 CPU threads` or the GPU's name."""
        if self.device.type == "cpu":
            return f"{torch.get_num_threads()} CPU threads"
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return self.device.type


def find_world(device: str = "auto") -> World:
    """The world for `auto`, `cpu`, `cuda`, `cuda:1` or `mps`; `auto` takes a GPU if there is one.

    Raises:
        ResourceError: if that device is not there.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return World(torch.device("cuda"))
        return World(torch.device("mps" if torch.backends.mps.is_available() else "cpu"))
    try:
        found = torch.device(device)
        torch.ones(1, device=found).item()  # `meta` has no numbers; others lack their module
    except (RuntimeError, AssertionError, ImportError) as error:
        raise ResourceError(
            f"device `{device}` is not available here; try `--device cpu`."
        ) from error
    return World(found)
