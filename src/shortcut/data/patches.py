"""What small patches of pictures have in common: the directions in which they differ most."""

from collections.abc import Iterable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from shortcut.data.preprocess import Pixels


def principal_filters(
    pictures: Iterable[Pixels], count: int, kernel: int, std: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Filters whose answers to patches of `pictures` are uncorrelated: their principal components,
    those of largest variance first, then the negatives of the same. Norms that follow
    make the variances equal, and both together are a whitening (Coates and Ng, "Learning feature
    representations with k-means", 2012; as a network's first layer arXiv:2404.00498, section 3.2).

    Args:
        pictures: (height, width, 3) uint8 each, at least `kernel` pixels high and wide.
        count: filters; of an odd number one has no negative.
        kernel: side of a patch in pixels.
        std: what each channel is divided by before the filters see it, on a scale of 0 to 1.

    Returns:
        (count, 3, kernel, kernel), each of length 1; fewer where there are no more: twice as many
        as a patch has numbers.
    """
    length = 3 * kernel * kernel
    total, products, number = np.zeros(length), np.zeros((length, length)), 0
    for pixels in pictures:
        windows = sliding_window_view(pixels, (kernel, kernel), axis=(0, 1))
        # Whole numbers up to here: their sums are exact, whatever adds them in whatever order.
        rows = windows[::kernel, ::kernel].reshape(-1, length).astype(np.float64)
        total += rows.sum(0)
        products += rows.T @ rows
        number += len(rows)
    mean = total / number
    scale = np.repeat(1 / np.array(std), kernel * kernel)
    covariance = (products / number - np.outer(mean, mean)) * np.outer(scale, scale)
    _, directions = np.linalg.eigh(covariance)
    half = min(-(-count // 2), length)
    first = directions[:, ::-1][:, :half].T
    # A component has no sign of its own: its largest number is to be positive.
    largest = np.abs(first).argmax(1)
    first = first * np.sign(first[np.arange(half), largest])[:, None]
    both = np.concatenate([first, -first])[:count]
    return both.reshape(-1, 3, kernel, kernel).astype(np.float32)
