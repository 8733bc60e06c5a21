"""One training as a thing: its parts, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from shortcut.classifier import Classifier
from shortcut.data.loaders import EvaluationLoader, TrainingLoader
from shortcut.events import EpochEnd
from shortcut.precision import Precision
from shortcut.settings import Recipe


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
    tested: float = 0.0
    """Training pictures a second at `data.image_size`, by the self-test; 0 where there was none."""
    history: list[EpochEnd] = field(default_factory=list)
    """The epochs that are over."""
    step: int = 0
    """Optimizer steps taken in all."""

    @property
    def epochs(self) -> int:
        """How many there will be in all."""
        return len(self.train.sizes)

    def plan(self, sizes: Sequence[int]) -> None:
        """Train as many epochs as `sizes` has image sizes, in pixels. Between two epochs only."""
        length = self.recipe.train.model_copy(update={"epochs": len(sizes)})
        self.recipe = self.recipe.model_copy(update={"train": length})
        self.classifier.recipe = self.recipe
        self.train = replace(self.train, sizes=tuple(sizes))

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
