"""A classifier from any place: a run folder, a model file, or what `shortcut export` wrote."""

from pathlib import Path

from shortcut.predictor import Predictor
from shortcut.runfolder import find_model
from shortcut.runtime.loading import Wanted, is_exported, load_exported


def open_predictor(
    place: Path, *, device: str = "cpu", engine: Wanted = "auto", cache: Path | None = None
) -> Predictor:
    """The classifier at a place; torch is imported for those of ours alone.

    Args:
        engine: of exported models, see `load_exported`.
        cache: where the choice of an engine is remembered.

    Raises:
        ModelError: no such model, or it is damaged.
    """
    if is_exported(place):
        return load_exported(place, engine=engine, cache=cache)
    from shortcut.classifier import load

    return load(find_model(place), device=device)
