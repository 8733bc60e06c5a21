"""How fast a network trains and predicts on this machine, and what holds it back."""

import copy
import time
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from shortcut.allocator import keep_freed_memory
from shortcut.budget import clock
from shortcut.events import Notice
from shortcut.job import Job
from shortcut.models import ResNet
from shortcut.models.work import multiply_adds
from shortcut.precision import EXACT, Precision, choose_precision

DATA_BOUND = 0.1
"""Share of the time spent waiting for pictures above which more of them would be faster."""


@dataclass(frozen=True)
class Speed:
    """Pictures a second, from memory to memory: no decoding, no augmentation."""

    train: float
    """Forward, backward, in the fastest number format of this machine."""
    predict: float
    """Forward in float32."""


def measure_speed(
    model: ResNet, *, image_size: int, device: torch.device, batch_size: int = 8
) -> Speed:
    """Time some training steps and predictions of a copy of `model`; the best of three counts."""
    keep_freed_memory()
    choice = choose_precision(
        model, "auto", image_size=image_size, batch_size=batch_size, device=device
    )
    trial = copy.deepcopy(model).to(device, memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]
    images = torch.rand(batch_size, 3, image_size, image_size, device=device)
    seconds = min(_forward_seconds(trial, images) for _ in range(3))
    return Speed(choice.fastest, batch_size / seconds)


def describe_bound(job: Job, left: float) -> Notice:
    """What the last epoch was held back by, what would help, and that `left` seconds are to go."""
    epoch = job.history[-1]
    to_go = f"; about {clock(left)} to go" if left else ""
    waited = f"{epoch.waiting:.0%} of the time is waiting for pictures"
    if epoch.waiting <= DATA_BOUND:
        return Notice(f"compute-bound: {waited}{to_go}")
    return Notice(
        f"data-bound: {waited}; `--cache disk` or more `--workers` (now {job.train.threads}) may "
        f"help{to_go}"
    )


def describe_use(job: Job) -> Notice:
    """The arithmetic of all epochs against what this machine does in large matrix products (MFU,
    arXiv:2204.02311, appendix B; here with the work of convolutions alone)."""
    work = seconds = 0.0
    usable = [epoch for epoch in job.history if epoch.images_per_second]
    if not usable:
        return Notice("not a single step had finite numbers: there is no speed to tell")
    for epoch in usable:
        # Backward takes twice the work of forward; a multiply-add is two operations.
        work += 3 * 2 * multiply_adds(job.classifier.model, epoch.image_size)
        seconds += 1 / epoch.images_per_second
    rate, limit = work / seconds, matrix_rate(job.precision, job.classifier.device)
    return Notice(
        f"training ran at {rate / 1e9:,.0f} GFLOP/s, {rate / limit:.0%} of the {limit / 1e9:,.0f} "
        f"that this machine reaches in a large matrix product in {job.precision.format}"
    )


@cache
def matrix_rate(precision: Precision, device: torch.device) -> float:
    """Operations a second in products of large matrices in the format of `precision`; measured once
    a process, for it takes up to a second."""
    side = 2048 if device.type == "cpu" else 8192
    dtype = torch.bfloat16 if precision.format == "bf16" else torch.float32
    matrix = torch.ones(side, side, dtype=dtype, device=device)

    def multiply() -> float:
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()
        return time.perf_counter() - started

    return 2 * side**3 / min(multiply() for _ in range(4))


@torch.inference_mode()
def _forward_seconds(model: nn.Module, images: torch.Tensor) -> float:
    started = time.perf_counter()
    model(EXACT.place(images)).sum().item()  # a GPU answers when the number is there
    return time.perf_counter() - started
