"""fastai, ResNet-18 from scratch at 128 px, as its tutorials write it: aug_transforms, one cycle.

    python with_fastai.py DATA SECONDS SEED

As many epochs as a timed first one says will fit. Prints accuracy on DATA/test, counted once.
"""

import json
import sys
import time
from pathlib import Path

STARTED = time.monotonic()

from fastai.vision.all import (  # noqa: E402
    CategoryBlock,
    DataBlock,
    ImageBlock,
    Learner,
    Normalize,
    RandomResizedCrop,
    RandomSplitter,
    accuracy,
    aug_transforms,
    get_image_files,
    imagenet_stats,
    parent_label,
    set_seed,
)
from torchvision.models import resnet18  # noqa: E402


def main() -> None:
    """Train within the time, measure once."""
    data, seconds, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    set_seed(seed, reproducible=True)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=get_image_files,
        get_y=parent_label,
        splitter=RandomSplitter(0.1, seed=seed),
        item_tfms=RandomResizedCrop(128, min_scale=0.35),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*imagenet_stats)],
    )
    loaders = block.dataloaders(data / "train", bs=64, num_workers=2)

    def learner() -> Learner:
        network = resnet18(num_classes=len(loaders.vocab))
        return Learner(loaders, network, metrics=accuracy)

    began = time.monotonic()
    with learner().no_bar() as trial:
        trial.fit(1)
    an_epoch = time.monotonic() - began
    left = seconds - (time.monotonic() - STARTED)
    # The trial is part of the time: whoever has a budget must find out too.
    epochs = max(1, int(left / an_epoch - 0.3))
    with learner().no_bar() as learn:
        learn.fit_one_cycle(epochs, 3e-3)
        files = get_image_files(data / "test")
        scores, _ = learn.get_preds(dl=loaders.test_dl(files))
    answers = [loaders.vocab[i] for i in scores.argmax(1)]
    right = sum(parent_label(file) == answer for file, answer in zip(files, answers, strict=True))
    took = time.monotonic() - STARTED
    print(
        json.dumps(
            {
                "accuracy": right / len(files),
                "images": len(files),
                "seconds": took,
                "epochs": epochs,
            }
        )
    )


if __name__ == "__main__":
    main()
