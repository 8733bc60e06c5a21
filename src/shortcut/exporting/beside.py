"""What lies beside an export for people who use it from another language: pictures and what must
come of them, and where the graph does not resize by itself, how to do that in a few lines of
NumPy."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch

from shortcut.classifier import Classifier
from shortcut.data.decode import decode_picture
from shortcut.data.samples import Sample
from shortcut.disk import write_whole
from shortcut.runtime.shipped import Shipped

EXAMPLES = 3
LONGEST = 600
"""Pixels of an example's long side: larger ones would weigh more than the model."""


def write_reference(classifier: Classifier, samples: Sequence[Sample], folder: Path) -> None:
    """Write `reference_preprocess.py` and `example-1.npz` to `example-3.npz`.

    An example has `picture`, (H, W, 3) uint8 as decoded, `pixels`, (S, S, 3) uint8 after resizing
    and cutting, and `tensor`, (3, S, S) float32 after normalising.
    """
    source = files("shortcut.formats").joinpath("reference_preprocess.py").read_text("utf-8")
    write_whole(folder / "reference_preprocess.py", source)
    view = classifier.preprocess
    for number, sample in enumerate(_spread(samples), 1):
        image = decode_picture(sample.path, min_side=view.resize, max_pixels=classifier.max_pixels)
        image.thumbnail((LONGEST, LONGEST))
        pixels = view(image)
        tensor = classifier.normalise(torch.from_numpy(np.stack([pixels])))[0].numpy()
        np.savez_compressed(
            folder / f"example-{number}.npz",
            picture=np.asarray(image),
            pixels=pixels,
            tensor=np.ascontiguousarray(tensor),
            image_size=view.image_size,
            resize=view.resize,
            mean=np.array(view.mean),
            std=np.array(view.std),
        )


def write_examples(exported: Shipped, samples: Sequence[Sample], folder: Path) -> None:
    """Write `example-1.npz` to `example-3.npz` of a raw export.

    An example has `picture`, (H, W, 3) uint8 as decoded, and what the graph makes of it:
    `probabilities`, (classes,) float32, and `distance`, a float32, where it tells any.
    """
    for number, sample in enumerate(_spread(samples), 1):
        image = decode_picture(sample.path, max_pixels=exported.max_pixels)
        image.thumbnail((LONGEST, LONGEST))
        picture = np.array(image)
        answers, distances = exported.engine(picture[np.newaxis])
        found = {"probabilities": answers[0]}
        if distances is not None:
            found["distance"] = distances[0]
        np.savez_compressed(
            folder / f"example-{number}.npz", allow_pickle=False, picture=picture, **found
        )


def _spread(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[:: max(1, len(samples) // EXAMPLES)][:EXAMPLES]
