"""What the tests of formats share: networks with unlikely weights, and how far apart two are."""

import torch
from torch import nn

from shortcut.classifier import Classifier
from shortcut.data.preprocess import Preprocess
from shortcut.models import VARIANTS, create_model
from shortcut.models.resnet import StemName

TORCHVISION = [
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
]
OTHERS = [name for name in VARIANTS if name not in TORCHVISION]


def shaken(model: nn.Module, seed: int = 0) -> nn.Module:
    """The network with norms, counters and biases that no initialisation would give, in evaluation
    mode: a tensor that is lost or swapped on the way changes the answer."""
    source = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 1.5),
            ):
                assert tensor is not None
                nn.init.uniform_(tensor, low, high, generator=source)
            assert module.num_batches_tracked is not None
            module.num_batches_tracked += 7
    return model.eval()


def made(name: str, outputs: int = 3, stem: StemName | None = None) -> Classifier:
    """A classifier of ours with such weights."""
    torch.manual_seed(1)
    model = create_model(name, num_classes=outputs, stem=stem)
    shaken(model)
    fixed = VARIANTS[name].stem or stem or "standard"
    names = tuple(f"class {number}" for number in range(outputs))
    return Classifier(model, name, fixed, names, Preprocess(224, 256))


@torch.inference_mode()
def difference(one: nn.Module, other: nn.Module, size: int = 64) -> float:
    """Largest difference of their outputs on the same two pictures, in either memory layout."""
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(2))
    largest = 0.0
    # channels_last last: that is how `import_weights` and `load` hand a network over.
    for layout in (torch.contiguous_format, torch.channels_last):
        answers = [
            model.to(memory_format=layout)(images)  # type: ignore[call-overload]
            for model in (one, other)
        ]
        assert answers[0].isfinite().all() and answers[0].std() > 0
        largest = max(largest, float((answers[0] - answers[1]).abs().max()))
    return largest
