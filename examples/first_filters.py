"""First filters, as random numbers, and as principal components of patches of your photos.

Trained networks begin with brightness, edges and colours. Where the first layer starts from what
patches of the pictures differ in, it need not find them first (`model.first_filters`).

    python examples/first_filters.py cats-dogs/train

Writes first_filters.png.
"""

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

import shortcut
from shortcut.data.cache import read_pictures
from shortcut.data.folders import read_folder
from shortcut.data.patches import principal_filters
from shortcut.data.preprocess import Preprocess
from shortcut.events import run_silently

SIDE, PICTURES = 64, 500
"""As recipes have them in their first epoch."""


def of_patches(folder: Path, like: Tensor) -> Tensor:
    """The filters that pictures of `folder` give to a layer of weights `like`, (N, 3, k, k)."""
    samples = [sample for part in read_folder(folder).parts.values() for sample in part]
    every = max(1, len(samples) // PICTURES)
    read = run_silently(read_pictures(samples[::every], SIDE, threads=2))
    view = Preprocess(SIDE, SIDE)
    squares = [view.middle(view.fitted(read.pictures[i])) for i in range(len(read.samples))]
    return torch.from_numpy(principal_filters(squares, len(like), like.size(2), view.std))


def draw(rows: dict[str, Tensor]) -> Figure:
    """The first half of each row's filters, for the other is its negative; grey is zero."""
    count = 16
    figure = Figure(figsize=(8, 1.5), layout="constrained")
    for part, (title, filters) in zip(
        figure.subfigures(len(rows), 1).flat, rows.items(), strict=True
    ):
        part.suptitle(title, fontsize=8, x=0.01, ha="left")
        for axes, one in zip(part.subplots(1, count).flat, filters, strict=False):
            axes.imshow((one / one.abs().max() + 1).permute(1, 2, 0) / 2)
            axes.set_axis_off()
    return figure


def main() -> None:
    """Read the photos and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    torch.manual_seed(0)
    first = shortcut.create_model("resnet18_pool32", num_classes=2).conv1.weight.detach()
    rows = {"random": first, "patches": of_patches(parser.parse_args().data, first)}
    draw(rows).savefig("first_filters.png", dpi=150)


if __name__ == "__main__":
    main()
