"""Every setting: its type, its default, its meaning, its rule. Reading them from files is in
`recipe.py`.

Where a setting belongs to one choice only (`momentum` to SGD), it stands in that choice's model, so
a setting that would have no effect does not exist there and is refused.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelSettings(Settings):
    """The network and where its weights start."""

    name: str = "resnet18"
    """A name that `shortcut models` lists."""
    stem: Literal["auto", "standard", "small"] = "auto"
    """`small` keeps the size of pictures of 64 pixels and less; `auto` decides by
    `data.image_size`."""
    weights: Literal["none", "imagenet"] = "none"
    """`imagenet` starts from torchvision's published weights, downloaded once."""
    first_filters: Literal["random", "patches"] = "random"
    """Where those of the first layer start, if `weights` is `none`. `patches`: as the principal
    components of patches of the training pictures (arXiv:2404.00498, section 3.2)."""


class DataSettings(Settings):
    """Picture size, splits, loading."""

    image_size: Annotated[int, Field(ge=8, le=1024)] = 128
    """Side in pixels of the square that the network sees."""
    resize: Annotated[int, Field(ge=8, le=2048)] | None = None
    """Short side in pixels before the middle `image_size` square is cut out; None: image_size x 8 /
    7."""
    mirror_below: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Where a prediction scores less than this, the mirror image is asked as well and the two
    answers are averaged; 0 is off, 1 asks always."""
    validation: Literal["auto", "test"] = "auto"
    """Where accuracy is measured each epoch. `auto`: the data's own val part, else one carved from
    train.
    `test`: the test part, as many tutorials do; its best figure is then chosen on the test
    pictures."""
    val_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the training pictures that is carved off where the data has no val part; None: a
    tenth; of 4,000 and more a twentieth, where a test part measures in the end."""
    max_broken: Share = 0.01
    """Training goes on without unreadable pictures while their share is below this."""
    max_pixels: Annotated[int, Field(ge=1, le=178_956_970)] | None = None
    """Larger pictures count as unreadable, from their header; None: 75 million. Pillow's own limit
    is the highest."""
    cache: Literal["auto", "off", "ram", "disk"] = "auto"
    """Where decoded pictures stay: in memory, on the disk for the next run (mapped from there), or
    nowhere. `auto`: on the disk, and in the first run also in memory as far as they fit. The
    network sees the same in all cases."""
    workers: Annotated[int, Field(ge=0)] | None = None
    """Threads that prepare pictures; None: one on small machines, more where there are more
    cores."""

    @property
    def short_side(self) -> int:
        """In pixels, of a picture before the middle square is cut out."""
        return self.resize or round(self.image_size * 8 / 7)


class NoCrop(Settings):
    """No random crop."""

    name: Literal["none"] = "none"
    """The same resize and middle cut as in evaluation."""


class ShiftCrop(Settings):
    """A random place, the size kept."""

    name: Literal["shift"]
    """Cut evaluation's square at a random place."""
    pad: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Black border around the picture before the cut, as a share of the square's side."""


class ResizedCrop(Settings):
    """A random place and size."""

    name: Literal["resized"]
    """Cut a random part of the picture and resize it (arXiv:1409.4842)."""
    smallest: Annotated[float, Field(gt=0, le=1)] = 0.35
    """Smallest share of the area; short trainings want more than ImageNet's 0.08."""
    ratio: Annotated[float, Field(ge=1, le=4)] = 4 / 3
    """Largest change of the sides' proportion."""


class AugmentSettings(Settings):
    """How training pictures are varied."""

    crop: NoCrop | ShiftCrop | ResizedCrop = Field(
        default=ResizedCrop(name="resized"), discriminator="name"
    )
    flip: bool = True
    """Mirror every other picture. Wrong for digits and text."""
    trivial_augment: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the pictures that are turned, sheared, shifted or changed in colour, in one way and
    by as much as chance has it (TrivialAugment, arXiv:2103.10158, changes all). None: none, but a
    budget that sees pictures often may change all."""
    random_erasing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the pictures of which a rectangle is painted over (arXiv:1708.04896)."""
    mixup: NotNegative = 0.0
    """Alpha of the beta distribution (arXiv:1710.09412); 0 is off. Pays from about 60 epochs on."""
    cutmix: NotNegative = 0.0
    """Alpha of the beta distribution (arXiv:1905.04899); 0 is off. With mixup, each takes half the
    batches."""
    start_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    """First image size as a share of `data.image_size`; it grows over the epochs."""
    final_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Last image size of the training as a share of `data.image_size`. A random cut shows things
    larger than evaluation does, so training smaller fits better and costs less
    (arXiv:1906.06423)."""


class AdamSettings(Settings):
    """Adam (arXiv:1412.6980), or AdamW with decoupled decay (arXiv:1711.05101)."""

    name: Literal["adam", "adamw"]
    lr: Positive = 0.001
    weight_decay: NotNegative = 0.0
    """On matrices and filters only, never on biases and norms."""
    beta1: Share = 0.9
    beta2: Share = 0.999


class SgdSettings(Settings):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    lr: Positive = 0.05
    weight_decay: NotNegative = 5e-4
    momentum: Share = 0.9
    nesterov: bool = True
    """Look ahead along the momentum."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SgdSettings":
        if self.nesterov and self.momentum == 0:
            raise ValueError("`nesterov` has no effect without `momentum`: set it to false")
        return self


