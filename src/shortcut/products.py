"""Weight gradients of convolutions as matrix products: the same sums, by a faster kernel.

oneDNN's own take up to eight times as long in bfloat16 where channels are many and pixels few, as
in the last stage of every network here. Forward pass and input gradient stay torch's. Whether it
pays on a machine is for `precision` to measure; where it can pay at all, for `_few_pixels` to say.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEW = 2
"""Pixels of a batch for each entry of a filter, up to which copying them out pays. AMX, 2 cores,
3x3: 1.4 to 5 times as fast below; above, 3 times as fast or as slow, by kernels of oneDNN's that
no rule foresees."""


def use_products(model: nn.Module, use: bool) -> None:
    """Have the weight gradients of `model` computed by products, or by torch again; in place.

    Classes change, parameters and their names do not.
    """
    for module in model.modules():
        if type(module) in (nn.Conv2d, ProductConv2d) and _is_plain(cast("nn.Conv2d", module)):
            module.__class__ = ProductConv2d if use else nn.Conv2d


def _is_plain(layer: nn.Conv2d) -> bool:
    padded = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return padded and layer.groups == 1 and layer.dilation == (1, 1) and layer.bias is None


class ProductConv2d(nn.Conv2d):
    """A convolution whose weight gradient is one matrix product, for pictures that suit it."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # On `meta`, where work is counted, torch cannot even be asked for autocast.
        wanted = torch.is_grad_enabled() and weight.requires_grad and input.device.type == "cpu"
        if not (wanted and input.ndim == 4 and self._few_pixels(input)):
            return super()._conv_forward(input, weight, bias)
        if torch.is_autocast_enabled("cpu"):  # which would cast where no gradient could follow
            dtype = torch.get_autocast_dtype("cpu")
            input, weight = input.to(dtype), weight.to(dtype)
        return _Convolution.apply(input, weight, self.stride, self.padding)

    def _few_pixels(self, images: Tensor) -> bool:
        """Asked for each batch: pictures grow during a training."""
        if self.kernel_size == (1, 1) and self.padding == (0, 0):
            return True  # nothing is copied out
        sides = zip(images.shape[2:], self.padding, self.kernel_size, self.stride, strict=True)
        pixels = len(images)
        for side, padding, kernel, stride in sides:
            pixels *= (side + 2 * int(padding) - kernel) // stride + 1
        return pixels <= FEW * self.weight[0].numel()


class _Convolution(torch.autograd.Function):
    """Everything in `backward` has a gradient again, so this may be differentiated twice."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(images, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        (gradient,), stride, padding = gradients, ctx.stride, ctx.padding
        below = None
        if ctx.needs_input_grad[0]:
            # `torch.nn.grad.conv2d_input` would write pictures of its own first.
            below, _, _ = torch.ops.aten.convolution_backward(
                *(gradient, images, weight, None, stride, padding, (1, 1), False, (0, 0), 1),
                (True, False, False),
            )
        filters, channels, height, width = weight.shape
        columns = _windows(images, (height, width), stride, padding).flatten(3).flatten(0, 2)
        product = gradient.permute(0, 2, 3, 1).flatten(0, 2).t() @ columns
        # Channels last as it is, which is how the weights lie.
        return below, product.view(filters, height, width, channels).permute(0, 3, 1, 2), None, None


def _windows(
    images: Tensor, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """What each output pixel sees, (N, H, W, height, width, channels); copies only the margin."""
    (above, left), (down, right) = padding, stride
    rows = images.permute(0, 2, 3, 1)
    if above or left:  # no margin would be a copy, too
        rows = F.pad(rows, (0, 0, left, left, above, above))
    windows = rows.unfold(1, kernel[0], down).unfold(2, kernel[1], right)
    return windows.permute(0, 1, 2, 4, 5, 3)
