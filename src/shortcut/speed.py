"""How fast a network trains and predicts on this machine."""

import copy
import time
from dataclasses import dataclass

import torch
from torch import nn

from shortcut.allocator import keep_freed_memory
from shortcut.models import ResNet
from shortcut.precision import EXACT, choose_precision


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
    return Speed(max(choice.images_per_second.values()), batch_size / seconds)


@torch.inference_mode()
def _forward_seconds(model: nn.Module, images: torch.Tensor) -> float:
    started = time.perf_counter()
    model(EXACT.place(images)).sum().item()  # a GPU answers when the number is there
    return time.perf_counter() - started
