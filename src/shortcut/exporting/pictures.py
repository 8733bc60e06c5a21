"""Which pictures an export is checked on, and which show it how large numbers get."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from shortcut.classifier import Classifier
from shortcut.data.cache import read_pictures
from shortcut.data.ledger import count_look, describe_looks
from shortcut.data.loaders import EvaluationLoader
from shortcut.data.preprocess import Pixels
from shortcut.data.samples import Sample
from shortcut.data.sources import choose_part, default_cache, reading_source
from shortcut.errors import DataError
from shortcut.evaluation import label_positions
from shortcut.events import Event, Notice
from shortcut.formats.eightbit import JUDGING
from shortcut.heldback import pictures_of, run_of

BATCH = 32

Part = Literal["auto", "train", "val", "test", "all"]


@dataclass(frozen=True)
class Given:
    """Pictures for an export."""

    place: Path
    """The data they are of."""
    part: str
    checked: tuple[Sample, ...]
    trained_on: tuple[Sample, ...]
    """Or as good as these."""


def finding_pictures(
    model: Path, data: str | Path | None, part: Part
) -> Generator[Event, None, Given]:
    """The val pictures of the run that a model is of, and those it was trained on; or a part of
    `data`.

    Raises:
        DataError: there are none, or whatever is wrong with the data.
    """
    if data is not None:
        source = yield from reading_source(data, cache=default_cache())
        wanted: Part = "val" if part == "auto" and "val" in source.parts else part
        name, checked = choose_part(source, wanted)
        if name != "train" and "train" in source.parts:
            return Given(source.root, name, checked, source.parts["train"])
        # Never the same: what calibrates would be answered too well.
        return Given(source.root, name, checked[::2], checked[1::2] or checked)
    run = run_of(model)
    if run is None:
        raise DataError(
            f"{model}: is of no run folder, so it has no pictures to be checked on; give `--data` "
            "with labelled pictures that it has not seen."
        )
    facts, listed = pictures_of(run)
    wanted = "val" if part == "auto" else part
    there = [one for one in listed if one.size_now >= 0]
    checked = tuple(one.sample for one in there if wanted in ("all", one.part))
    trained = tuple(one.sample for one in there if one.part == "train")
    if not checked:
        raise DataError(
            f"{run}: its {wanted} pictures are no longer at {facts.data_root}; put them back, or "
            "give `--data` with others."
        )
    root = Path(facts.data_root)
    if wanted in ("train", "all") or not trained:
        return Given(root, wanted, checked[::2], checked[1::2] or checked)
    return Given(root, wanted, checked, trained)


def counting_look(given: Given) -> Generator[Event, None, None]:
    """Where test pictures are measured on, note it, and tell from the second time on."""
    if given.part not in ("test", "all"):
        return
    if (looks := count_look(given.checked, default_cache(), "export")) > 1:
        yield Notice(describe_looks(looks)[0])


def reading_batches(
    classifier: Classifier, samples: Sequence[Sample], threads: int = 2
) -> Generator[Event, None, EvaluationLoader]:
    """The readable ones as the network sees them.

    Raises:
        DataError: none can be read, or a label that the classifier does not know.
    """
    label_positions(samples, classifier.classes)
    read = yield from read_pictures(
        samples,
        classifier.preprocess.resize,
        threads=threads,
        max_pixels=classifier.max_pixels,
    )
    if not read.samples:
        raise DataError(f"none of {len(samples):,} pictures can be read: {read.broken[0]}")
    labels = label_positions(read.samples, classifier.classes)
    return EvaluationLoader(
        read.pictures, labels, classifier.preprocess, BATCH, threads, read.samples
    )


def reading_calibration(
    classifier: Classifier, samples: Sequence[Sample], seed: int = 0
) -> Generator[Event, None, list[Pixels]]:
    """Some of these, drawn by seed, as the network sees them."""
    order = np.random.default_rng(seed).permutation(len(samples))[:JUDGING]
    chosen = [samples[place] for place in order]
    loader = yield from reading_batches(classifier, chosen)
    return [pixels for batch in loader for pixels in batch.images.numpy()]
