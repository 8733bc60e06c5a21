"""What does each part of the default recipe buy? One change at a time, the rest as it is.

Every row trains from scratch on a part of DATA (a folder of class folders, so `.../train` of a set
that has parts: the test part is never seen) and is measured on a fifth carved from it, once, after
the last epoch. A seed decides weights, order, views and which fifth is carved.

    python examples/ablation.py DATA [--epochs 12] [--seeds 0 1 2] [--only muon ...] [--out FILE]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import shortcut

Changes = dict[str, object]
ROWS: dict[str, Changes] = {
    "the default recipe": {},
    "AdamW instead of Muon": {"optim.name": "adamw", "optim.lr": 0.004, "optim.weight_decay": 0.05},
    "SGD instead of Muon": {"optim.name": "sgd", "optim.lr": 0.1},
    "ResNet-18 of full width, a third of the epochs": {"model.name": "resnet18"},
    "first filters at random": {"model.first_filters": "random"},
    "no averaged weights": {"train.ema_decay": 0.0},
    "no label smoothing": {"train.label_smoothing": 0.0},
    "large parts only (0.65 of the area and more)": {"augment.crop.smallest": 0.65},
    "ImageNet's parts (0.08 and more)": {"augment.crop.smallest": 0.08},
    "no mirroring": {"augment.flip": False},
    "the mirror image never asked": {"data.mirror_below": 0.0},
    "the mirror image always asked": {"data.mirror_below": 1.0},
    "measured at the size of the last epoch": {"augment.final_scale": 1.0, "data.image_size": 112},
    "batches of 64": {"train.batch_size": 64},
    "mixup 0.2": {"augment.mixup": 0.2},
    "TrivialAugment": {"augment.trivial_augment": 1.0},
    "random erasing of a quarter": {"augment.random_erasing": 0.25},
}
FEWER = {"ResNet-18 of full width, a third of the epochs": 3}


def measure(data: Path, changes: Changes, epochs: int, seed: int) -> tuple[float, float, float]:
    """Accuracy and loss on the carved fifth after the last epoch, and the seconds of all epochs."""
    fixed: Changes = {"data.val_fraction": 0.2, "train.epochs": epochs, "train.precision": "fp32"}
    recipe = shortcut.read_recipe("balanced", fixed | changes)
    recipe = recipe.model_copy(update={"seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        outcome = shortcut.train(data, recipe, output=Path(folder) / "run")
        lines = (outcome.folder / "events.jsonl").read_text("utf-8").splitlines()
    ends = [event for event in map(json.loads, lines) if event["event"] == "EpochEnd"]
    seconds = sum(event["seconds"] for event in ends)
    return ends[-1]["val_accuracy"], ends[-1]["val_loss"], seconds


def main() -> None:
    """Run the rows and print a table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", help="rows whose name holds one of these words")
    parser.add_argument("--out", type=Path, help="all figures as JSON")
    options = parser.parse_args()
    figures: dict[str, list[tuple[float, float, float]]] = {}
    print("| change | accuracy | spread | loss | seconds |\n|---|---|---|---|---|")
    for name, changes in ROWS.items():
        if options.only and not any(word in name for word in options.only):
            continue
        epochs = max(1, options.epochs // FEWER.get(name, 1))
        started = time.monotonic()
        found = [measure(options.data, changes, epochs, seed) for seed in options.seeds]
        figures[name] = found
        accuracy, loss, seconds = (statistics.mean(column) for column in zip(*found, strict=True))
        spread = statistics.stdev(f[0] for f in found) if len(found) > 1 else 0.0
        print(
            f"| {name} | {accuracy:.2%} | {spread:.2%} | {loss:.4f} | {seconds:.0f} |", flush=True
        )
        print(f"{name}: {time.monotonic() - started:.0f} s in all", file=sys.stderr)
        if options.out:
            options.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
