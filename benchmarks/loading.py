"""How fast do pictures come, on one core: from files the first time, from memory after that?

`cold`: a JPEG file to 160 px of bytes; against Pillow's open, convert, torchvision's Resize,
CenterCrop and ToTensor, as tutorials write it. `warm`: normalised batches of 128 px (random cut,
mirrored, normalised) from what the first epoch kept; against the same chain with RandomResizedCrop,
which opens the file every time. In turn, each in a process with one thread; images a second.

    python benchmarks/loading.py DATA [--rounds 5] [--pictures 1024]
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pairs import Figures, compare, make_parser, report, run_in_turn

SIDES = (
    *("cold usual", "cold shortcut"),
    *("warm usual", "warm shortcut, resized", "warm shortcut, shift"),
)
BATCH = 64


def find_files(data: Path, count: int) -> list[Path]:
    """Pictures spread evenly over all there are."""
    files = sorted(path for path in data.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    return files[:: max(1, len(files) // count)][:count]


def usual_cold(files: list[Path]) -> Callable[[], int]:
    from PIL import Image
    from torchvision import transforms

    chain = transforms.Compose(
        [transforms.Resize(160), transforms.CenterCrop(160), transforms.ToTensor()]
    )

    def work() -> int:
        for path in files:
            with Image.open(path) as image:
                chain(image.convert("RGB"))
        return len(files)

    return work


def our_cold(files: list[Path]) -> Callable[[], int]:
    from shortcut.allocator import keep_freed_memory
    from shortcut.data.cache import read_pictures
    from shortcut.data.samples import Sample
    from shortcut.events import run_silently

    keep_freed_memory()  # as `train` does before it reads
    samples = [Sample(path, "x") for path in files]
    return lambda: len(run_silently(read_pictures(samples, 160, threads=1)).samples)


def usual_warm(files: list[Path]) -> Callable[[], int]:
    import torch
    from PIL import Image
    from torchvision import transforms

    chain = transforms.Compose(
        [
            transforms.RandomResizedCrop(128, scale=(0.35, 1)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )

    def load(path: Path) -> torch.Tensor:
        with Image.open(path) as image:
            return chain(image.convert("RGB"))

    def work() -> int:
        for start in range(0, len(files), BATCH):
            torch.stack([load(path) for path in files[start : start + BATCH]])
        return len(files)

    return work


def our_warm(files: list[Path], crop: str) -> Callable[[], int]:
    from shortcut.allocator import keep_freed_memory
    from shortcut.classifier import Classifier
    from shortcut.data.cache import read_pictures
    from shortcut.data.loaders import TrainingLoader
    from shortcut.data.preprocess import Preprocess
    from shortcut.data.samples import Sample
    from shortcut.events import run_silently
    from shortcut.models import create_model
    from shortcut.precision import EXACT
    from shortcut.recipe import read_recipe

    keep_freed_memory()
    preprocess = Preprocess(128, 146)
    read = run_silently(read_pictures([Sample(path, "x") for path in files], 146, threads=1))
    recipe = read_recipe("balanced", {"augment.crop.name": crop})
    labels = [0] * len(read.samples)
    loader = TrainingLoader(
        read.pictures, labels, recipe.augment, preprocess, BATCH, [128] * 99, seed=0, threads=0
    )
    model = create_model("resnet20", num_classes=2)
    classifier = Classifier(model, "resnet20", "small", ("x", "y"), preprocess)
    epochs = iter(range(99))

    def work() -> int:
        count = 0
        for batch in loader.epoch(next(epochs)):
            EXACT.place(classifier.normalise(batch.images))
            count += len(batch.labels)
        return count

    return work


def time_side(side: str, files: list[Path]) -> Figures:
    """Images a second of the second of two passes: the first reads the files into the system's
    memory."""
    if side == "cold usual":
        work = usual_cold(files)
    elif side == "cold shortcut":
        work = our_cold(files)
    elif side == "warm usual":
        work = usual_warm(files)
    else:
        work = our_warm(files, side.rsplit(" ", 1)[1])
    work()
    started = time.process_time()
    count = work()
    return {"images_per_second": count / (time.process_time() - started)}


def main() -> None:
    """Parse; be a side, or run all sides in turn and print a table."""
    options = make_parser(__doc__, SIDES, rounds=5, pictures=1024).parse_args()
    if options.side:
        import torch

        torch.set_num_threads(1)
        print(json.dumps(time_side(options.side, find_files(options.data, options.pictures))))
        return
    base = [sys.executable, __file__, str(options.data), "--pictures", str(options.pictures)]
    sides = {side: [*base, "--side", side] for side in SIDES}
    found = run_in_turn(sides, options.rounds, threads=1)
    against = {side: f"{side.split()[0]} usual" for side in SIDES}
    rows = compare(found, "images_per_second", against)
    report("loading", ["side", "images/s a core", "to the usual"], rows, found)


if __name__ == "__main__":
    main()
