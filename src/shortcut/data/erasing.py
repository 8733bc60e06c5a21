"""Random erasing (arXiv:1708.04896): a rectangle of a view is painted over, so that no single place
of a picture is enough to know it by."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SMALLEST, LARGEST = 0.02, 0.33
"""Share of a view's area that is erased, as in torchvision; the paper goes up to 0.4."""
RATIO = 3.3
"""Height to width at most, and width to height; torchvision's 0.3 is nearly that."""


def erase(views: Tensor, share: float, mean: Sequence[float], draws: NDArray[np.float64]) -> Tensor:
    """Erase a random rectangle of some views.

    Args:
        views: (N, size, size, 3) uint8, on any device.
        share: of the views, from 0 to 1.
        mean: red, green and blue of the paint, from 0 to 1.
        draws: (N, 5) from 0 to 1, which decide: whether, area, proportion, left, top.

    Returns:
        The same shape on the same device. What would leave a view is trimmed, where torchvision
        draws again; a row and a column always stay.
    """
    size = views.shape[1]
    chosen, area, proportion, left, top = draws.T
    area = (SMALLEST + area * (LARGEST - SMALLEST)) * (chosen < share)
    ratio = RATIO ** (2 * proportion - 1)
    height = np.rint(size * np.sqrt(area * ratio)).clip(max=size - 1)
    width = np.rint(size * np.sqrt(area / ratio)).clip(max=size - 1)
    top, left = np.floor(top * (size - height + 1)), np.floor(left * (size - width + 1))
    # One transfer to the device, not four.
    bounds = torch.from_numpy(np.stack((top, top + height, left, left + width)).astype(np.int64))
    first, below, start, beyond = bounds.to(views.device)[:, :, None]
    place = torch.arange(size, device=views.device)
    rows, columns = (first <= place) & (place < below), (start <= place) & (place < beyond)
    inside = rows[:, :, None] & columns[:, None, :]
    paint = torch.tensor([round(255 * part) for part in mean], dtype=torch.uint8)
    return torch.where(inside[..., None], paint.to(views.device), views)
