"""Run folders that no training made: classifiers that answer one class to everything."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from shortcut.classifier import Classifier
from shortcut.data.preprocess import Preprocess
from shortcut.data.samples import Sample
from shortcut.data.splits import split_table
from shortcut.models import create_model
from shortcut.recipe import to_yaml
from shortcut.runfolder import gather_facts
from shortcut.settings import Recipe


def make_model(path: Path, says: str, classes: Sequence[str] = ("blue", "red")) -> Path:
    """A model file that says `says`, sure to 73 %."""
    model = create_model("resnet20", num_classes=len(classes), stem="small")
    with torch.no_grad():
        model.fc.weight.zero_()
        model.fc.bias.copy_(torch.tensor([float(name == says) for name in classes]))
    classifier = Classifier(model, "resnet20", "small", tuple(classes), Preprocess(16, 18))
    path.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(path)
    return path


def make_run(
    folder: Path,
    data: Path,
    parts: dict[str, Sequence[Sample]],
    says: str,
    *,
    classes: Sequence[str] = ("blue", "red"),
    measured_on: Literal["val", "test"] = "val",
) -> Path:
    """A run folder as far as a comparison looks into it."""
    make_model(folder / "best.safetensors", says, classes)
    (folder / "recipe.yaml").write_text(to_yaml(Recipe()), "utf-8")
    (folder / "split.csv").write_bytes(split_table(parts, data))
    facts = gather_facts(
        "photos", "folders", data, measured_on=measured_on, lang="en", log_interval=1
    )
    (folder / "environment.json").write_text(facts.model_dump_json(), "utf-8")
    return folder


def samples(data: Path) -> list[Sample]:
    """Those of `tiny_photos`, blue and red in turns."""
    files = zip(*(sorted((data / label).iterdir()) for label in ("blue", "red")), strict=True)
    return [Sample(path, path.parent.name) for pair in files for path in pair]


def moved(chosen: Sequence[Sample], data: Path, place: Path) -> list[Sample]:
    """The same below another folder."""
    return [Sample(place / x.path.relative_to(data), x.label) for x in chosen]
