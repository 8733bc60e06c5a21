"""Batch norm over the pictures of all processes."""

import torch
from torch import Tensor, nn


class SyncedNorm(nn.BatchNorm2d):
    """Batch norm over the pictures of all processes, on processors; on GPUs torch has its own,
    `torch.nn.SyncBatchNorm`."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, by the mean and variance over all processes when training."""
        if not self.training:
            return super().forward(input)
        from torch.distributed.nn.functional import all_reduce

        axes = (0, 2, 3)
        count = torch.tensor(float(input.numel() // input.size(1)))
        torch.distributed.all_reduce(count)
        # Sums in float64, as torch's own batch norm adds on processors.
        total: Tensor = all_reduce(input.sum(axes, dtype=torch.float64))
        mean = (total / count).float()
        centred = input.float() - mean[:, None, None]
        squares: Tensor = all_reduce(centred.square().sum(axes, dtype=torch.float64))
        variance = (squares / count).float()
        self._remember(mean.detach(), variance.detach(), count)
        scaled = centred * (variance + self.eps).rsqrt()[:, None, None]
        return (scaled * self.weight[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        self.num_batches_tracked += 1


def sync_norms(model: nn.Module, device: torch.device) -> None:
    """Every batch norm of `model` changes its kind, and keeps its numbers and its name."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return
    for layer in model.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SyncedNorm


def unsync_norms(model: nn.Module) -> None:
    """The way back: each looks at the pictures of its own process, and waits for no other."""
    for layer in model.modules():
        if isinstance(layer, SyncedNorm | nn.SyncBatchNorm):
            layer.__class__ = nn.BatchNorm2d  # pyright: ignore[reportAttributeAccessIssue]
