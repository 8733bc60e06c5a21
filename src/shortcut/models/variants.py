"""The table of networks: a family is data. Read a row, call `create_model`."""

import difflib
from dataclasses import dataclass
from typing import Literal

from shortcut.errors import ModelError
from shortcut.models.ghosts import shapes_only
from shortcut.models.relatives import (
    PadBlock,
    PlainBlock,
    PoolBlock,
    TutorialBlock,
    TutorialResNet,
)
from shortcut.models.resnet import BasicBlock, Bottleneck, ResNet, StemName

SMALL_PICTURE = 64
"""Up to this size in pixels the `small` stem is chosen: the standard one would leave 2x2 of it or
less."""


@dataclass(frozen=True)
class Variant:
    """One row: everything that tells one network from another."""

    block: type[BasicBlock] | type[Bottleneck]
    layers: tuple[int, ...]
    groups: int = 1
    width: int = 64
    """Width per group; 128 makes a Wide ResNet."""
    inplanes: int = 64
    stem: StemName | None = None
    """Fixed stem, or None where the picture's size decides."""
    sizes: tuple[int, int] = (8, 4096)
    """Smallest and largest picture side, in pixels."""
    zero_init: bool = False
    """Blocks begin as the identity, see `ResNet`."""
    paper: str = "arXiv:1512.03385"

    @property
    def usual_size(self) -> int:
        """Side in pixels of the pictures that its paper trains it on."""
        return 32 if self.stem == "small" else 224

    @property
    def usual_classes(self) -> int:
        """As many as there: ImageNet's 1000, or the 10 of CIFAR-10."""
        return 10 if self.stem == "small" else 1000

    @property
    def year(self) -> int | None:
        """Of the paper; None where there is none."""
        number = self.paper.removeprefix("arXiv:")
        return 2000 + int(number[:2]) if number != self.paper else None


def _cifar(block: type[BasicBlock], depth: int) -> Variant:
    blocks = (depth - 2) // 6  # the paper's 6n + 2
    return Variant(block, (blocks,) * 3, inplanes=16, stem="small")


VARIANTS: dict[str, Variant] = {
    "resnet18": Variant(BasicBlock, (2, 2, 2, 2)),
    "resnet34": Variant(BasicBlock, (3, 4, 6, 3)),
    "resnet50": Variant(Bottleneck, (3, 4, 6, 3)),
    "resnet101": Variant(Bottleneck, (3, 4, 23, 3)),
    "resnet152": Variant(Bottleneck, (3, 8, 36, 3)),
    "resnext50_32x4d": Variant(
        Bottleneck, (3, 4, 6, 3), groups=32, width=4, paper="arXiv:1611.05431"
    ),
    "resnext101_32x8d": Variant(
        Bottleneck, (3, 4, 23, 3), groups=32, width=8, paper="arXiv:1611.05431"
    ),
    "resnext101_64x4d": Variant(
        Bottleneck, (3, 4, 23, 3), groups=64, width=4, paper="arXiv:1611.05431"
    ),
    "wide_resnet50_2": Variant(Bottleneck, (3, 4, 6, 3), width=128, paper="arXiv:1605.07146"),
    "wide_resnet101_2": Variant(Bottleneck, (3, 4, 23, 3), width=128, paper="arXiv:1605.07146"),
    "resnet20": _cifar(PadBlock, 20),
    "resnet32": _cifar(PadBlock, 32),
    "resnet44": _cifar(PadBlock, 44),
    "resnet56": _cifar(PadBlock, 56),
    "resnet110": _cifar(PadBlock, 110),
    **{
        f"resnet18_pool{width}": Variant(PoolBlock, (2, 2, 2, 2), inplanes=width, zero_init=True)
        # Channels of the first stage. Not 64: a file of weights could not be told from resnet18's.
        for width in (32, 48, 56)
    },
    "plain18": Variant(PlainBlock, (2, 2, 2, 2)),
    "plain34": Variant(PlainBlock, (3, 4, 6, 3)),
    "plain20": _cifar(PlainBlock, 20),
    "plain56": _cifar(PlainBlock, 56),
    "resnet34_tutorial": Variant(
        TutorialBlock, (3, 4, 6, 3), stem="unpadded", sizes=(107, 234), paper="tutorial"
    ),
}


def list_models() -> list[str]:
    """Names of all networks, in the order of the table."""
    return list(VARIANTS)


def find_variant(name: str) -> Variant:
    """The row called `name`.

    Raises:
        ModelError: if there is none; the nearest name is offered.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    near = difflib.get_close_matches(name, VARIANTS, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "`shortcut models` lists them."
    raise ModelError(f"unknown model `{name}`. {hint}")


def choose_stem(
    name: str, image_size: int, wanted: Literal["auto", "standard", "small"] = "auto"
) -> StemName:
    """The stem for `name` at `image_size` pixels: the row's own, the one wanted, or by size.

    Raises:
        ModelError: for an unknown name, a size outside the row's limits, or a stem that the row
        does not have.
    """
    variant = find_variant(name)
    smallest, largest = variant.sizes
    if not smallest <= image_size <= largest:
        raise ModelError(
            f"`{name}` takes pictures of {smallest} to {largest} pixels, not {image_size}."
        )
    if variant.stem is None:
        by_size: StemName = "small" if image_size <= SMALL_PICTURE else "standard"
        return by_size if wanted == "auto" else wanted
    if wanted not in ("auto", variant.stem):
        raise ModelError(
            f"`{name}` has the `{variant.stem}` stem only: leave `model.stem` at auto."
        )
    return variant.stem


def create_model(name: str, *, num_classes: int = 1000, stem: StemName | None = None) -> ResNet:
    """A freshly initialised network (torch's global seed decides the weights).

    Args:
        name: a name from `list_models()`.
        num_classes: size of the output, at least 1.
        stem: `standard` or `small`; None takes the row's own, `standard` where it has none.

    Raises:
        ModelError: for an unknown name (the nearest is offered) or a stem that the row does not
        have.
    """
    variant = find_variant(name)
    if num_classes < 1:
        raise ModelError(f"num_classes (={num_classes}) must be at least 1.")
    if variant.stem is not None and stem not in (None, variant.stem):
        raise ModelError(f"`{name}` has the `{variant.stem}` stem only, not `{stem}`.")
    if variant.block is TutorialBlock:
        return TutorialResNet(variant.layers, num_classes)
    return ResNet(
        variant.block,
        variant.layers,
        num_classes,
        variant.zero_init,
        groups=variant.groups,
        width_per_group=variant.width,
        stem=variant.stem or stem or "standard",
        inplanes=variant.inplanes,
    )


def count_parameters(name: str, num_classes: int = 1000) -> int:
    """How many numbers the network learns; nothing is allocated for it.

    Raises:
        ModelError: for an unknown name.
    """
    with shapes_only():
        return sum(
            parameter.numel()
            for parameter in create_model(name, num_classes=num_classes).parameters()
        )
