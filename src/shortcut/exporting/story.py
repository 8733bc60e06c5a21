"""The whole export, as a story: write, read back, hold against the original, and only then keep."""

import json
import secrets
import shutil
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from shortcut.card import ExportCard, NumberFormat
from shortcut.classifier import Classifier, load
from shortcut.data.sources import check_outside
from shortcut.disk import digest_of_file, write_whole
from shortcut.errors import ModelError, ResourceError
from shortcut.events import Event, Notice, Progress, Saved
from shortcut.exporting.beside import write_examples, write_reference
from shortcut.exporting.page import render_parity
from shortcut.exporting.parity import Parity, comparing_answers
from shortcut.exporting.pictures import (
    Given,
    Part,
    counting_look,
    finding_pictures,
    reading_batches,
    reading_calibration,
)
from shortcut.exporting.targets import FILES, Target, check_target, writing_export
from shortcut.formats.graph import tells_where
from shortcut.heatmaps import cell_centres
from shortcut.language import Lang
from shortcut.runfolder import find_model
from shortcut.runtime.loading import Wanted, load_exported


@dataclass(frozen=True)
class Export:
    """A model in another format, and how it compares."""

    folder: Path
    file: Path
    to: Target
    precision: NumberFormat
    raw: bool
    part: str
    parity: Parity

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        facts = {"output": str(self.file), "to": self.to, "precision": self.precision}
        return facts | {"raw": self.raw, "part": self.part} | self.parity.as_dict()


def exporting(
    place: Path,
    to: Target,
    *,
    precision: NumberFormat = "fp32",
    raw: bool = False,
    data: str | Path | None = None,
    part: Part = "auto",
    output: Path | None = None,
    min_agreement: float = 0.99,
    force: bool = False,
    lang: Lang = "en",
) -> Generator[Event, None, Export]:
    """Write a model in another format, into a folder of its own with what proves and explains it.

    Args:
        place: a run folder, or a model file.
        raw: the graph takes one decoded picture of any size, and resizes it.
        data: other labelled pictures than those that the run held back.
        part: of the data; `auto`: val.
        output: a folder; None: `exports/NAME-FORMAT-PRECISION`, `-raw` behind it.
        min_agreement: share of pictures on which the best answers must be the same.
        force: replace the folder.

    Raises:
        ModelError: it answers otherwise on more pictures than that; nothing but the figures stays.
        ResourceError: a package is missing, the folder is there already or cannot be written.
        DataError: there are no pictures to check it on.
    """
    check_target(to, precision, raw=raw)
    model = find_model(place)
    classifier = load(model)
    folder = output or Path("exports") / _name_for(place, to, precision, raw=raw)
    _check_free(folder, force=force)
    given = yield from finding_pictures(model, data, part)
    check_outside(folder, given.place)
    yield from counting_look(given)
    unfinished = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        unfinished.mkdir(parents=True)
        story = _write_and_compare(classifier, model, given, unfinished, to, precision, raw=raw)
        parity = yield from story
        export = Export(folder, folder / FILES[to], to, precision, raw, given.part, parity)
        kept = _share_of_equal(parity, to) >= min_agreement
        write_whole(unfinished / "parity.json", json.dumps(export.as_dict(), indent=1))
        page = render_parity(export, given.place, lang, kept=kept)
        write_whole(unfinished / "parity.html", page)
        if not kept:
            _keep_figures_alone(unfinished)
            # Beside it: a good export that is there stays.
            folder = _for_figures(folder)
        _put_in_place(unfinished, folder)
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    yield Saved("parity page", folder / "parity.html")
    if not kept:
        raise _otherwise(parity, to, min_agreement, folder / "parity.html")
    yield Saved("exported model", export.file)
    return export


def _otherwise(parity: Parity, to: Target, asked: float, page: Path) -> ModelError:
    """That it does not answer as its original, and where that is shown."""
    share, total = _share_of_equal(parity, to), len(parity.samples)
    alone = " of the graph alone" if to in BARE else ""
    return ModelError(
        f"not exported: {round(share * total):,} of {total:,} best answers{alone} are the same "
        f"({share:.2%}), and `--min-agreement` asks for {asked:.2%}; see {page}."
    )


