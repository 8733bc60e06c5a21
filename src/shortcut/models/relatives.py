"""Networks that differ from `resnet.py` by one idea each: no shortcuts, free shortcuts, a
tutorial's choices."""

from collections.abc import Sequence
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from shortcut.models.resnet import BasicBlock, Norm, ResNet, conv1x1, conv3x3


class PlainBlock(BasicBlock):
    """The same two convolutions without the addition: the paper's plain nets, which get worse with
    depth (section 1, Figure 1; section 4.1, Table 2)."""

    @staticmethod
    def shortcut(inplanes: int, planes: int, stride: int, norm_layer: Norm) -> nn.Module | None:
        return None

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.branch(x))


class PadShortcut(nn.Module):
    """Shortcut without parameters: skip every other pixel, fill new channels with zeros (section
    3.3, option A).

    (N, C, H, W) -> (N, C + added, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, added: int, stride: int) -> None:
        super().__init__()
        self.added = added
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        before = self.added // 2
        return F.pad(x, (0, 0, 0, 0, before, self.added - before))


class PadBlock(BasicBlock):
    """Basic block of the paper's CIFAR nets, which use option A throughout (section 4.2)."""

    @staticmethod
    def shortcut(inplanes: int, planes: int, stride: int, norm_layer: Norm) -> nn.Module | None:
        return PadShortcut(planes - inplanes, stride)


class PoolBlock(BasicBlock):
    """Basic block that shrinks by a 2x2 max-pool in front of both ways, never by a stride: no pixel
    is passed over, and each convolution works on the small side.

    (N, C, H, W) -> (N, planes, ceil(H / stride), ceil(W / stride)), as with a stride.
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        *,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm = nn.BatchNorm2d,
    ) -> None:
        super().__init__(
            inplanes,
            planes,
            downsample=downsample,
            groups=groups,
            base_width=base_width,
            dilation=dilation,
            norm_layer=norm_layer,
        )
        self.pool = nn.MaxPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()

    @staticmethod
    def shortcut(inplanes: int, planes: int, stride: int, norm_layer: Norm) -> nn.Module | None:
        return nn.Sequential(conv1x1(inplanes, planes), norm_layer(planes))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.pool(x))


class TutorialBlock(BasicBlock):
    """Basic block of the cats-and-dogs tutorial: biased convolutions and 3x3 shortcuts.

    The biases do nothing that the norm behind them does not undo; they are kept to be true to the
    source.
    """

    bias: ClassVar[bool] = True

    @staticmethod
    def shortcut(inplanes: int, planes: int, stride: int, norm_layer: Norm) -> nn.Module | None:
        return nn.Sequential(conv3x3(inplanes, planes, stride, bias=True), norm_layer(planes))


class TutorialResNet(ResNet):
    """ResNet-34 as the cats-and-dogs tutorial writes it, with its five differences from the paper.

    Biased block convolutions, 3x3 shortcuts, a stem without padding, `AvgPool2d(4)`, and a softmax
    before the cross entropy. That last one applies softmax twice, so for two classes the loss
    cannot fall below log(1 + 1/e) = 0.3133. Takes pictures of 107 to 234 pixels: outside, the pool
    does not leave 1x1.
    """

    ends_in_softmax: ClassVar[bool] = True

    def __init__(self, layers: Sequence[int], num_classes: int) -> None:
        super().__init__(TutorialBlock, layers, num_classes, stem="unpadded")
        self.avgpool = nn.AvgPool2d(4)

    def classify(self, fmap: Tensor) -> Tensor:
        """(N, 512, 4..7, 4..7) -> probabilities (N, num_classes): the softmax is part of this
        network."""
        # In float32 also where convolutions are not: near 1 bfloat16 has steps of 1/256.
        return super().classify(fmap).float().softmax(1)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The outputs are probabilities already; returned as float32."""
        return outputs.float()
