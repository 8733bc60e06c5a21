"""Pictures in which one thing decides the class, at a place that is known, and a network that has
learnt to see it."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from shortcut.classifier import Classifier
from shortcut.data.preprocess import Pixels, Preprocess
from shortcut.models.relatives import PoolBlock
from shortcut.models.resnet import ResNet

SIDE, SQUARE = 64, 13
CLASSES = {"green": (40, 180, 60), "red": (220, 40, 40)}
OTHERS = ((40, 60, 220), (230, 210, 40))
"""Of the discs, which say nothing."""


@dataclass(frozen=True)
class Cued:
    """Noise, two discs, and a square whose colour is the class."""

    pixels: Pixels
    label: int
    left: int
    top: int

    def holds(self, x: int, y: int) -> bool:
        """Whether the square has this pixel."""
        return 0 <= x - self.left < SQUARE and 0 <= y - self.top < SQUARE


def make_cued(seed: int, *, with_square: bool = True) -> Cued:
    """One that no other seed gives; classes take turns."""
    noise = np.random.default_rng(seed)
    grain = noise.normal(noise.uniform(80, 170, 3), 40, (SIDE, SIDE, 3)).clip(0, 255)
    image = Image.fromarray(grain.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for colour in OTHERS:
        x, y = noise.integers(0, SIDE - SQUARE, 2).tolist()
        draw.ellipse((x, y, x + SQUARE, y + SQUARE), colour)
    left, top = noise.integers(0, SIDE - SQUARE + 1, 2).tolist()
    label = seed % 2
    colour = list(CLASSES.values())[label]
    if with_square:
        draw.rectangle((left, top, left + SQUARE - 1, top + SQUARE - 1), colour)
    return Cued(np.asarray(image), label, left, top)


def blank_classifier(side: int = SIDE) -> Classifier:
    """Untrained: three small blocks, 16 x 16 cells of 64 pixels."""
    torch.manual_seed(2)
    model = ResNet(PoolBlock, (1, 1, 1), len(CLASSES), stem="small", inplanes=8)
    return Classifier(model, "resnet20", "small", tuple(CLASSES), Preprocess(side, side))


@cache
def cue_classifier() -> Classifier:
    """Trained for some 5 s; pictures below seed 10,000 are new to it.

    A quarter of what it sees has no square and belongs to both classes by half, so that neither is
    what is said for want of the other.
    """
    classifier = blank_classifier()
    seeds = range(10_000, 10_320)
    cued = [make_cued(seed, with_square=seed % 8 > 1) for seed in seeds]
    images = classifier.normalise(torch.from_numpy(np.stack([one.pixels for one in cued])))
    labels = F.one_hot(torch.tensor([one.label for one in cued])).float()
    labels[[seed % 8 <= 1 for seed in seeds]] = 0.5
    optimizer = torch.optim.AdamW(classifier.model.parameters(), weight_decay=0.05)
    batches = [part for _ in range(5) for part in torch.randperm(len(cued)).split(16)]
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=len(batches))
    classifier.model.train()
    for batch in batches:
        optimizer.zero_grad()
        F.cross_entropy(classifier.model(images[batch]), labels[batch]).backward()
        optimizer.step()
        rates.step()
    return classifier
