"""Which labels may be wrong: asked of classifiers that did not learn from them, ranked, and written
as a gallery and a list of changes."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from shortcut.answers import Evaluation, joined, read_answer_table
from shortcut.classifier import load
from shortcut.crossvalidation import crossvalidating
from shortcut.data.changes import holds_choices
from shortcut.data.sources import check_outside, default_cache, reading_source
from shortcut.data.splits import portable_path
from shortcut.disk import write_whole
from shortcut.events import Event, Progress, Saved
from shortcut.labels import Suspect, rank_labels
from shortcut.language import Lang
from shortcut.runfolder import find_model, is_run, read_facts
from shortcut.settings import Recipe
from shortcut.signals import Stop
from shortcut.suspects.page import Gallery, render_gallery
from shortcut.suspects.table import suspect_table


@dataclass(frozen=True)
class Suspects:
    """Labels that classifiers which did not learn from them do not believe."""

    ranked: tuple[Suspect, ...]
    """The least believed first."""
    images: int
    """How many labels were looked at."""
    guessed: bool
    """Whether the classifiers know too little for the ranking to say anything."""
    root: Path
    """Where the pictures lie."""

    @property
    def contradicted(self) -> int:
        """How many labels are contradicted with confidence."""
        return sum(one.contradicted for one in self.ranked)

    @property
    def accuracy(self) -> float:
        """Share of labels that are what the classifiers answered."""
        return 1 - len(self.ranked) / self.images

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        rows = [
            {
                "path": portable_path(one.sample.path, self.root),
                "label": one.sample.label,
                "answer": one.answer,
                "score": one.score,
                "score_of_label": one.of_label,
                "contradicted": one.contradicted,
            }
            for one in self.ranked
        ]
        facts: dict[str, object] = {"labels": self.images, "accuracy": self.accuracy}
        facts |= {"guessed": self.guessed, "contradicted": self.contradicted}
        return facts | {"suspects": rows}


def suspecting(
    data: str,
    recipe: Recipe,
    *,
    folds: int = 4,
    budget: float | None = None,
    free: bool = False,
    output: Path | None = None,
    lang: Lang = "en",
    device: str = "auto",
    stop: Stop | None = None,
) -> Generator[Event, None, Suspects]:
    """Rank the labels of `data`, and write `suspects.html` and `suspects.csv` into `output`; a list
    that somebody has made choices in stays, and the new one gets a number.

    Args:
        data: as for training: then `folds` trainings answer for train and val. Or the folder of a
            finished run: then its answers to val and test are ranked, and nothing is trained.
        budget: seconds for each training.
        free: the budget plans network, sizes and batches as well, not epochs alone.
        output: None takes `suspects/NAME`.

    Raises:
        ShortcutError: whatever a training can raise.
    """
    if is_run(Path(data)):
        name, root, found = _of_run(Path(data))
        place = output or Path("suspects") / name
        check_outside(place, root)
    else:
        source = yield from reading_source(data, cache=default_cache())
        name, root = source.name, source.root
        place = output or Path("suspects") / name
        check_outside(place, data)
        story = crossvalidating(
            *(source, recipe, place),
            folds=folds,
            budget=budget,
            free=free,
            device=device,
            stop=stop,
        )
        found = yield from story
    ranked = rank_labels(found)
    result = Suspects(tuple(ranked), len(found.samples), found.scores.guessed, root)
    table = _free(place)
    yield Progress("drawing the gallery", 0, 0)
    gallery = Gallery(name, ranked, root, result.images, result.guessed, table.name)
    write_whole(place / "suspects.html", render_gallery(gallery, lang))
    yield Progress("drawing the gallery", 1, 1)
    yield Saved("gallery", place / "suspects.html")
    write_whole(table, suspect_table(ranked, root))
    yield Saved("list of changes", table)
    return result


def _free(place: Path) -> Path:
    """Where a list can be written."""
    file, number = place / "suspects.csv", 1
    while holds_choices(file):
        number += 1
        file = place / f"suspects-{number}.csv"
    return file


def _of_run(folder: Path) -> tuple[str, Path, Evaluation]:
    root = Path(read_facts(folder).data_root)
    classes = load(find_model(folder)).classes
    parts = list(read_answer_table(folder / "answers.csv", root, classes).values())
    return folder.resolve().name, root, joined(parts)
