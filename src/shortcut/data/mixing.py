"""Mixup and cutmix: training on blends of two pictures, a pure function of (seed, epoch, step)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shortcut.settings import AugmentSettings


@dataclass(frozen=True)
class Mixed:
    """A batch with two labels a picture: the loss is `share` x the first's + (1 - `share`) x the
    second's."""

    images: Tensor
    """(N, 3, H, W)."""
    labels: Tensor
    """(N,), of the picture that gives the larger part."""
    others: Tensor
    """(N,), of the picture that was blended in."""
    share: float

    def pieces(self, count: int) -> Iterator["Mixed"]:
        """In `count` parts of nearly equal size, none of a single picture."""
        count = max(1, min(count, len(self.labels) // 2))
        parts = (tensor.tensor_split(count) for tensor in (self.images, self.labels, self.others))
        for images, labels, others in zip(*parts, strict=True):
            yield Mixed(images, labels, others, self.share)


def mix(
    images: Tensor, labels: Tensor, settings: AugmentSettings, key: tuple[int, int, int]
) -> Mixed:
    """Blend each picture with its successor in the batch, as `settings` ask; unchanged if they do
    not.

    Args:
        images: (N, 3, H, W) float, normalised.
        labels: (N,) int64.
        key: (seed, epoch, step), which decides everything random.
    """
    if not (settings.mixup or settings.cutmix):
        return Mixed(images, labels, labels, 1.0)
    rng = np.random.default_rng(
        (*key, 1)
    )  # not the stream of the views, which is keyed by three numbers
    both = settings.mixup and settings.cutmix
    cuts = rng.random() < 0.5 if both else bool(settings.cutmix)
    alpha = settings.cutmix if cuts else settings.mixup
    share = float(rng.beta(alpha, alpha))
    share = max(share, 1 - share)
    # The order is shuffled already, so the neighbour is as good as a random partner.
    partners, others = images.roll(1, 0), labels.roll(1, 0)
    if not cuts:
        return Mixed(torch.lerp(partners, images, share), labels, others, share)
    height, width = images.shape[2:]
    # Rounded down, so that the first picture keeps the larger part.
    h, w = int(height * math.sqrt(1 - share)), int(width * math.sqrt(1 - share))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    images = images.clone()
    images[:, :, top : top + h, left : left + w] = partners[:, :, top : top + h, left : left + w]
    return Mixed(images, labels, others, 1 - h * w / (height * width))
