"""The idea of the paper, shown: deeper plain networks get worse in training, residual ones do not.

Trains plain-20, plain-56, resnet-20 and resnet-56 on CIFAR-10 under one recipe and draws Figure 6
of "Deep Residual Learning for Image Recognition" (arXiv:1512.03385): training error dashed, test
error solid, plain networks left, residual ones right.

    python examples/degradation.py --data cifar10.tar.gz     (or a folder with train/ and test/)
    python examples/degradation.py --download                (torchvision's CIFAR-10)
    python examples/degradation.py --full                    (the paper's length: 164 epochs; a GPU)

The short form shrinks the pictures to 16 pixels and trains 10 epochs, so that two CPU cores are
done within 40 minutes; the picture says so. A finished run is not repeated, one that was
interrupted goes on.
"""

import argparse
import csv
import random
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import shortcut
from shortcut.data.samples import Sample
from shortcut.data.sources import default_cache
from shortcut.events import EpochEnd
from shortcut.runs import resuming, training

NETWORKS = ("resnet20", "resnet56", "plain20", "plain56")
SHALLOW, DEEP = "#0072B2", "#D55E00"
RECIPE = {
    # Section 4.2 of the paper: SGD with momentum 0.9 and decay 1e-4, rate 0.1 for batches of 128.
    # The rate falls along a cosine instead of in two steps: in few epochs those come too late.
    "augment.crop.name": "shift",
    "augment.crop.pad": 0.125,  # 4 pixels of 32
    "augment.flip": True,
    "augment.start_scale": 1.0,
    "augment.final_scale": 1.0,
    "optim.name": "sgd",
    "optim.weight_decay": 1e-4,
    "optim.nesterov": False,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 0.5,
    "data.validation": "test",
    "train.label_smoothing": 0.0,
    "train.ema_decay": 0.0,
}
FULL = {
    "data.image_size": 32,
    "optim.lr": 0.1,
    "train.batch_size": 128,
}
SHORT = {
    "data.image_size": 16,
    # Twice the steps for the same work; the rate goes with the batch (arXiv:1706.02677).
    "optim.lr": 0.05,
    "train.batch_size": 64,
}


@dataclass(frozen=True)
class Curves:
    """Errors in per cent, a value an epoch."""

    train: list[float]
    test: list[float]
    seconds: float
    """Of all epochs."""


