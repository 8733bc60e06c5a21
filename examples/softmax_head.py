"""What a softmax before the cross entropy does: the same network, data and order, with both heads.

Cross entropy takes logits and applies a softmax itself. A network that ends in one already has it
twice: its outputs lie between 0 and 1, so for two classes the loss cannot fall below
log(1 + 1/e) = 0.3133, and it pulls ever less the surer the network is.

    python examples/softmax_head.py cats-dogs [--pictures 2000] [--epochs 20]

Prints a table and writes softmax_head.png.
"""

import argparse
import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

import shortcut
from shortcut.data.cache import read_pictures
from shortcut.data.loaders import EvaluationLoader, TrainingLoader
from shortcut.data.preprocess import Preprocess
from shortcut.data.samples import Sample
from shortcut.data.sources import default_cache
from shortcut.events import run_silently
from shortcut.models import BasicBlock, ResNet
from shortcut.settings import AugmentSettings, NoCrop

SIZE = 64
COLOURS = {"logits": "#0072B2", "softmax": "#D55E00"}


class SoftmaxResNet(ResNet):
    """A ResNet that ends in a softmax, as the cats-and-dogs tutorial's does."""

    def classify(self, fmap: Tensor) -> Tensor:
        """(N, 512, h, w) -> probabilities (N, num_classes)."""
        return super().classify(fmap).softmax(1)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """They are probabilities already."""
        return outputs


@dataclass
class Result:
    """What one head reached."""

    train_losses: list[float] = field(default_factory=list)
    val_losses: list[float] = field(default_factory=list)
    train_accuracy: float = 0.0
    val_accuracy: float = 0.0
    mean_score: float = 0.0
    """Mean probability of the answers on val."""


def load_parts(
    data: Path, pictures: int, epochs: int
) -> tuple[TrainingLoader, EvaluationLoader, int, int]:
    """A seeded choice of training pictures, a quarter as many for val; batches of both."""
    source = shortcut.read_source(data, cache=default_cache())
    samples = [sample for part in ("train", "all") for sample in source.parts.get(part, ())]
    chosen = random.Random(0).sample(samples, min(len(samples), pictures * 5 // 4))
    cut = len(chosen) * 4 // 5
    preprocess = Preprocess(SIZE, SIZE)

    def read(part: list[Sample]) -> tuple[object, list[int]]:
        got = run_silently(read_pictures(part, SIZE, threads=2))
        return got.pictures, [source.classes.index(sample.label) for sample in got.samples]

    train_pictures, train_labels = read(chosen[:cut])
    val_pictures, val_labels = read(chosen[cut:])
    augment = AugmentSettings(crop=NoCrop(), flip=True)
    sizes = [SIZE] * epochs
    train = TrainingLoader(train_pictures, train_labels, augment, preprocess, 32, sizes, 0, 1)
    val = EvaluationLoader(val_pictures, val_labels, preprocess, 64, 1)
    return train, val, len(source.classes), cut


def normalise(images: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 around zero."""
    return ((images.float() / 255 - 0.45) / 0.225).permute(0, 3, 1, 2)


def train(model: ResNet, parts: tuple[TrainingLoader, EvaluationLoader], epochs: int) -> Result:
    """Adam 0.001 and cross entropy on whatever the network gives, as the tutorial has it."""
    batches, val = parts
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    result = Result()
    for epoch in range(epochs):
        model.train()
        loss_sum, right, count = 0.0, 0, 0
        for batch in batches.epoch(epoch):
            outputs = model(normalise(batch.images))
            loss = F.cross_entropy(outputs, batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(batch.labels)
            right += int((outputs.argmax(1) == batch.labels).sum())
            count += len(batch.labels)
        result.train_losses.append(loss_sum / count)
        result.train_accuracy = right / count
        measure(model, val, result)
        print(
            f"{type(model).__name__:>14}  epoch {epoch + 1:>2}/{epochs}  "
            f"train loss {result.train_losses[-1]:.4f}  val loss {result.val_losses[-1]:.4f}  "
            f"val accuracy {result.val_accuracy:.3f}",
            flush=True,
        )
    return result


@torch.inference_mode()
def measure(model: ResNet, val: EvaluationLoader, result: Result) -> None:
    """The loss that training would see, accuracy, and how sure the answers are."""
    model.eval()
    loss_sum, right, scores, count = 0.0, 0, 0.0, 0
    for batch in val:
        outputs = model(normalise(batch.images))
        best = model.probabilities(outputs).max(1)
        loss_sum += F.cross_entropy(outputs, batch.labels, reduction="sum").item()
        right += int((best.indices == batch.labels).sum())
        scores += float(best.values.sum())
        count += len(batch.labels)
    result.val_losses.append(loss_sum / count)
    result.val_accuracy, result.mean_score = right / count, scores / count


def draw(results: dict[str, Result], floor: float, path: Path) -> None:
    """Training loss of both heads, and the floor under one of them."""
    figure = Figure(figsize=(7, 4), dpi=150, layout="constrained")
    axes = figure.subplots()
    for name, result in results.items():
        epochs = range(1, len(result.train_losses) + 1)
        label = "cross entropy of a softmax" if name == "softmax" else "cross entropy of logits"
        axes.plot(epochs, result.train_losses, color=COLOURS[name], lw=2, label=label)
    axes.axhline(floor, color="#333333", lw=1, ls="--")
    axes.text(1, floor, f"lowest possible with a softmax: {floor:.4f}", va="bottom", fontsize=9)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def main() -> None:
    """Parse, train both heads from the same start, print a table, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=2000, help="to train on")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("softmax_head.png"))
    options = parser.parse_args()
    batches, val, classes, pictures = load_parts(options.data, options.pictures, options.epochs)
    print(f"{pictures} pictures to train on, {len(val.labels)} to measure, {SIZE} px, ResNet-18")
    floor = math.log(1 + (classes - 1) / math.e)
    results: dict[str, Result] = {}
    for name, network in (("logits", ResNet), ("softmax", SoftmaxResNet)):
        torch.manual_seed(0)
        model = network(BasicBlock, (2, 2, 2, 2), classes)
        results[name] = train(model, (batches, val), options.epochs)
    print("\nhead     lowest loss  train loss  train acc  val loss  val acc  mean score")
    for name, one in results.items():
        lowest = floor if name == "softmax" else 0.0
        print(
            f"{name:<8} {lowest:>11.4f} {one.train_losses[-1]:>11.4f} {one.train_accuracy:>10.3f} "
            f"{one.val_losses[-1]:>9.4f} {one.val_accuracy:>8.3f} {one.mean_score:>11.3f}"
        )
    draw(results, floor, options.output)
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
