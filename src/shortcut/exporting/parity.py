"""Whether an exported model answers as the one it was made of, on the same pictures."""

import statistics
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shortcut.classifier import Classifier
from shortcut.data.loaders import Batch, EvaluationLoader
from shortcut.data.preprocess import Pixels
from shortcut.data.samples import Sample
from shortcut.events import Event, Progress
from shortcut.metrics import Scores, count_answers, scores_of, wilson_interval
from shortcut.predictor import Answers
from shortcut.runtime.shipped import Shipped

BATCHES = (1, 32)
"""Pictures at once, of which the time is told: one person waits, or a folder is gone through. Of
raw exports of one alone."""
ROUNDS, PATIENCE = 9, 6.0
"""So often each side is timed, in turn, unless that takes so many seconds."""
SHOWN = 10
"""Of the most different answers."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one batch, pixels to answers, medians of rounds in turn; of a raw export
    from a decoded picture on, which for torch goes through `Preprocess`."""

    batch: int
    before: float
    after: float


@dataclass(frozen=True)
class Parity:
    """The answers of both to the same pictures."""

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    truths: NDArray[np.int64] = field(repr=False)
    before: NDArray[np.float32] = field(repr=False)
    """(N, classes) probabilities by torch in float32."""
    after: NDArray[np.float32] = field(repr=False)
    """The same by the export."""
    alone: NDArray[np.float32] = field(repr=False)
    """The same by the graph alone, as who knows nothing of the card asks it: without mirror image
    and temperature."""
    unlike: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = field(repr=False)
    """(N,) which are called unlike anything seen in training, before and after; None: one of them
    cannot tell."""
    sure_from: float
    latencies: tuple[Latency, ...]
    sizes: tuple[int, int]
    """Of the model file and of the exported files, in bytes."""

    @property
    def agreeing(self) -> int:
        """On how many pictures the best answer is the same."""
        return int((self.before.argmax(1) == self.after.argmax(1)).sum())

    @property
    def agreement(self) -> float:
        """Share of pictures with the same best answer."""
        return self.agreeing / len(self.samples)

    @property
    def alone_agreeing(self) -> int:
        """As `agreeing`, of the graph alone."""
        return int((self.before.argmax(1) == self.alone.argmax(1)).sum())

    @property
    def sure_agreeing(self) -> int:
        """On how many pictures both are sure, or both are not."""
        first, second = (one.max(1) >= self.sure_from for one in (self.before, self.after))
        return int((first == second).sum())

    @property
    def agreement_interval(self) -> tuple[float, float]:
        """95 % interval of the agreement on such pictures."""
        return wilson_interval(self.agreeing, len(self.samples))

    @property
    def unlike_agreeing(self) -> int | None:
        """On how many pictures both say whether they are unlike the training's; None where neither
        can."""
        return None if self.unlike is None else int((self.unlike[0] == self.unlike[1]).sum())

    @cached_property
    def differences(self) -> NDArray[np.float32]:
        """(N,) the largest difference of a probability."""
        return np.abs(self.before - self.after).max(1)

    @cached_property
    def scores(self) -> tuple[Scores, Scores]:
        """On the truths, before and after."""
        first, second = (
            scores_of(count_answers(answers, self.truths), self.classes)
            for answers in (self.before, self.after)
        )
        return first, second

    @property
    def most_different(self) -> list[int]:
        """Positions of the pictures whose answers differ most."""
        return np.argsort(-self.differences, kind="stable")[:SHOWN].tolist()

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        first, second = self.scores
        return {
            "images": len(self.samples),
            "agreement": self.agreement,
            "agreement_interval": list(self.agreement_interval),
            "graph_alone_agreement": self.alone_agreeing / len(self.samples),
            "sure_agreement": self.sure_agreeing / len(self.samples),
            "largest_difference": float(self.differences.max()),
            "accuracy": [first.accuracy, second.accuracy],
            "intervals": [list(first.interval), list(second.interval)],
            "unlike_agreement": None
            if self.unlike_agreeing is None
            else self.unlike_agreeing / len(self.samples),
            "bytes": list(self.sizes),
            "latency": [
                {"batch": one.batch, "torch_ms": one.before, "export_ms": one.after}
                for one in self.latencies
            ],
            "most_different": [
                {
                    "path": str(self.samples[at].path),
                    "difference": float(self.differences[at]),
                    "labels": [self.classes[a[at].argmax()] for a in (self.before, self.after)],
                }
                for at in self.most_different
            ],
        }


