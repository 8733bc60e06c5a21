"""Who takes part: a run with its model, its recipe and the pictures it was trained on, or a model
file of which nothing else is known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shortcut.classifier import Classifier, load
from shortcut.data.folders import printable
from shortcut.data.splits import Listed
from shortcut.errors import ModelError, RecipeError
from shortcut.heldback import pictures_of, run_of
from shortcut.networks import MODEL_FILE
from shortcut.recipe import read_recipe
from shortcut.runfolder import Facts, find_model, read_facts
from shortcut.runlog import trained_seconds
from shortcut.settings import Recipe
from shortcut.world import find_world


@dataclass(frozen=True)
class Entry:
    """One classifier that takes part."""

    name: str
    """As short as tells it from the others."""
    model: Path
    classifier: Classifier = field(repr=False)
    recipe: Recipe | None
    """Of the run; of a model file as far as it holds one."""
    facts: Facts | None
    """None where the model file is of no run folder."""
    listed: tuple[Listed, ...] = field(repr=False)
    """The pictures of the run; empty where nobody knows them."""
    seconds: float | None
    """That the training took."""

    @property
    def parameters(self) -> int:
        """Of the network."""
        return sum(parameter.numel() for parameter in self.classifier.model.parameters())

    @property
    def size(self) -> int:
        """Of the model file, in bytes."""
        return self.model.stat().st_size

    @property
    def trained_on(self) -> int | None:
        """How many pictures; None where nobody knows."""
        return sum(one.part == "train" for one in self.listed) if self.facts else None


def find_entries(runs: Sequence[str | Path], *, device: str = "auto") -> list[Entry]:
    """The runs and model files at these places, the first first.

    Args:
        runs: run folders, of which the best model is taken, or model files. Of a file in a run
            folder the rest is known as well.

    Raises:
        RecipeError: fewer than two, or one of them twice.
        ModelError: not a run folder or model file, or their classes are not the same.
    """
    if len(runs) < 2:
        raise RecipeError("there is only one run to compare; give another one, or more, behind it.")
    places = [Path(run) for run in runs]
    models = [_find_model(place) for place in places]
    twice = [place for place, model in zip(places, models, strict=True) if models.count(model) > 1]
    if twice:
        raise RecipeError(f"{twice[0]} is given twice; compare it with another run.")
    frequent = Counter(place.name for place in places)
    entries = [
        _read(model, printable(place.name if frequent[place.name] == 1 else place), device)
        for place, model in zip(places, models, strict=True)
    ]
    for entry in entries[1:]:
        _check_classes(entries[0], entry)
    return entries


def _find_model(place: Path) -> Path:
    if place.suffix == MODEL_FILE or place.is_file():
        return place.resolve()
    read_facts(place)  # says what is wrong with it
    return find_model(place).resolve()


def _read(model: Path, name: str, device: str) -> Entry:
    classifier = load(model, device=find_world(device).device)
    run = run_of(model)
    if run is None:
        return Entry(name, model, classifier, classifier.recipe, None, (), None)
    facts, listed = pictures_of(run)
    recipe = read_recipe(run / "recipe.yaml")
    return Entry(name, model, classifier, recipe, facts, listed, trained_seconds(run))


def _check_classes(first: Entry, other: Entry) -> None:
    ours, theirs = set(first.classifier.classes), set(other.classifier.classes)
    if ours == theirs:
        return

    def named(names: set[str]) -> str:
        return ", ".join(map(printable, sorted(names)[:5])) or "none"

    raise ModelError(
        f"{first.name} and {other.name} know other classes, so their answers cannot be compared: "
        f"{named(ours - theirs)} only the first, {named(theirs - ours)} only the second."
    )
