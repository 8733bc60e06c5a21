"""Kernel, stride and padding of the layers that have them, always as height and width."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

Pair = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one output of a layer looks at."""

    kernel: Pair
    stride: Pair
    padding: Pair
    """On each side; of the word `same` the smaller side."""
    dilation: Pair
    groups: int

    @property
    def side(self) -> int:
        """Pixels of its input that it spans, downwards."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1


def window_of(module: nn.Module | None) -> Window | None:
    """The window of a two-dimensional convolution or pooling; None for every other layer."""
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return None
    kernel = as_pair(module.kernel_size)
    dilation = as_pair(1 if isinstance(module, nn.AvgPool2d) else module.dilation)
    padding = module.padding
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
    return Window(
        kernel=kernel,
        stride=as_pair(module.stride),
        padding=(0, 0) if isinstance(padding, str) else as_pair(padding),
        dilation=dilation,
        groups=module.groups if isinstance(module, nn.Conv2d) else 1,
    )


def as_pair(value: int | Sequence[int]) -> Pair:
    """3 -> (3, 3); (3, 1) stays."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])
