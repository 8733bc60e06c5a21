"""How much faster is `--recipe tutorial-hotdog` than the same training as the tutorial writes it?

Both train ResNet-34 at 224 px, batch 32, Adam 0.001, and measure on the test part after each epoch.
They run in turn (A B A B) in child processes on the same pictures; reported are seconds an epoch
and their ratio.

    python benchmarks/tutorial_hotdog.py DATA [--rounds 3] [--pictures 512]
    python benchmarks/tutorial_hotdog.py DATA --rounds 1 --pictures 0        (all pictures)

DATA has train/CLASS/ and test/CLASS/. `--pictures` takes that many of train and half as many of
test.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


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


def subset(data: Path, pictures: int, folder: Path) -> Path:
    """Links to the first `pictures` of train and half as many of test, the same number of each
    class."""
    for part, count in (("train", pictures), ("test", pictures // 2)):
        classes = sorted(p for p in (data / part).iterdir() if p.is_dir())
        for source in classes:
            target = folder / part / source.name
            target.mkdir(parents=True)
            for file in sorted(source.iterdir())[: count // len(classes)]:
                (target / file.name).symlink_to(file.resolve())
    return folder


def measure(side: str, data: Path, epochs: int, workers: int) -> tuple[float, float]:
    """Seconds an epoch, and seconds for all from start to exit, in a child process of its own."""
    command = [sys.executable, __file__, str(data), "--side", side, "--epochs", str(epochs)]
    command += ["--workers", str(workers)]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return statistics.median(json.loads(done.stdout)), time.perf_counter() - started


def main() -> None:
    """Parse, run in turn, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="of the tutorial's DataLoader")
    parser.add_argument("--side", choices=("tutorial", "ours"))
    options = parser.parse_args()
    if options.side == "tutorial":
        print(json.dumps(tutorial(options.data, options.epochs, options.workers)))
        return
    if options.side == "ours":
        print(json.dumps(ours(options.data, options.epochs)))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = options.data
        if options.pictures:
            data = subset(data, options.pictures, Path(folder))
        pairs = [
            (
                measure("tutorial", data, options.epochs, options.workers),
                measure("ours", data, options.epochs, options.workers),
            )
            for _ in range(options.rounds)
        ]
    print("round   tutorial s/epoch    shortcut   ratio   tutorial in all    shortcut   ratio")
    for number, (theirs, own) in enumerate(pairs, 1):
        cells = [f"{a:>19.1f} {b:>11.1f} {a / b:>7.2f}" for a, b in zip(theirs, own, strict=True)]
        print(f"{number:>5} {''.join(cells)}")
    for what, index in (("epoch", 0), ("in all", 1)):
        ratio = statistics.median(theirs[index] / own[index] for theirs, own in pairs)
        print(f"median ratio, {what}: {ratio:.2f}")


if __name__ == "__main__":
    main()
