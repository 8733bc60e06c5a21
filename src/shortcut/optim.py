"""The optimizer a recipe asks for, with weight decay where it belongs."""

from torch import Tensor, nn
from torch.optim import Optimizer

from shortcut.muon import Muon
from shortcut.settings import MuonSettings, OptimSettings, SgdSettings
from shortcut.uncompiled import UncompiledAdam, UncompiledAdamW, UncompiledSGD


def make_optimizer(model: nn.Module, settings: OptimSettings) -> Optimizer:
    """Adam, AdamW, SGD or Muon over all trainable parameters, fused into one kernel a step.

    Matrices and filters decay; biases and norms do not (one-dimensional parameters set scales,
    which decay would only pull to zero: +0.5 % top-1 in arXiv:2110.00476's and torchvision's
    recipes). Each group remembers the rate it starts with as `initial_lr`.
    """
    trainable: list[Tensor] = [
        parameter for parameter in model.parameters() if parameter.requires_grad
    ]
    flat = [p for p in trainable if p.ndim <= 1]
    wide = [p for p in trainable if p.ndim > 1]
    groups: list[dict[str, list[Tensor] | float]] = [
        {"params": wide, "weight_decay": settings.weight_decay},
        {"params": flat, "weight_decay": 0.0},
    ]
    if isinstance(settings, MuonSettings):
        optimizer = _make_muon(wide, flat, settings)
    elif isinstance(settings, SgdSettings):
        momentum = settings.momentum
        optimizer = UncompiledSGD(
            groups, settings.lr, momentum, nesterov=settings.nesterov, fused=True
        )
    else:
        make = UncompiledAdam if settings.name == "adam" else UncompiledAdamW
        optimizer = make(groups, settings.lr, (settings.beta1, settings.beta2), fused=True)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def _make_muon(wide: list[Tensor], flat: list[Tensor], settings: MuonSettings) -> Muon:
    """Filters between layers are orthogonalised; the first ones, which see colours, and the last
    layer, whose rows are classes, are not (as in Jordan's runs)."""
    filters = [p for p in wide if p.ndim == 4 and p.size(1) > 3]
    others = [p for p in wide if not (p.ndim == 4 and p.size(1) > 3)]
    decay, lr = settings.weight_decay, settings.adamw_lr
    groups: list[dict[str, object]] = [
        {"params": filters, "weight_decay": decay, "lr": settings.lr, "orthogonal": True},
        {"params": others, "weight_decay": decay, "lr": lr, "orthogonal": False},
        {"params": flat, "weight_decay": 0.0, "lr": lr, "orthogonal": False},
    ]
    return Muon([group for group in groups if group["params"]], fused=True)


def scale_lr(optimizer: Optimizer, factor: float) -> None:
    """Use `factor` times each group's `initial_lr` from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
