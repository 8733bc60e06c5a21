"""The whole comparison, as a story: choose the pictures, ask each classifier, compare answers."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortcut.comparison.entries import Entry, find_entries
from shortcut.comparison.pictures import Chosen, Part, choosing_common, choosing_given
from shortcut.comparison.significance import Comparison, compare_answers
from shortcut.comparison.wording import HOLM, OF_CLASSIFIERS, unreadable
from shortcut.data.cache import Keeping
from shortcut.data.ledger import count_look, describe_looks
from shortcut.data.samples import Sample
from shortcut.data.sources import default_cache
from shortcut.data.splits import portable_path
from shortcut.errors import DataError, RecipeError
from shortcut.evaluation import Evaluation, evaluating, label_positions
from shortcut.events import Event, run_silently
from shortcut.language import Text
from shortcut.metrics import Scores, count_answers, scores_of
from shortcut.recipe import differing_settings


@dataclass(frozen=True)
class Contest:
    """Classifiers on the same pictures; the first is what the others are held against."""

    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    part: str
    """Of the data, that the pictures are of."""
    place: Path
    """The data."""
    samples: tuple[Sample, ...]
    truths: NDArray[np.int64] = field(repr=False)
    """(N,) positions in `classes`."""
    answers: tuple[NDArray[np.float32], ...] = field(repr=False)
    """(N, C) probabilities of each entry, in the order of `classes`."""
    scores: tuple[Scores, ...]
    """Of each entry."""
    comparisons: tuple[Comparison, ...]
    """Of each entry but the first."""
    settings: dict[str, tuple[object, ...]]
    """In which the recipes differ: the value of each entry; None where it has none."""
    remarks: tuple[Text, ...]
    """What was left out, and how far all this can be trusted."""

    def as_dict(self) -> dict[str, object]:
        """For JSON, in English."""
        first = self.entries[0].name
        return {
            "data": str(self.place),
            "part": self.part,
            "images": len(self.samples),
            "runs": [self._run(*pair) for pair in zip(self.entries, self.scores, strict=True)],
            "comparisons": [
                {"first": first, "other": entry.name} | self._comparison(found)
                for entry, found in zip(self.entries[1:], self.comparisons, strict=True)
            ],
            "settings": {name: list(values) for name, values in self.settings.items()},
            "remarks": [english for english, _ in self.remarks],
        }

    def file_name(self, position: int) -> str:
        """Of a picture, as tables name it."""
        return portable_path(self.samples[position].path, self.place)

    def _run(self, entry: Entry, scores: Scores) -> dict[str, object]:
        return {
            "name": entry.name,
            "model": str(entry.model),
            "accuracy": scores.accuracy,
            "interval": list(scores.interval),
            "correct": scores.correct,
            "trained_on": entry.trained_on,
            "seconds": entry.seconds,
            "parameters": entry.parameters,
            "bytes": entry.size,
        }

    def _comparison(self, found: Comparison) -> dict[str, object]:
        return {
            "verdict": found.verdict,
            "difference": found.difference,
            "interval": list(found.interval),
            "p_value": found.p_value,
            "adjusted_p": found.adjusted_p,
            "images_needed": found.pictures_needed,
            "only_first": [self.file_name(position) for position in found.only_first],
            "only_other": [self.file_name(position) for position in found.only_other],
            "classes": [
                {
                    "label": gain.label,
                    "images": gain.pictures,
                    "first_correct": gain.first,
                    "other_correct": gain.other,
                    "gained": gain.gained,
                    "lost": gain.lost,
                }
                for gain in found.by_class
            ],
        }


def compare(
    runs: Sequence[str | Path],
    data: str | Path | None = None,
    *,
    part: Part = "auto",
    device: str = "auto",
    download: bool = False,
) -> Contest:
    """Whether the first of trained classifiers is really better or worse than each other one; see
    `find_entries` and `comparing`."""
    entries = find_entries(runs, device=device)
    return run_silently(comparing(entries, data, part=part, download=download))


def comparing(
    entries: Sequence[Entry],
    data: str | Path | None = None,
    *,
    part: Part = "auto",
    download: bool = False,
    batch_size: int = 64,
    threads: int = 2,
) -> Generator[Event, None, Contest]:
    """Measure classifiers on the same pictures and compare their answers; yields progress.

    Args:
        data: other labelled pictures than those that the runs held back.
        part: of `data`.
        threads: how many prepare pictures.

    Raises:
        DataError: no pictures that are fair to all, labels that the classifiers do not know, or
            none that can be read.
        RecipeError: a part, but no `data`.
    """
    if data is None:
        if part != "auto":
            raise RecipeError(f"`--part {part}` has no effect without `--data`.")
        chosen = yield from choosing_common(entries)
    else:
        chosen = yield from choosing_given(entries, data, part, download=download)
    label_positions(chosen.samples, entries[0].classifier.classes)
    found = list[Evaluation]()
    for entry in entries:
        story = evaluating(
            entry.classifier,
            chosen.samples,
            batch_size=batch_size,
            threads=threads,
            max_broken=float("inf"),  # whatever cannot be read is left out for all, and told
            keeping=Keeping("auto", default_cache() / "decoded"),
        )
        found.append((yield from story))
    return _conclude(tuple(entries), chosen, found)


def _conclude(entries: tuple[Entry, ...], chosen: Chosen, found: Sequence[Evaluation]) -> Contest:
    """Compare the answers to pictures that all could read."""
    classes = entries[0].classifier.classes
    read = set(found[0].samples).intersection(*(one.samples for one in found[1:]))
    if not read:
        raise DataError(
            f"{chosen.place}: none of the {len(chosen.samples):,} pictures can be read."
        )
    samples = tuple(sample for sample in chosen.samples if sample in read)
    truths = np.array(label_positions(samples, classes), np.int64)
    answers = tuple(
        _in_order(one, samples, classes, entry.classifier.classes)
        for entry, one in zip(entries, found, strict=True)
    )
    broken = dict.fromkeys(line for one in found for line in one.scores.left_out)
    recipes = [entry.recipe for entry in entries if entry.recipe]
    remarks = [*chosen.remarks, *unreadable(list(broken)), OF_CLASSIFIERS]
    if chosen.part == "test":
        looks = count_look(chosen.samples, default_cache(), "compare")
        remarks += [describe_looks(looks)] * (looks > 1)
    return Contest(
        entries=entries,
        classes=classes,
        part=chosen.part,
        place=chosen.place,
        samples=samples,
        truths=truths,
        answers=answers,
        scores=tuple(scores_of(count_answers(each, truths), classes) for each in answers),
        comparisons=compare_answers(answers[0], answers[1:], truths, classes),
        settings=differing_settings(recipes) if len(recipes) == len(entries) else {},
        remarks=tuple(remarks + [HOLM] * (len(entries) > 2)),
    )


def _in_order(
    found: Evaluation, samples: Sequence[Sample], classes: Sequence[str], own: Sequence[str]
) -> NDArray[np.float32]:
    """Answers to `samples`, with a column for each of `classes`; `own` are those of its columns."""
    rows = {sample: row for row, sample in enumerate(found.samples)}
    columns = [own.index(label) for label in classes]
    assert found.probabilities is not None
    return found.probabilities[[rows[sample] for sample in samples]][:, columns]
