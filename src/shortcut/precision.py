"""Number format and memory layout of the training step, chosen by timing both on this machine.

bfloat16 on a CPU without the instructions for it is more than twice as slow and nothing warns
(pytorch#86270), so a table of processors would not do: only a measurement tells.
"""

import copy
import math
import time
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from shortcut.products import use_products

Format = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Precision:
    """How numbers are held during a training step; weights and their sums stay float32."""

    format: Format
    channels_last: bool
    compiled: bool = False
    """The network goes through `torch.compile`."""
    products: bool = False
    """Weight gradients are matrix products, where few pixels make that fast (`products`)."""

    def prepare(self, model: nn.Module) -> None:
        """Bring a network into the layout, and compile it where that was chosen; in place."""
        use_products(model, self.products)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        model.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
        if self.compiled:
            model.compile()

    def autocast(self, device: torch.device) -> torch.autocast:
        """Convolutions in bfloat16 inside this context, or a context that does nothing."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.format == "bf16")

    def place(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in the chosen memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)

    def describe(self) -> str:
        """`bf16, channels last` and the like."""
        words = [self.format, "channels last" * self.channels_last]
        words += ["gradients as products" * self.products, "compiled" * self.compiled]
        return ", ".join(filter(None, words))


PLAIN = Precision("fp32", channels_last=False)
EXACT = Precision("fp32", channels_last=True)
"""What final figures and predictions are computed in."""
BF16 = Precision("bf16", channels_last=True)
CANDIDATES = (PLAIN, EXACT, BF16, replace(BF16, products=True))
HOPELESS = 2.5
"""A candidate whose second step takes so many times as long as the best's is not timed again."""
PATIENCE = 1.0
"""Seconds that a trial step may take, where fewer pictures make it shorter; a longer one is not
timed again either."""
FAR = 4.0
"""bfloat16 is not tried where one convolution takes so many times as long as in float32: 2 are
usual with AVX-512 alone; without it 10 and more, and a trial step of ResNet-50 half a minute."""
WORTH_COMPILING = 1.05
"""A compiled network must be so many times as fast: compiling takes a minute, again for another
size."""


@dataclass(frozen=True)
class Choice:
    """The fastest candidate and the figures it was chosen by."""

    precision: Precision
    images_per_second: dict[str, float]

    @property
    def fastest(self) -> float:
        """Training pictures a second by the self-test; 0 where there was none."""
        return max(self.images_per_second.values(), default=0.0)


def choose_precision(
    model: nn.Module,
    wanted: Literal["auto", "fp32", "bf16"],
    *,
    image_size: int,
    batch_size: int,
    device: torch.device,
    compiled: bool = False,
) -> Choice:
    """Time a few training steps of a copy of `model` in each candidate and take the fastest.

    A `wanted` format is taken untimed, so that two runs of one recipe compute the same bits; and
    without products, which nothing has shown to be the faster way there.

    Args:
        compiled: try the fastest candidate compiled as well, once that is warm.
    """
    if wanted != "auto":
        return Choice(Precision(wanted, channels_last=True, compiled=compiled), {})
    trial = copy.deepcopy(model).to(device).train()
    images = _trial_images(trial, image_size, batch_size, device)
    computed = computes_bf16(device)
    speeds: dict[Precision, float] = {}
    shortest = math.inf
    for candidate in CANDIDATES:
        if candidate.format == "bf16" and not computed:
            continue
        # A variant of the one before, for oneDNN: cuDNN is good at what it replaces.
        if candidate.products and (device.type != "cpu" or _fastest(speeds) != BF16):
            continue
        candidate.prepare(trial)
        # The first step warms up: kernels are built, on a GPU for a second or more.
        _, seconds = (_step_seconds(trial, candidate, images) for _ in range(2))
        if seconds < min(PATIENCE, HOPELESS * shortest):
            seconds = min(seconds, _step_seconds(trial, candidate, images))
        shortest = min(shortest, seconds)
        speeds[candidate] = len(images) / seconds
    best = _fastest(speeds)
    if compiled:
        candidate = replace(best, compiled=True)
        speeds[candidate] = len(images) / _compiled_seconds(trial, candidate, images)
        if speeds[candidate] > WORTH_COMPILING * speeds[best]:
            best = candidate
    return Choice(best, {candidate.describe(): speed for candidate, speed in speeds.items()})


def computes_bf16(device: torch.device) -> bool:
    """Whether convolutions in bfloat16 are worth trying, by one small one; off the CPU they are."""
    if device.type != "cpu":
        return True
    return _probe_seconds(torch.bfloat16) < FAR * _probe_seconds(torch.float32)


def _probe_seconds(number: torch.dtype) -> float:
    images, kernels = torch.rand(1, 64, 28, 28), torch.rand(64, 64, 3, 3)
    images, kernels = images.to(number), kernels.to(number)
    seconds: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        nn.functional.conv2d(images, kernels)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _trial_images(trial: nn.Module, size: int, batch_size: int, device: torch.device) -> Tensor:
    """Whole batches on a GPU; on a CPU, whose ratios hardly depend on it, what takes seconds in
    all and not minutes."""
    count = batch_size
    if device.type == "cpu":
        two = torch.rand(2, 3, size, size)
        # The second is warm; the first alone may take longer than a whole batch.
        quick = int(2 * PATIENCE / min(_step_seconds(trial, PLAIN, two) for _ in range(2)))
        count = max(2, min(batch_size, 16, 400_000 // size**2, quick))
    return torch.rand(count, 3, size, size, device=device)


def _fastest(speeds: dict[Precision, float]) -> Precision:
    return max(speeds, key=lambda candidate: speeds[candidate])


def _compiled_seconds(trial: nn.Module, candidate: Precision, images: Tensor) -> float:
    """Of a warm step; infinite where this machine cannot compile (no C++ compiler, say)."""
    try:
        candidate.prepare(trial)
        return min(_step_seconds(trial, candidate, images) for _ in range(4))
    except Exception:  # the compiler's errors have no base of their own
        return math.inf


def _step_seconds(model: nn.Module, precision: Precision, images: Tensor) -> float:
    started = time.perf_counter()
    with precision.autocast(images.device):
        loss = model(precision.place(images)).float().square().mean()
    loss.backward()
    if images.device.type != "cpu":
        torch.accelerator.synchronize(images.device)
    return time.perf_counter() - started