class MuonSettings(Settings):
    """Muon: steps on filters are orthogonal matrices; AdamW moves the rest. Needs the fewest epochs
    from scratch."""

    name: Literal["muon"]
    lr: Positive = 0.02
    """Of the filters between the first and the last layer."""
    adamw_lr: Positive = 0.002
    """Of the first layer, the last one, biases and norms."""
    weight_decay: NotNegative = 0.05


OptimSettings = Annotated[AdamSettings | SgdSettings | MuonSettings, Field(discriminator="name")]


class ConstantSchedule(Settings):
    """The learning rate stays."""

    name: Literal["constant"] = "constant"


class StepSchedule(Settings):
    """It falls every so many epochs."""

    name: Literal["step"]
    every: Annotated[int, Field(ge=1)]
    """Epochs between two falls."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


class PlateauSchedule(Settings):
    """It falls when the training loss stalls."""

    name: Literal["plateau"]
    patience: Annotated[int, Field(ge=0)] = 10
    """Epochs without a lower training loss that are tolerated."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.7


class CosineSchedule(Settings):
    """It warms up, then falls along half a cosine."""

    name: Literal["cosine"]
    warmup_epochs: NotNegative = 1.0
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Last rate as a share of `optim.lr`."""


class OneCycleSchedule(Settings):
    """It rises to a peak and falls to the end."""

    name: Literal["onecycle"]
    peak: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of the training after which the rate is at `optim.lr` (arXiv:1708.07120)."""
    start: Annotated[float, Field(gt=0, le=1)] = 0.04
    final: Annotated[float, Field(ge=0, le=1)] = 0.0


ScheduleSettings = Annotated[
    ConstantSchedule | StepSchedule | PlateauSchedule | CosineSchedule | OneCycleSchedule,
    Field(discriminator="name"),
]


class TrainSettings(Settings):
    """Length, batches and what is done to the step."""

    epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=2)] = 32
    """Pictures; batch norm needs two."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Batches whose gradients are added before a step: the step sees batch_size x accumulate
    pictures."""
    label_smoothing: Share = 0.0
    clip_norm: Positive | None = None
    """Longest allowed gradient (2-norm); None does not clip."""
    ema_decay: Share = 0.0
    """Per step; the averaged weights are then the ones measured and saved. 0 is off."""
    target_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    """Stop when validation has shown it."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many epochs without a better validation accuracy."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` times formats and memory layouts on this machine for some seconds and takes the
    fastest; another machine may then compute other bits."""
    sync_batch_norm: bool = False
    """Where several processes train, batch norm looks at the pictures of all of them, as one
    process would: equal results, some speed."""
    compile: bool = False
    """Try `torch.compile`; it is used where a warm self-test says that it is faster."""
    keep: Annotated[int, Field(ge=1)] | Literal["all"] = 3
    """How many improvements stay in `kept/`."""


class Recipe(Settings):
    """Everything that decides a training, but for the data and the machine."""

    name: str = "custom"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    augment: AugmentSettings = AugmentSettings()
    optim: OptimSettings = AdamSettings(name="adamw")
    schedule: ScheduleSettings = ConstantSchedule()
    train: TrainSettings = TrainSettings()

    def steps(self, pictures: int) -> int:
        """Of the optimizer, in all epochs of so many training pictures."""
        together = self.train.batch_size * self.train.accumulate
        return -(-pictures // together) * self.train.epochs

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        size, augment = self.data.image_size, self.augment
        if self.data.resize is not None and self.data.resize < size:
            raise ValueError(
                f"`data.resize` (={self.data.resize}) is below `data.image_size` (={size})"
            )
        if augment.start_scale > augment.final_scale:
            raise ValueError(
                f"`augment.start_scale` (={augment.start_scale}) is above `augment.final_scale` "
                f"(={augment.final_scale})"
            )
        for idle, setting, because in (
            (
                self.model.weights == "imagenet" and self.model.stem == "small",
                "model.weights: imagenet",
                "the standard stem",
            ),
            (self.data.mirror_below > 0 and not augment.flip, "data.mirror_below", "augment.flip"),
        ):
            if idle:
                raise ValueError(f"`{setting}` has no effect without `{because}`")
        return self
