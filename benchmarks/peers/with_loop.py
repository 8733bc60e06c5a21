"""ResNet-18 from scratch at 128 px in a loop of one's own, from torchvision's or timm's parts.

    python with_loop.py torchvision|timm DATA SECONDS SEED

torchvision: its reference recipe (SGD, cosine, warm-up, RandomResizedCrop, mirroring, label
smoothing). timm: its create_transform, AdamW and cosine scheduler; channels last and bfloat16 where
the processor has it. As many epochs as a timed first one says will fit; accuracy on DATA/test once.
"""

import json
import math
import sys
import time
from pathlib import Path

STARTED = time.monotonic()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torchvision import datasets, models, transforms  # noqa: E402

SIZE, BATCH = 128, 64


def make_parts(kind: str) -> tuple[nn.Module, torch.optim.Optimizer, object, object]:
    """Network, optimizer, training and evaluation transforms."""
    if kind == "timm":
        import timm
        from timm.data import create_transform
        from timm.optim import create_optimizer_v2

        network = timm.create_model("resnet18", num_classes=2)
        network = network.to(memory_format=torch.channels_last)
        optimizer = create_optimizer_v2(network, opt="adamw", lr=1e-3, weight_decay=0.05)
        return (
            network,
            optimizer,
            create_transform(SIZE, is_training=True),
            create_transform(SIZE, is_training=False),
        )
    normalise = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    network = models.resnet18(num_classes=2)
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    train = [transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip()]
    evaluate = [transforms.Resize(146), transforms.CenterCrop(SIZE)]
    ending = [transforms.ToTensor(), normalise]
    return (
        network,
        optimizer,
        transforms.Compose([*train, *ending]),
        transforms.Compose([*evaluate, *ending]),
    )


def main() -> None:
    """Train within the time, measure once."""
    kind, data, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    torch.manual_seed(int(sys.argv[4]))
    network, optimizer, varied, plain = make_parts(kind)
    train = DataLoader(
        datasets.ImageFolder(str(data / "train"), varied), BATCH, shuffle=True, num_workers=2
    )
    test = DataLoader(datasets.ImageFolder(str(data / "test"), plain), BATCH, num_workers=2)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    fast = kind == "timm" and "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    peak = optimizer.param_groups[0]["lr"]
    epoch, epochs, testing = 0, 1000, len(test) / len(train) / 3
    while epoch < epochs:
        began = time.monotonic()
        network.train()
        for index, (images, labels) in enumerate(train):
            done = (epoch + index / len(train)) / epochs
            warm = min(1.0, (epoch + (index + 1) / len(train)) / 2)
            for group in optimizer.param_groups:
                group["lr"] = peak * warm * 0.5 * (1 + math.cos(math.pi * done))
            with torch.autocast("cpu", torch.bfloat16, enabled=fast):
                loss = criterion(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        epoch += 1
        if epoch == 1:
            left = seconds - (time.monotonic() - STARTED)
            epochs = 1 + max(0, int(left / (time.monotonic() - began) - testing))
    network.eval()
    with torch.no_grad():
        right = sum(int((network(x).argmax(1) == y).sum()) for x, y in test)
    count = len(test.dataset)
    took = time.monotonic() - STARTED
    print(
        json.dumps({"accuracy": right / count, "images": count, "seconds": took, "epochs": epochs})
    )


if __name__ == "__main__":
    main()
