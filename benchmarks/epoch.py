"""How long does an epoch take from disk, loading and augmentation included, once the first is over?

ResNet-18, 128 px, batch 64, random part and mirroring. `usual`: torchvision's ImageFolder with
RandomResizedCrop, RandomHorizontalFlip, ToTensor, Normalize, a DataLoader with 0, 1 and 2 workers
(its best counts), float32, Adam. `shortcut`: `balanced` with that network, size, batch and
optimizer.
In turn, processes of their own; seconds of the second epoch by each one's own clock.

    python benchmarks/epoch.py DATA [--rounds 5] [--pictures 1024]
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from pairs import Figures, compare, link_some, make_parser, median, report, run_in_turn

SIDES = ("usual, 0 workers", "usual, 1 worker", "usual, 2 workers", "shortcut")
SIZE, BATCH = 128, 64


def usual(data: Path, workers: int) -> Figures:
    import torch
    from torch.utils.data import DataLoader
    from torchvision import datasets, models, transforms

    chain = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE, scale=(0.35, 1)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    pictures = datasets.ImageFolder(str(data / "train"), chain)
    batches = DataLoader(
        pictures, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    network = models.resnet18(num_classes=len(pictures.classes))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    criterion = torch.nn.CrossEntropyLoss()
    seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        for images, labels in batches:
            loss = criterion(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
        seconds = time.perf_counter() - started
    return {"images_per_second": len(pictures) / seconds}


def ours(data: Path) -> Figures:
    import shortcut

    changes: dict[str, object] = {
        "model.name": "resnet18",
        "data.image_size": SIZE,
        "data.val_fraction": 0.05,
        "augment.start_scale": 1.0,
        "augment.final_scale": 1.0,
        "train.batch_size": BATCH,
        "train.epochs": 2,
        "train.ema_decay": 0.0,
        "optim.name": "adam",
    }
    recipe = shortcut.read_recipe("balanced", changes)
    with tempfile.TemporaryDirectory() as folder:
        outcome = shortcut.train(data, recipe, output=Path(folder) / "run")
        lines = (outcome.folder / "events.jsonl").read_text("utf-8").splitlines()
    ends = [event for event in map(json.loads, lines) if event["event"] == "EpochEnd"]
    return {key: ends[-1][key] for key in ("images_per_second", "waiting")}


def main() -> None:
    """Parse; be a side, or run all sides in turn and print a table."""
    options = make_parser(__doc__, SIDES, rounds=5, pictures=1024).parse_args()
    if options.side:
        at = SIDES.index(options.side)
        print(json.dumps(ours(options.data) if at == 3 else usual(options.data, workers=at)))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = link_some(options.data, {"train": options.pictures, "test": 16}, Path(folder))
        sides = {side: [sys.executable, __file__, str(data), "--side", side] for side in SIDES}
        found = run_in_turn(sides, options.rounds)
    key = "images_per_second"
    best = max(SIDES[:3], key=lambda side: median(found[side], key))
    rows = compare(found, key, dict.fromkeys(SIDES, best))
    print(f"waiting for pictures: {median(found['shortcut'], 'waiting'):.1%} of the time")
    report("epoch", ["side", "images/s", "to the best usual"], rows, found)


if __name__ == "__main__":
    main()