def read_pictures(options: argparse.Namespace) -> dict[str, list[Sample]]:
    """Train and test pictures by part: a seeded choice of them, the same share of every class."""
    data: Path | str = options.data or "cifar10"
    if isinstance(data, Path) and data.is_file():
        folder = options.output / "pictures"
        if not folder.is_dir():
            print(f"unpacking {data}", flush=True)
            unfinished = options.output / "unpacking"
            shutil.rmtree(unfinished, ignore_errors=True)
            with tarfile.open(data) as archive:
                archive.extractall(unfinished, filter="data")
            unfinished.rename(folder)
        data = folder
    source = shortcut.read_source(data, cache=default_cache(), download=options.download)
    wanted = {"train": options.images, "test": options.test_images}
    chosen: dict[str, list[Sample]] = {}
    for part, count in wanted.items():
        for label in source.classes:
            of_class = [sample for sample in source.parts[part] if sample.label == label]
            some = random.Random(0).sample(
                of_class, min(count // len(source.classes), len(of_class))
            )
            chosen.setdefault(part, []).extend(some)
    return chosen


def write_table(parts: Mapping[str, list[Sample]], path: Path) -> Path:
    """The chosen pictures as a CSV file that `shortcut train` takes."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for part, samples in parts.items():
            writer.writerows((sample.path.resolve(), sample.label, part) for sample in samples)
    return path


def run_folder(network: str, options: argparse.Namespace) -> Path:
    """Of its own for every size and length, so that runs of another are not taken for it."""
    size = 32 if options.full else SHORT["data.image_size"]
    pictures = f"{options.images}+{options.test_images}"
    return options.output / f"{network}-{size}px-{pictures}x{options.epochs}"


def train(network: str, data: Path, options: argparse.Namespace) -> None:
    """Train one network, or go on with it, telling of each epoch."""
    run = run_folder(network, options)
    if (run / "recipe.yaml").is_file():
        events = resuming(run, device=options.device)
    else:
        changes = RECIPE | (FULL if options.full else SHORT)
        changes |= {"model.name": network, "train.epochs": options.epochs}
        recipe = shortcut.read_recipe("balanced", changes)
        events = training(data, recipe, output=run, device=options.device)
    for event in events:
        if isinstance(event, EpochEnd):
            print(
                f"{network:>9}  epoch {event.epoch:>3}/{event.epochs}  "
                f"training error {100 * (1 - event.train_accuracy):5.1f} %  "
                f"test error {100 * (1 - event.val_accuracy):5.1f} %  {event.seconds:.0f} s",
                flush=True,
            )


def read_curves(run: Path) -> Curves:
    """Errors in per cent from a run folder's table."""
    with (run / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    accuracy = "test_accuracy" if "test_accuracy" in rows[0] else "val_accuracy"
    return Curves(
        train=[100 * (1 - float(row["train_accuracy"])) for row in rows],
        test=[100 * (1 - float(row[accuracy])) for row in rows],
        seconds=sum(float(row["seconds"]) for row in rows),
    )


def draw(curves: Mapping[str, Curves], path: Path, title: str) -> None:
    """Two panels that share their axes, as in the paper."""
    figure = Figure(figsize=(9, 4.6), dpi=150, layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, 2, sharey=True))
    for axes, family in zip(panels, ("plain", "resnet"), strict=True):
        for depth, colour in ((20, SHALLOW), (56, DEEP)):
            found = curves[f"{family}{depth}"]
            epochs = range(1, len(found.train) + 1)
            axes.plot(epochs, found.train, color=colour, lw=1.4, ls="--")
            axes.plot(epochs, found.test, color=colour, lw=2, label=f"{family}-{depth}")
        _write_ends(axes, [curves[f"{family}{depth}"].train for depth in (20, 56)])
        axes.set_title("without shortcuts" if family == "plain" else "with shortcuts")
        axes.set_xlabel("epoch")
        axes.legend(frameon=False)
        axes.grid(axis="y", color="#E4E4E4")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("error (%)")
    figure.suptitle(f"{title}\ndashed: training error, with its last value; solid: test error")
    figure.savefig(path)


def _write_ends(axes: Axes, ends: list[list[float]]) -> None:
    """The last training errors at the right, apart enough to be read."""
    for errors, other, colour in zip(ends, ends[::-1], (SHALLOW, DEEP), strict=True):
        apart = 5 if errors[-1] > other[-1] else -5
        near = abs(errors[-1] - other[-1]) < 4
        axes.annotate(
            f"{errors[-1]:.1f}",
            (len(errors), errors[-1]),
            xytext=(5, apart if near else 0),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=9,
        )


def report(curves: Mapping[str, Curves]) -> None:
    """The last errors, and what they show."""
    print("\nnetwork     training error   test error, last epoch")
    for network, found in curves.items():
        print(f"{network:>9}  {found.train[-1]:>13.1f} %  {found.test[-1]:>9.1f} %")
    for family in ("plain", "resnet"):
        gain = curves[f"{family}20"].train[-1] - curves[f"{family}56"].train[-1]
        word = "better" if gain > 0 else "worse"
        print(f"{family}: 56 layers train {abs(gain):.1f} points {word} than 20")


def describe(options: argparse.Namespace, curves: Mapping[str, Curves]) -> str:
    """What the picture says of how it came to be."""
    minutes = sum(found.seconds for found in curves.values()) / 60
    squares = "" if options.full else ", shrunk to 16 pixels"
    return (
        f"CIFAR-10, {options.images:,} training pictures{squares}, {options.epochs} epochs, "
        f"{minutes:.0f} minutes for all four"
    )


def main() -> None:
    """Parse, train what is missing, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a .tar.gz or a folder with train/ and test/")
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("runs/degradation"))
    parser.add_argument("--images", type=int, default=50_000, help="training pictures")
    parser.add_argument("--test-images", type=int, help="2,000, or all with --full")
    parser.add_argument("--epochs", type=int, help="10, or 164 with --full")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--full", action="store_true", help="the paper's length and pictures")
    options = parser.parse_args()
    options.test_images = options.test_images or (10_000 if options.full else 2_000)
    options.epochs = options.epochs or (164 if options.full else 10)
    options.output.mkdir(parents=True, exist_ok=True)
    pictures = read_pictures(options)
    options.images, options.test_images = len(pictures["train"]), len(pictures["test"])
    data = write_table(pictures, options.output / "cifar10.csv")
    for network in NETWORKS:
        if not (run_folder(network, options) / "record.md").is_file():
            train(network, data, options)
    curves = {network: read_curves(run_folder(network, options)) for network in NETWORKS}
    picture = options.output / "degradation.png"
    title = describe(options, curves)
    draw(curves, picture, title)
    report(curves)
    print(f"\n{picture}: {title}")


if __name__ == "__main__":
    main()
