"""Number format and memory layout of the training step, chosen by timing both on this machine.

bfloat16 on a CPU without the instructions for it is more than twice as slow and nothing warns
(pytorch#86270), so a table of processors would not do: only a measurement tells.
"""

import copy
import time
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Format = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Precision:
    """How numbers are held during a training step; weights and their sums stay float32."""

    format: Format
    channels_last: bool

    def autocast(self, device: torch.device) -> torch.autocast:
        """Convolutions in bfloat16 inside this context, or a context that does nothing."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.format == "bf16")

    def place(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in the chosen memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)

    def describe(self) -> str:
        """`bf16, channels last` and the like."""
        return self.format + (", channels last" if self.channels_last else "")


PLAIN = Precision("fp32", channels_last=False)
EXACT = Precision("fp32", channels_last=True)
"""What final figures and predictions are computed in."""
CANDIDATES = (PLAIN, EXACT, Precision("bf16", channels_last=True))


@dataclass(frozen=True)
class Choice:
    """The fastest candidate and the figures it was chosen by."""

    precision: Precision
    images_per_second: dict[str, float]


def choose_precision(
    model: nn.Module,
    wanted: Literal["auto", "fp32", "bf16"],
    *,
    image_size: int,
    batch_size: int,
    device: torch.device,
) -> Choice:
    """Time a few training steps of a copy of `model` in each candidate and take the fastest.

    A `wanted` format is taken untimed, so that two runs of one recipe
    compute the same bits.
    """
    if wanted != "auto":
        return Choice(Precision(wanted, channels_last=True), {})
    pictures = batch_size
    if device.type == "cpu":
        # Seconds, not minutes: on a CPU the ratios hardly depend on the batch.
        pictures = max(2, min(batch_size, 16, 400_000 // image_size**2))
    trial = copy.deepcopy(model).to(device).train()
    images = torch.rand(pictures, 3, image_size, image_size, device=device)
    speeds: dict[Precision, float] = {}
    for candidate in CANDIDATES:
        trial.to(
            memory_format=torch.channels_last
            if candidate.channels_last
            else torch.contiguous_format
        )
        seconds = min(_step_seconds(trial, candidate, images) for _ in range(3))
        speeds[candidate] = pictures / seconds
    best = max(speeds, key=lambda candidate: speeds[candidate])
    return Choice(best, {candidate.describe(): speed for candidate, speed in speeds.items()})


def _step_seconds(model: nn.Module, precision: Precision, images: Tensor) -> float:
    started = time.perf_counter()
    with precision.autocast(images.device):
        loss = model(precision.place(images)).float().square().mean()
    loss.backward()
    if images.device.type != "cpu":
        torch.accelerator.synchronize(images.device)
    return time.perf_counter() - started
