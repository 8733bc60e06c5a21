"""Resizing as a network: from a decoded picture of any size to the square that a graph takes, so
that nobody who runs it, in whatever language, has to write that.

All is counted in float32, in whole numbers and rests: OpenVINO would make that of float64 too, and
then centres far from the corner lie elsewhere.
"""

from fractions import Fraction

import torch
from torch import Tensor, nn

from shortcut.data.preprocess import LONGEST, Preprocess

SQUARES = "squares"
"""Name of what comes of a picture, between the two graphs."""
LONGEST_SHORT_SIDE = 8700
"""Pixels; of a square of 75 million, the most that is decoded, a side has 8,660."""
GAP = 3
"""So many times the wanted size Pillow leaves, at least, where it shrinks by whole boxes first."""
EXAMPLE = (47, 61)
"""Height and width with which it is traced; of no meaning."""


class Resizing(nn.Module):
    """(1, H, W, 3) uint8, decoded and upright -> (1, S, S, 3) uint8, as `Preprocess` makes it.

    Along each axis it is a product with a matrix of (S, side): the filter's weights, for those
    pixels alone that the cut leaves. The boxes by which Pillow first shrinks a side that is six
    times too long are in the same weights, without the rounding after them; and columns always come
    first, as with Pillow unless a picture is about twice as tall as wide, or more.

    What differs from `Preprocess` does so by one of 255 levels: of 120 photos (267 px and less)
    0.01 % of the values at 224 px, 0.35 % at 128, 0.32 % at 64 (two of 5.9 million at 128 by two
    levels); with boxes (six of these, enlarged to 4000 x 3000) 10 and 11 %; of tall pictures of
    noise 11 to 15 %. Means, in levels, are the same numbers: 0.15 at most.
    """

    def __init__(self, view: Preprocess) -> None:
        super().__init__()
        self.side, self.short = view.image_size, view.resize
        # `Preprocess` rounds a product of float64. Where the true product ends in a half, as of
        # 3:2 and an odd `resize`, the error of its factor decides to which side.
        errors = (
            Fraction(self.short / side) - Fraction(self.short, side)
            for side in range(1, LONGEST_SHORT_SIDE)
        )
        self.errors = nn.Buffer(torch.tensor([0.0, *map(float, errors)]))

    def forward(self, images: Tensor) -> Tensor:
        """The middle square."""
        height, width = images.shape[1], images.shape[2]
        levels = images[0].permute(2, 0, 1).float()
        narrow = _whole_levels(levels @ self._weights(width, height).T)
        square = _whole_levels(self._weights(height, width) @ narrow)
        return square.permute(1, 2, 0)[None].to(torch.uint8)

    def _weights(self, side: int, across: int) -> Tensor:
        """(S, side): how much each pixel along an axis counts for each that is made of them."""
        whole, other = (torch.full((1,), n, dtype=torch.float32) for n in (side, across))
        short = torch.minimum(whole, other)
        old = torch.minimum(whole, LONGEST * short)
        new = self._resized(old, short)
        box = _quotient(old, GAP * new).clamp(min=1)
        starts, parts = self._centres(old, new, box)
        places = torch.arange(side) - ((whole - old) / 2).floor()
        boxes = _quotient(places, box)
        reach = (old / (box * new)).clamp(min=1)
        near = 1 - ((boxes + 0.5 - starts[:, None]) - parts[:, None]).abs() / reach
        inside = ((places >= 0) & (places < old)).float()
        # The last box holds what is left.
        filled = torch.minimum(box, (old - boxes * box).clamp(min=1))
        weights = near.clamp(min=0) * (inside / filled)
        return weights / weights.sum(1, keepdim=True)

    def _centres(self, old: Tensor, new: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """(S,) centres of the new pixels, counted in boxes; and (S,) what is to be added, less than
        one: together they would lose their last bits."""
        pixels = torch.arange(self.side) + ((new - self.side) / 2).floor() + 0.5
        length = box * new
        times = _quotient(old, length)
        rests = pixels * (old - times * length)
        more = (rests / length).floor()
        return pixels * times + more, (rests - more * length) / length

    def _resized(self, old: Tensor, short: Tensor) -> Tensor:
        """`round(old * (resize / short))`, as Python has it."""
        times = _quotient(old, short)
        rest = (old - times * short) * self.short
        more = _quotient(rest, short)
        below = times * self.short + more
        twice = 2 * (rest - more * short)
        index = short.long().clamp(max=LONGEST_SHORT_SIDE - 1)
        error = old * self.errors[index]
        last = 2.0 ** ((below + 0.5).log2().floor() - 53)  # half of the last bit of the product
        odd = below - 2 * (below / 2).floor() == 1
        up = (error > last) | ((error >= -last) & odd)
        return below + ((twice > short) | ((twice == short) & up)).float()


def _quotient(number: Tensor, divisor: Tensor) -> Tensor:
    """Of whole numbers, rounded down. With half of one more, no error of a division can reach the
    next."""
    return ((number + 0.5) / divisor).floor()


def _whole_levels(levels: Tensor) -> Tensor:
    return (levels + 0.5).floor()


def traced_resizing(view: Preprocess) -> torch.export.ExportedProgram:
    """`Resizing` as torch writes it down, for any height and width."""
    images = torch.zeros(1, *EXAMPLE, 3, dtype=torch.uint8)
    height, width = (torch.export.Dim(name, min=1, max=1 << 26) for name in ("height", "width"))
    with torch.no_grad():
        return torch.export.export(
            Resizing(view), (images,), dynamic_shapes=({1: height, 2: width},)
        )
