"""One training as a thing: its parts, and how far it is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from shortcut.classifier import Classifier
from shortcut.data.loaders import EvaluationLoader, TrainingLoader
from shortcut.events import EpochEnd
from shortcut.precision import Precision
from shortcut.settings import Recipe
from shortcut.world import ALONE, World


@dataclass
class Tally:
    """How far the epoch under way is, and its running sums."""

    steps: int = 0
    """Taken or left out: the next one is `steps`, counted from 0."""
    images: int = 0
    correct: int = 0
    loss: float = 0.0
    """Sum over pictures."""
    waiting: float = 0.0
    """Seconds."""
    before: float = 0.0
    """Seconds before an interruption."""
    unusable: int = 0
    """Steps in a row, up to now, whose numbers were not finite."""
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Of this epoch so far."""
        return self.before + time.perf_counter() - self.started

    @property
    def speed(self) -> float:
        """Pictures a second so far."""
        return self.images / self.seconds

    @property
    def waited(self) -> float:
        """Share of the time so far that went into waiting for pictures."""
        return self.waiting / self.seconds


@dataclass
class Job:
    """Everything a training needs, and how far it is."""

    recipe: Recipe
    classifier: Classifier
    """Holds the network whose weights the optimizer moves."""
    train: TrainingLoader
    val: EvaluationLoader
    optimizer: Optimizer
    averaged: AveragedModel | None
    precision: Precision
    world: World = ALONE
    shared: nn.Module | None = None
    """The network as several processes train it, see `World.together`; None for one."""
    pictures: str = ""
    """A digest of the pictures that could be read, see `preparation`."""
    tested: dict[int, float] = field(default_factory=dict)
    """Training pictures a second of all processes by image size in pixels, as far as that was
    measured before the first step."""
    history: list[EpochEnd] = field(default_factory=list)
    """The epochs that are over."""
    tally: Tally = field(default_factory=Tally)
    """Of the epoch after those."""
    step: int = 0
    """Optimizer steps taken in all."""
    lr_scale: float = 1.0
    """Halved when numbers went wrong."""
    adaptable: bool = False
    """A budget chose the size in which it is asked: that may become another, where pictures did."""
    pieces: int = 1
    """A batch goes through the network in so many pieces: more where memory ran out."""

    @property
    def epochs(self) -> int:
        """How many there will be in all."""
        return len(self.train.sizes)

    def plan(self, sizes: Sequence[int]) -> None:
        """Train as many epochs as `sizes` has image sizes, in pixels: between two epochs, or the
        same number of them between two steps."""
        if tuple(sizes) == tuple(self.train.sizes) and len(sizes) == self.recipe.train.epochs:
            return  # what was made ahead stays good
        length = self.recipe.train.model_copy(update={"epochs": len(sizes)})
        self.recipe = self.recipe.model_copy(update={"train": length})
        self.classifier.recipe = self.recipe
        self.train = replace(self.train, sizes=tuple(sizes))

    @property
    def network(self) -> nn.Module:
        """What a training step sends pictures through."""
        return self.shared or self.classifier.model

    @property
    def measured(self) -> Classifier:
        """The classifier that is measured and saved: the averaged weights where there are any."""
        if self.averaged is None:
            return self.classifier
        return replace(self.classifier, model=self.averaged.module)

    @property
    def best(self) -> EpochEnd | None:
        """The epoch that is best so far."""
        return next((epoch for epoch in reversed(self.history) if epoch.improved), None)

    @property
    def best_epoch(self) -> int:
        """Its number, counted from 1; 0 before there is one."""
        return self.best.epoch if self.best else 0