def _write_and_compare(
    classifier: Classifier,
    model: Path,
    given: Given,
    folder: Path,
    to: Target,
    precision: NumberFormat,
    *,
    raw: bool,
) -> Generator[Event, None, Parity]:
    calibration = []
    if precision == "int8":
        calibration = yield from reading_calibration(classifier, given.trained_on)
        if classifier.familiarity is not None:
            yield Notice(
                "eight bits move distances: this export does not tell what is unlike anything seen "
                "in training"
            )
    batches = yield from reading_batches(classifier, given.checked)
    yield Progress(f"writing {to}, {precision}", 0, 0)
    card = _card(classifier, precision, digest_of_file(model), to, raw=raw)
    told = classifier if card.unlike_from is not None else replace(classifier, familiarity=None)
    path = yield from writing_export(told, card, folder, to, calibration)
    written = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    exported = load_exported(path, engine=ENGINES[to], cache=None)
    if raw:
        write_examples(exported, batches.samples, folder)
    else:
        write_reference(classifier, batches.samples, folder)
    yield Progress(f"writing {to}, {precision}", 1, 1)
    sizes = model.stat().st_size, written
    return (yield from comparing_answers(classifier, exported, batches, sizes))


BARE = ("triton",)
"""Run by others, who know nothing of the card: what counts is the graph alone."""


def _share_of_equal(parity: Parity, to: Target) -> float:
    same = parity.alone_agreeing if to in BARE else parity.agreeing
    return same / len(parity.samples)


ENGINES: Mapping[Target, Wanted] = {
    "openvino": "openvino",
    "onnx": "onnxruntime",
    "torch-program": "torch",
    "triton": "onnxruntime",
}
"""With which a format is checked: the one that most people run it with."""


def _card(
    classifier: Classifier, precision: NumberFormat, source: str, to: Target, *, raw: bool
) -> ExportCard:
    facts = classifier.facts()
    # Triton computes every output with each answer, and a raw graph has no squares to lay heat on.
    told = to != "triton" and not raw and tells_where(classifier)
    if precision != "fp32":  # those of the original are not those of other numbers
        facts["metrics"] = {}
    return ExportCard(
        **facts,
        precision=precision,
        unlike_from=None if precision == "int8" else classifier.unlike_from,
        max_pixels=classifier.max_pixels,
        source=source,
        cells=cell_centres(classifier.model) if told else None,
        raw=raw,
    )


def _name_for(place: Path, to: Target, precision: NumberFormat, *, raw: bool) -> str:
    """Of a run its folder's name, of a file in one as well, else the file's; and what it became."""
    whole = place.resolve()
    in_run = whole.stem in ("best", "last") and not whole.is_dir()
    name = whole.parent.name if in_run else whole.name if whole.is_dir() else whole.stem
    return f"{name}-{to}-{precision}{'-raw' if raw else ''}"


def _check_free(folder: Path, *, force: bool) -> None:
    if not folder.name:
        raise ResourceError(f"`{folder}`: an export is a folder of its own; name a new one.")
    if folder.is_file():
        raise ResourceError(f"`{folder}` is a file; an export is a folder.")
    if folder.exists() and any(folder.iterdir()):
        if not force:
            raise ResourceError(
                f"`{folder}` exists. Name another folder, or replace it with `--force`."
            )
        if not (folder / "parity.json").is_file():
            raise ResourceError(f"`{folder}` is of no export, so `--force` does not remove it.")


def _keep_figures_alone(folder: Path) -> None:
    for file in folder.iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        elif not file.name.startswith("parity."):
            file.unlink()


def _for_figures(folder: Path) -> Path:
    """A place beside it, new or of earlier figures."""
    endings = chain(["-refused"], (f"-refused-{number}" for number in count(2)))
    places = (folder.with_name(folder.name + ending) for ending in endings)
    return next(place for place in places if not place.exists() or _are_figures(place))


def _are_figures(place: Path) -> bool:
    return place.is_dir() and all(file.name.startswith("parity.") for file in place.iterdir())


def _put_in_place(unfinished: Path, folder: Path) -> None:
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
    if folder.exists():
        folder.rename(aside)
    try:
        unfinished.rename(folder)
    except OSError:
        if aside.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
