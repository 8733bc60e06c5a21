"""What the stages of a network make of a picture, in numbers that do not depend on its size."""

from collections.abc import Iterator

import torch
from torch import Tensor

from shortcut.models.resnet import ResNet


def stage_maps(model: ResNet, x: Tensor) -> Iterator[Tensor]:
    """The maps that leave each stage, (N, C, h, w) each; the last is `ResNet.features`.

    The CIFAR form has three stages, all others four.
    """
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        if len(stage):
            x = stage(x)
            yield x


def classify_and_describe(model: ResNet, x: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs as `forward` gives them, (N, num_classes), and what `map_and_describe` tells of the
    same pass."""
    fmap, described = map_and_describe(model, x)
    return model.classify(fmap), described


def map_and_describe(model: ResNet, x: Tensor) -> tuple[Tensor, Tensor]:
    """`ResNet.features`, (N, C, h, w), and float32 features of the same pass, (N, D): means over
    each channel of every stage, then deviations over those of the last."""
    means, fmap = list[Tensor](), x
    for fmap in stage_maps(model, x):
        means.append(fmap.mean((2, 3), dtype=torch.float32))
    spread = fmap.float().std((2, 3), correction=0)
    return fmap, torch.cat([*means, spread], 1)


def feature_widths(model: ResNet) -> tuple[int, int]:
    """Of the features of `classify_and_describe`: how many are of the stages before the last, and
    how many of the last."""
    stages = [stage for stage in (model.layer1, model.layer2, model.layer3, model.layer4) if stage]
    first, last = model.inplanes >> (len(stages) - 1), model.inplanes
    return sum(first << place for place in range(len(stages) - 1)), 2 * last
