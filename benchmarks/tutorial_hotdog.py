"""How much faster is `--recipe tutorial-hotdog` than the same training as the tutorial writes it?

Both train ResNet-34 at 224 px, batch 32, Adam 0.001, and measure on the test part after each epoch.
They run in turn (A B A B) in child processes on the same pictures; reported are seconds an epoch,
seconds from start to exit, and the median ratios.

    python benchmarks/tutorial_hotdog.py DATA [--rounds 3] [--pictures 512]
    python benchmarks/tutorial_hotdog.py DATA --rounds 1 --pictures 0        (all pictures)

DATA has train/CLASS/ and test/CLASS/. `--pictures` takes that many of train and half as many of
test.
"""

import csv
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from pairs import link_some, make_parser, median, ratio, report, run_in_turn

SIDES = ("tutorial", "shortcut")
KEYS = ("epoch", "wall")
"""An epoch by each side's own clock; the whole process."""


def tutorial(data: Path, epochs: int, workers: int) -> list[float]:
    """The tutorial's loop: torchvision's folders, transforms and network, float32, one batch after
    another."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision import datasets, models, transforms

    normalise = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    plain = transforms.Compose(
        [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), normalise]
    )
    train = DataLoader(
        datasets.ImageFolder(str(data / "train"), plain), 32, shuffle=True, num_workers=workers
    )
    test = DataLoader(datasets.ImageFolder(str(data / "test"), plain), 32, num_workers=workers)
    torch.manual_seed(0)
    network = models.resnet34(num_classes=2)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    criterion = torch.nn.CrossEntropyLoss()
    seconds: list[float] = []
    for epoch in range(epochs):
        started = time.perf_counter()
        loss_sum, right, count = 0.0, 0, 0
        network.train()
        for images, labels in train:
            outputs = network(images)
            loss = criterion(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
            right += int((outputs.argmax(1) == labels).sum())
            count += len(labels)
        network.eval()
        test_right, test_count = 0, 0
        with torch.no_grad():
            for images, labels in test:
                test_right += int((network(images).argmax(1) == labels).sum())
                test_count += len(labels)
        seconds.append(time.perf_counter() - started)
        print(
            f"epoch {epoch + 1}, loss {loss_sum / len(train):.4f}, train acc {right / count:.3f}, "
            f"test acc {test_right / test_count:.3f}, time {seconds[-1]:.1f} sec",
            file=sys.stderr,
        )
    return seconds


def ours(data: Path, epochs: int) -> list[float]:
    """The same training through the public function; what each epoch took by its own clock."""
    import shortcut

    recipe = shortcut.read_recipe("tutorial-hotdog", {"train.epochs": epochs})
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        shortcut.train(data, recipe, output=run)
        log = (run / "log.txt").read_text("utf-8")
        with (run / "results.csv").open(encoding="utf-8") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    print("\n".join(line for line in log.splitlines() if " sec" in line), file=sys.stderr)
    print(*(line for line in log.splitlines() if "number format" in line), file=sys.stderr)
    return seconds


def main() -> None:
    """Parse; be a side, or run both in turn and print a table."""
    parser = make_parser(__doc__, SIDES, rounds=3, pictures=512)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="of the tutorial's DataLoader")
    options = parser.parse_args()
    if options.side:
        task = options.data, options.epochs
        seconds = tutorial(*task, options.workers) if options.side == "tutorial" else ours(*task)
        print(json.dumps({"epoch": statistics.median(seconds)}))
        return
    with tempfile.TemporaryDirectory() as folder:
        data, some = options.data, options.pictures
        if some:
            data = link_some(data, {"train": some, "test": some // 2}, Path(folder))
        base = [sys.executable, __file__, str(data), "--epochs", str(options.epochs)]
        base += ["--workers", str(options.workers), "--side"]
        found = run_in_turn({side: [*base, side] for side in SIDES}, options.rounds)
    rows = [
        [side, *(f"{median(rounds, key):.1f}" for key in KEYS)]
        + [f"{ratio(found['tutorial'], rounds, key):.2f}" for key in KEYS]
        for side, rounds in found.items()
    ]
    header = ["side", "seconds an epoch", "in all", "times as fast", "in all"]
    report("tutorial_hotdog", header, rows, found)


if __name__ == "__main__":
    main()
