"""Weights of torchvision and timm into shortcut and back again: does every bit arrive?

For each network: random weights in the other library -> its file -> `import_weights` -> our model
file -> `load` -> logits ("in"). Then `export_torchvision` -> `load_state_dict(strict=True)` in a
fresh network of the other library -> logits ("out"). Both are compared with the logits that the
other library gave at the beginning. torchvision's files are pickles (.pth), timm's safetensors,
as the two publish theirs.

    python examples/weights_both_ways.py [--only resnet50 ...] [--from timm] [--image-size 224]

Prints a Markdown table. Ends with exit code 1 if any difference is not 0.0.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision import models

import shortcut

LIKE_TORCHVISION = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d"]
ROWS = {
    "torchvision": [
        *LIKE_TORCHVISION,
        *("resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
    ],
    "timm": [*LIKE_TORCHVISION, "wide_resnet50_2"],
}

Maker = Callable[[str], nn.Module]


def find_maker(source: str) -> Maker:
    """What makes a network of that library by its name, with random weights for 1000 classes."""
    if source == "torchvision":
        return lambda name: getattr(models, name)(weights=None)
    try:
        import timm
    except ImportError:
        sys.exit(
            "timm is missing: run `pip install timm` (the extra `shortcut[dev]` brings it along), "
            "or take the other rows alone with `--from torchvision`."
        )
    return lambda name: timm.create_model(name, pretrained=False, num_classes=1000)


def shake(model: nn.Module) -> nn.Module:
    """Give the norms numbers that no initialisation gives: else a lost one would change nothing."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.uniform_(tensor, -0.2, 0.2)
    return model.eval()


@torch.inference_mode()
def logits(model: nn.Module, images: Tensor) -> Tensor:
    """(N, 3, S, S) -> (N, 1000). In one memory layout, the one in which `load` gives a network:
    torch rounds differently in another."""
    found = model.to(memory_format=torch.channels_last)(images)
    assert found.isfinite().all() and found.std() > 0, "logits that could hide a difference"
    return found


def both_ways(name: str, make: Maker, images: Tensor, file: Path) -> tuple[int, float, float]:
    """Number of parameters, largest difference of logits after the way in, and after both."""
    theirs, folder = shake(make(name)), file.parent
    expected = logits(theirs, images)
    state = {key: tensor.contiguous() for key, tensor in theirs.state_dict().items()}
    (torch.save if file.suffix == ".pth" else save_file)(state, file)

    imported = shortcut.import_weights(file)
    assert imported.network == name
    imported.save(folder / "ours.safetensors")
    ours = shortcut.load(folder / "ours.safetensors")
    came_in = float((logits(ours.model, images) - expected).abs().max())

    exported = shortcut.export_torchvision(ours, folder / "out.safetensors", force=True)
    again = make(name)
    again.load_state_dict(load_file(exported), strict=True)
    went_out = float((logits(again.eval(), images) - expected).abs().max())
    return sum(parameter.numel() for parameter in theirs.parameters()), came_in, went_out


def main() -> int:
    """Parse, go both ways with every row, print the table as it grows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="sources", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--only", nargs="+", choices=ROWS["torchvision"], metavar="NAME")
    parser.add_argument("--image-size", type=int, default=224, help="pixels")
    options = parser.parse_args()
    makers = {source: find_maker(source) for source in options.sources}
    torch.manual_seed(0)
    images = torch.randn(2, 3, options.image_size, options.image_size)
    print("| row | from | parameters | max difference in | max difference out |")
    print("|---|---|---:|---:|---:|", flush=True)
    largest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for source, make in makers.items():
            file = Path(folder) / (
                "theirs.pth" if source == "torchvision" else "theirs.safetensors"
            )
            for name in (row for row in ROWS[source] if row in (options.only or ROWS[source])):
                size, came_in, went_out = both_ways(name, make, images, file)
                print(f"| {name} | {source} | {size:,} | {came_in} | {went_out} |", flush=True)
                largest = max(largest, came_in, went_out)
    return int(largest > 0)


if __name__ == "__main__":
    sys.exit(main())