def comparing_answers(
    classifier: Classifier,
    exported: Shipped,
    batches: EvaluationLoader,
    sizes: tuple[int, int],
) -> Generator[Event, None, Parity]:
    """Ask both about every picture, then time both on some."""
    before, after = list[Answers](), list[Answers]()
    far, farther = list[Answers](), list[Answers]()
    alone = list[Answers]()
    pixels: Pixels = np.zeros((0,), np.uint8)
    for done, batch in enumerate(batches, 1):
        pixels = batch.images.numpy()
        given, distance = classifier.judge_pixels(pixels)
        before.append(given)
        far += [] if distance is None else [distance]
        for shown in _shown(exported, batch, batches.samples):
            given, distance = exported.judge_pixels(shown)
            after.append(given)
            farther += [] if distance is None else [distance]
            alone.append(exported.engine(shown)[0])
        yield Progress("comparing answers", done, len(batches))
    yield Progress("timing", 0, 0)
    if exported.raw:
        picture = exported.pixels(batches.samples[-1].path)
        latencies = (_time_raw(classifier, exported, picture),)
    else:
        latencies = tuple(_time_both(classifier, exported, pixels, batch) for batch in BATCHES)
    return Parity(
        tuple(batches.samples),
        classifier.classes,
        np.array(batches.labels),
        np.concatenate(before),
        np.concatenate(after),
        np.concatenate(alone),
        _flags(classifier, far, farther),
        classifier.sure_from,
        latencies,
        sizes,
    )


def _shown(exported: Shipped, batch: Batch, samples: Sequence[Sample]) -> Iterator[Pixels]:
    """What the export is given of a batch: all squares, or one whole picture after the other."""
    if exported.raw:
        for index in batch.indices:
            yield exported.pixels(samples[index].path)[np.newaxis]
    else:
        yield batch.images.numpy()


def _flags(
    classifier: Classifier, before: Sequence[Answers], after: Sequence[Answers]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    limit = classifier.unlike_from
    if limit is None or not before or not after:
        return None
    return np.concatenate(before) > limit, np.concatenate(after) > limit


def _time_both(classifier: Classifier, exported: Shipped, pixels: Pixels, batch: int) -> Latency:
    """From pixels to probabilities and distances."""
    given = np.ascontiguousarray(np.resize(pixels, (batch, *pixels.shape[1:])))
    plain = _plain(classifier, exported)
    sides = _time_in_turn(lambda: plain.judge_pixels(given), lambda: exported.engine(given))
    return Latency(batch, *sides)


def _time_raw(classifier: Classifier, exported: Shipped, picture: Pixels) -> Latency:
    """The same from a decoded picture on."""
    plain, view = _plain(classifier, exported), classifier.preprocess
    sides = _time_in_turn(
        lambda: plain.judge_pixels(view.cut(view.fitted(picture))[np.newaxis]),
        lambda: exported.engine(picture[np.newaxis]),
    )
    return Latency(1, *sides)


def _plain(classifier: Classifier, exported: Shipped) -> Classifier:
    """Without the mirror image, which would be asked of some pictures only, and with distances if
    the export has them."""
    known = classifier.familiarity if exported.unlike_from is not None else None
    return replace(classifier, mirror_below=0.0, familiarity=known)


def _time_in_turn(*sides: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of two, medians."""
    seconds: list[list[float]] = [[], []]
    for side in sides:
        side()  # the first time is for compiling and taking memory
    began = time.perf_counter()
    while len(seconds[0]) < ROUNDS and (
        len(seconds[0]) < 3 or time.perf_counter() - began < PATIENCE
    ):
        for side, taken in zip(sides, seconds, strict=True):
            started = time.perf_counter()
            side()
            taken.append(time.perf_counter() - started)
    before, after = (1000 * statistics.median(taken) for taken in seconds)
    return before, after
