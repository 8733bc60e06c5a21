"""The residual network of "Deep Residual Learning for Image Recognition" (arXiv:1512.03385).

Blocks, the network, its seam (`features`, `classify`). Which sizes exist is in `variants.py`;
networks that differ by one idea are in `relatives.py`. Parameter names, their order and their
initialisation are torchvision's, so a state dict moves either way unchanged and equal seeds give
equal weights.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]
"""Makes a normalisation layer for so many channels: `nn.BatchNorm2d`, or a partial of
`nn.GroupNorm`."""


def conv3x3(
    inplanes: int,
    planes: int,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
    *,
    bias: bool = False,
) -> nn.Conv2d:
    """3x3 convolution, padded: (N, inplanes, H, W) -> (N, planes, H/stride, W/stride)."""
    return nn.Conv2d(
        inplanes, planes, 3, stride, padding=dilation, dilation=dilation, groups=groups, bias=bias
    )


def conv1x1(inplanes: int, planes: int, stride: int = 1) -> nn.Conv2d:
    """1x1 convolution: (N, inplanes, H, W) -> (N, planes, H/stride, W/stride)."""
    return nn.Conv2d(inplanes, planes, 1, stride, bias=False)


class Residual(nn.Module, ABC):
    """The idea of the paper in three lines: y = relu(F(x) + x) (section 3.2, equations 1 and 2).

    Subclasses give F as `branch`. Where F changes the shape, `downsample` carries x across.
    """

    expansion: ClassVar[int] = 1
    """Channels that leave the block, as a multiple of its `planes`."""
    relu: nn.Module
    downsample: nn.Module | None

    @staticmethod
    def shortcut(inplanes: int, planes: int, stride: int, norm_layer: Norm) -> nn.Module | None:
        """What x crosses where the shape changes: a 1x1 projection (section 3.3, option B)."""
        return nn.Sequential(conv1x1(inplanes, planes, stride), norm_layer(planes))

    @abstractmethod
    def branch(self, x: Tensor) -> Tensor:
        """F, before the addition: (N, C_in, H, W) -> (N, C_out, H/stride, W/stride)."""

    def forward(self, x: Tensor) -> Tensor:
        out = self.branch(x)
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class BasicBlock(Residual):
    """Two 3x3 convolutions (Figure 5, left): ResNet-18 and ResNet-34.

    Raises:
        ValueError: for `groups`, `base_width` or `dilation` other than the defaults, as in
        torchvision.
    """

    bias: ClassVar[bool] = False

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
        super().__init__()
        if groups != 1 or base_width != 64 or dilation != 1:
            raise ValueError("BasicBlock has no groups, other widths or dilation: use Bottleneck")
        self.conv1 = conv3x3(inplanes, planes, stride, bias=self.bias)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes, bias=self.bias)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample

    def branch(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(out))


class Bottleneck(Residual):
    """1x1 reduces, 3x3 works, 1x1 restores (Figure 5, right): ResNet-50 and deeper.

    The stride sits on the 3x3, not on the first 1x1 as in the paper ("v1.5"): the 1x1 would throw
    three quarters of its input away unseen. `groups` gives ResNeXt (arXiv:1611.05431), `base_width`
    Wide ResNet (arXiv:1605.07146).
    """

    expansion: ClassVar[int] = 4

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
        super().__init__()
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def branch(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.bn3(self.conv3(out))


class Stem(NamedTuple):
    """What stands before the first block: one convolution, and a 3x3 max-pool of stride 2 unless
    `pool_padding` is None."""

    kernel: int
    stride: int
    padding: int
    pool_padding: int | None


StemName = Literal["standard", "small", "unpadded"]
STEMS: dict[StemName, Stem] = {
    # Table 1 of the paper: leaves a quarter of the side.
    "standard": Stem(kernel=7, stride=2, padding=3, pool_padding=1),
    # Section 4.2: keeps the size, for small pictures.
    "small": Stem(kernel=3, stride=1, padding=1, pool_padding=None),
    # The cats-and-dogs tutorial's.
    "unpadded": Stem(kernel=7, stride=2, padding=0, pool_padding=0),
}


class ResNet(nn.Module):
    """Stem, stages of residual blocks, average pooling, one linear layer.

    (N, 3, H, W), normalised -> (N, num_classes), before any softmax.

    Args:
        block: `BasicBlock`, `Bottleneck` or another `Residual`.
        layers: blocks per stage, e.g. (3, 4, 6, 3). Three stages give the paper's CIFAR form.
        num_classes: size of the output.
        zero_init_residual: start the last norm of each branch at zero, so that every block begins
            as the identity (+0.2-0.3 % top-1, arXiv:1706.02677).
        groups, width_per_group: see `Bottleneck`.
        replace_stride_with_dilation: for stages 2, 3, 4: keep the size and dilate instead of
            striding.
        norm_layer: makes the normalisation layers; `nn.BatchNorm2d` by default.
        stem: a row of `STEMS`; `small` is for pictures of 64 pixels and less.
        inplanes: channels after the stem and in the first stage; each further stage doubles them.

    Raises:
        ValueError: if `layers` has other than three or four elements, or
            `replace_stride_with_dilation` other than three.
    """

    ends_in_softmax: ClassVar[bool] = False
    """True where `forward` gives probabilities: cross entropy then applies a second softmax."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        *,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Norm | None = None,
        stem: StemName = "standard",
        inplanes: int = 64,
    ) -> None:
        super().__init__()
        dilate = (False, False, False)
        if replace_stride_with_dilation is not None:
            dilate = tuple(replace_stride_with_dilation)
        if len(layers) not in (3, 4):
            raise ValueError(f"layers (={tuple(layers)}) must name 3 or 4 stages")
        if len(dilate) != 3:
            raise ValueError(f"replace_stride_with_dilation (={dilate}) must have 3 elements")
        self.block = block
        self.norm_layer: Norm = norm_layer or nn.BatchNorm2d
        self.groups = groups
        self.base_width = width_per_group
        self.inplanes = inplanes  # channels that reach the next block; grows as the stages are made
        self.dilation = 1

        head = STEMS[stem]
        pools = head.pool_padding is not None
        self.conv1 = nn.Conv2d(3, inplanes, head.kernel, head.stride, head.padding, bias=False)
        self.bn1 = self.norm_layer(inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, head.pool_padding or 0) if pools else nn.Identity()
        self.layer1 = self._make_layer(inplanes, layers[0])
        self.layer2 = self._make_layer(inplanes * 2, layers[1], stride=2, dilate=dilate[0])
        self.layer3 = self._make_layer(inplanes * 4, layers[2], stride=2, dilate=dilate[1])
        self.layer4 = nn.Sequential()  # the CIFAR form ends after three stages
        if len(layers) == 4:
            self.layer4 = self._make_layer(inplanes * 8, layers[3], stride=2, dilate=dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(self.inplanes, num_classes)
        self._initialise(zero_init_residual)

    def _make_layer(
        self, planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        """One stage: the first block changes the shape, the others keep it."""
        entering_dilation = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        outplanes = planes * self.block.expansion
        downsample = None
        if stride != 1 or self.inplanes != outplanes:
            downsample = self.block.shortcut(self.inplanes, outplanes, stride, self.norm_layer)
        stage = nn.Sequential()
        for index in range(blocks):
            first = index == 0
            stage.append(
                self.block(
                    self.inplanes if first else outplanes,
                    planes,
                    stride if first else 1,
                    downsample if first else None,
                    groups=self.groups,
                    base_width=self.base_width,
                    dilation=entering_dilation if first else self.dilation,
                    norm_layer=self.norm_layer,
                )
            )
        self.inplanes = outplanes
        return stage

    def _initialise(self, zero_init_residual: bool) -> None:
        """Kaiming fan-out for convolutions (arXiv:1502.01852), one and zero for norms."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, Bottleneck):
                    nn.init.zeros_(module.bn3.get_parameter("weight"))
                elif isinstance(module, BasicBlock):
                    nn.init.zeros_(module.bn2.get_parameter("weight"))

    def features(self, x: Tensor) -> Tensor:
        """All before pooling: (N, 3, H, W) -> (N, C, h, w). Heat maps and embeddings cut here."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        return self.layer4(x)

    def classify(self, fmap: Tensor) -> Tensor:
        """Pooling and the linear layer: (N, C, h, w) -> (N, num_classes)."""
        return self.fc(torch.flatten(self.avgpool(fmap), 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Outputs of `forward` as float32 probabilities (N, num_classes); rows sum to one."""
        return outputs.float().softmax(1)
