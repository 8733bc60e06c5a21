"""How fast is one training step, from memory, against the loops that people use?

Sides: `tutorial`, torchvision's network in float32 as the tutorials train it (Adam); `timm`, the
best tuning by hand that its own options allow (channels last, bfloat16 where the processor has it,
its own SGD); `shortcut`, `step.train_step` on a job as `shortcut train` makes it, number format by
self-test. All in turn, processes of their own, the same batch; images a second of the median step.

    python benchmarks/train_step.py [--rounds 5] [--steps 5] [--rows resnet34:224:32 ...]

MFU is the share of this machine's matrix rate (2048 x 2048 product, the better of float32 and
bfloat16) that the step's arithmetic, three times two operations a multiply-add, comes to.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pairs import Figures, median, ratio, report, run_in_turn

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

ROWS = ("resnet34:224:32", "resnet50:224:32", "resnet18:128:64")
SIDES = ("tutorial", "timm", "shortcut")


def usual_step(
    network: "nn.Module", optimizer: "Optimizer", images: "Tensor", *, bfloat16: bool = False
) -> Callable[[], float]:
    """The five lines that everybody writes."""
    import torch

    criterion = torch.nn.CrossEntropyLoss()
    labels = torch.randint(0, 2, (len(images),))

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = criterion(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def tutorial(name: str, size: int, batch: int) -> Callable[[], object]:
    import torch
    from torchvision import models

    network = models.get_model(name, num_classes=2)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    return usual_step(network, optimizer, torch.randn(batch, 3, size, size))


def tuned_timm(name: str, size: int, batch: int) -> Callable[[], object]:
    import timm
    import torch
    from timm.optim import create_optimizer_v2

    network = timm.create_model(name, num_classes=2).to(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(network, opt="sgd", lr=0.05, momentum=0.9)
    images = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)
    fast = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    return usual_step(network, optimizer, images, bfloat16=fast)


def ours(name: str, size: int, batch: int) -> Callable[[], object]:
    import numpy as np
    import torch

    from shortcut.allocator import keep_freed_memory
    from shortcut.classifier import Classifier
    from shortcut.data.cache import InMemory
    from shortcut.data.loaders import Batch, EvaluationLoader, TrainingLoader
    from shortcut.data.preprocess import Preprocess
    from shortcut.job import Job
    from shortcut.models import create_model
    from shortcut.optim import make_optimizer
    from shortcut.precision import choose_precision
    from shortcut.recipe import read_recipe
    from shortcut.step import train_step

    keep_freed_memory()
    changes: dict[str, object] = {
        "model.name": name,
        "data.image_size": size,
        "train.batch_size": batch,
    }
    recipe = read_recipe("tutorial-hotdog", changes | {"data.resize": None})
    network = create_model(name, num_classes=2)
    cpu = torch.device("cpu")
    precision = choose_precision(
        network, "auto", image_size=size, batch_size=batch, device=cpu
    ).precision
    precision.prepare(network)
    preprocess = Preprocess(size, size)
    classifier = Classifier(network, name, "standard", ("a", "b"), preprocess, recipe)
    pictures = InMemory([np.zeros((size, size, 3), np.uint8)])
    train = TrainingLoader(pictures, [0], recipe.augment, preprocess, batch, [size], 0, 0)
    val = EvaluationLoader(pictures, [0], preprocess, batch, 0)
    optimizer = make_optimizer(network, recipe.optim)
    job = Job(recipe, classifier, train, val, optimizer, None, precision)
    images = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8)
    labels = torch.randint(0, 2, (batch,))
    given = Batch(images, labels, tuple(range(batch)), batch, batch)
    network.train()
    print(precision.describe(), file=sys.stderr)
    return lambda: train_step(job, [given], 0)


def time_side(side: str, row: str, steps: int) -> Figures:
    """Images a second of the median step, after two that warm up."""
    name, size, batch = row.split(":")
    make = {"tutorial": tutorial, "timm": tuned_timm, "shortcut": ours}[side]
    step = make(name, int(size), int(batch))
    seconds: list[float] = []
    for _ in range(steps + 2):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return {"images_per_second": int(batch) / statistics.median(seconds[2:])}


def matrix_rate() -> float:
    """Operations a second of a large matrix product, the better of two number formats."""
    import torch

    best = 0.0
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.randn(2048, 2048).to(dtype)
        for _ in range(4):
            started = time.perf_counter()
            matrix @ matrix
            best = max(best, 2 * 2048**3 / (time.perf_counter() - started))
    return best


def main() -> None:
    """Parse; be a side, or run all sides in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", help="not used: the pictures are random")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rows", nargs="+", default=ROWS, help="NETWORK:PIXELS:BATCH")
    parser.add_argument("--side", choices=SIDES)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(time_side(options.side, options.rows[0], options.steps)))
        return
    rate, table, figures = matrix_rate(), [], {}
    for row in options.rows:
        base = [sys.executable, __file__, "--rows", row, "--steps", str(options.steps), "--side"]
        found = run_in_turn({side: [*base, side] for side in SIDES}, options.rounds)
        figures[row] = found
        key = "images_per_second"
        own = found["shortcut"]
        mfu = median(own, key) * training_work(row) / rate
        cells = [f"{median(found[side], key):.1f}" for side in SIDES]
        against = [f"{ratio(own, found[side], key):.2f}" for side in ("tutorial", "timm")]
        table.append([row, *cells, *against, f"{mfu:.0%}"])
    header = ["step", *SIDES, "to tutorial", "to timm", "MFU"]
    print(f"matrix rate: {rate / 1e9:.0f} GFLOP/s")
    report("train_step", header, table, {"matrix_rate": rate, "rounds": figures})


def training_work(row: str) -> float:
    """Operations of a training step for one picture."""
    from shortcut.models import create_model
    from shortcut.models.work import multiply_adds

    name, size, _ = row.split(":")
    return 3 * 2 * multiply_adds(create_model(name, num_classes=2), int(size))


if __name__ == "__main__":
    main()
