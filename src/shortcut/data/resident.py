"""Decoded pictures in a GPU's memory, and training views made there, a whole batch at once.

A GPU takes more pictures a second than a processor's cores cut and resize. So the bytes cross over
once, and after that only the numbers of the boxes to be cut out. The boxes are those of a CPU. The
filter is the same too, but in float32 where a CPU has fixed point: bytes differ by 1 at most.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shortcut.data.augment import Draws, random_box
from shortcut.data.cache import Pictures
from shortcut.data.preprocess import Pixels
from shortcut.settings import AugmentSettings, ResizedCrop

ROOM = 0.25
"""Share of a GPU's free memory that pictures may take; the rest is the training's."""


@dataclass(frozen=True)
class _Taps:
    """Which pixels of a line make each new pixel, and how much of each."""

    places: Tensor
    """(N, size, count) int64, from the box's edge."""
    weights: Tensor
    """(N, size, count) float32; their sum is 1."""

    @property
    def count(self) -> int:
        return self.places.size(2)

    def turned(self, which: Tensor) -> "_Taps":
        """From the other end for those of `which`, (N,) bool."""
        chosen = which[:, None, None]
        return _Taps(
            torch.where(chosen, self.places.flip(1), self.places),
            torch.where(chosen, self.weights.flip(1), self.weights),
        )


class Resident:
    """All pictures of a part as one run of pixels on `device`."""

    def __init__(self, pictures: Pictures, device: torch.device) -> None:
        kept = [pictures[index] for index in range(len(pictures))]
        self.sizes = [(height, width) for height, width, _ in (pixels.shape for pixels in kept)]
        whole = np.concatenate([pixels.reshape(-1, 3) for pixels in kept])
        self.pixels = torch.from_numpy(whole).to(device)
        """(pixels of all pictures, 3) uint8."""
        areas = [height * width for height, width in self.sizes]
        self.starts = np.cumsum([0, *areas[:-1]])
        """Where each picture begins in `pixels`."""

    def __getitem__(self, index: int) -> Pixels:
        height, width = self.sizes[index]
        start = self.starts[index]
        return self.pixels[start : start + height * width].cpu().numpy().reshape(height, width, 3)

    def __len__(self) -> int:
        return len(self.sizes)

    def views(
        self, indices: Sequence[int], crop: ResizedCrop, flip: bool, size: int, draws: Draws
    ) -> Tensor:
        """A random part of each picture: what `augment.training_views` makes of it on a CPU.

        Args:
            draws: the rows of `epoch_draws` that belong to `indices`.

        Returns:
            (N, size, size, 3) uint8 on the device.
        """
        sizes = [self.sizes[index] for index in indices]
        pairs = zip(sizes, draws, strict=True)
        boxes = np.array([random_box(height, width, crop, row) for (height, width), row in pairs])
        lines = [width for _, width in sizes]
        mirrored = (draws[:, 4] < 0.5) & flip
        table = np.column_stack([boxes, lines, self.starts[list(indices)], mirrored])
        numbers = torch.from_numpy(table.astype(np.int64)).to(self.pixels.device, non_blocking=True)
        top, left, height, width, line, start, turned = numbers.T
        tallest, widest = int(boxes[:, 2].max()), int(boxes[:, 3].max())
        down = _taps(height, tallest, size)
        across = _taps(width, widest, size).turned(turned.bool())
        rows = torch.arange(tallest, device=self.pixels.device).minimum(height[:, None] - 1)
        corners = start[:, None] + (top[:, None] + rows) * line[:, None] + left[:, None]
        return _down(self._across(corners, across), down).round().to(torch.uint8)

    def _across(self, corners: Tensor, taps: _Taps) -> Tensor:
        """(N, rows) places where rows begin -> (N, rows, size, 3) float32, resized along rows."""
        places = corners[:, :, None]
        parts = (
            self.pixels[places + taps.places[:, None, :, tap]] * taps.weights[:, None, :, tap, None]
            for tap in range(taps.count)
        )
        return _sum(parts)


def reside(pictures: Pictures, settings: AugmentSettings, device: torch.device) -> Pictures:
    """The pictures in the memory of `device`, if that is a GPU with room for them and views are
    random parts that Pillow does not change; else as they are."""
    parts = isinstance(settings.crop, ResizedCrop) and not settings.trivial_augment
    if device.type != "cuda" or not parts:
        return pictures
    free, _ = torch.cuda.mem_get_info(device)
    needed = sum(pictures[index].nbytes for index in range(len(pictures)))
    return Resident(pictures, device) if needed < ROOM * free else pictures


def _taps(lengths: Tensor, longest: int, size: int) -> _Taps:
    """Of a triangle as wide as two new pixels (or two old ones, if those are larger), which is the
    antialiased bilinear filter of Pillow and torch.

    Args:
        lengths: (N,) pixels of each line before; `longest` is their maximum.
    """
    scale = lengths[:, None].float() / size
    reach = scale.clamp(min=1.0)
    centre = (torch.arange(size, device=lengths.device) + 0.5) * scale
    first = (centre - reach + 0.5).long().clamp(min=0)
    count = 2 * math.ceil(max(1.0, longest / size)) + 1
    places = first[:, :, None] + torch.arange(count, device=lengths.device)
    away = (places + 0.5 - centre[:, :, None]) / reach[:, :, None]
    weights = (1 - away.abs()).clamp(min=0.0) * (places < lengths[:, None, None])
    last = lengths[:, None, None] - 1
    return _Taps(places.minimum(last), weights / weights.sum(2, keepdim=True))


def _down(lines: Tensor, taps: _Taps) -> Tensor:
    """(N, rows, size, 3) -> (N, size, size, 3), resized along columns."""
    shape = (-1, -1, *lines.shape[2:])
    parts = (
        lines.gather(1, taps.places[:, :, tap, None, None].expand(shape))
        * taps.weights[:, :, tap, None, None]
        for tap in range(taps.count)
    )
    return _sum(parts)


def _sum(parts: Iterator[Tensor]) -> Tensor:
    """Added into the first: no more than two of them exist at once."""
    whole = next(parts)
    for part in parts:
        whole += part
    return whole
