"""From an exported file to a classifier, with the engine that is asked for or the fastest."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from shortcut.card import ExportCard, read_export_card
from shortcut.errors import ModelError, RecipeError, ResourceError
from shortcut.runtime import onnx, openvino, program
from shortcut.runtime.choice import choose_engine
from shortcut.runtime.engine import Engine, EngineName
from shortcut.runtime.shipped import Shipped, make_shipped

Wanted = Literal["auto", "openvino", "onnxruntime", "torch"]

READERS: dict[str, tuple[EngineName, ...]] = {
    ".xml": ("openvino",),
    ".onnx": ("onnxruntime", "openvino"),
    ".pt2": ("torch",),
}
"""Endings of exported files, and the engines that run such ones."""


def is_exported(place: Path) -> bool:
    """Whether a file is named as exported models are, or a folder holds one that is."""
    return find_exported(place) is not None


def find_exported(place: Path) -> Path | None:
    """The exported file at a place, or in the folder that `shortcut export` made."""
    if place.suffix.lower() in READERS and not place.is_dir():
        return place
    names = [*(f"model{ending}" for ending in READERS), "1/model.onnx"]  # the last as Triton has it
    inside = (place / name for name in names)
    return next((file for file in inside if file.is_file()), None)


def load_exported(
    place: str | Path, *, engine: Wanted = "auto", cache: Path | None = None
) -> Shipped:
    """Read an exported model.

    Args:
        place: a file of `shortcut export`, or the folder it made.
        engine: `auto` takes the fastest of those that are installed and read such files: it is
            measured once, and remembered.
        cache: the folder where that is remembered; None: nowhere.

    Raises:
        ModelError: no such file, not one of ours, or it is damaged.
        RecipeError: the engine does not read such files.
        ResourceError: no engine for it is installed.
    """
    path = find_exported(Path(place)) or Path(place)
    if not path.is_file():
        raise ModelError(f"cannot read `{path}`: no such file. Check the path.")
    names = _installed(path, engine)
    card = _card(path, names[0])
    names = _trusted(path, names, card)
    if len(names) == 1:
        return make_shipped(_engine(names[0], path, card), card)
    side = card.preprocess.image_size
    chosen = choose_engine(
        path,
        {n: lambda n=n: _engine(n, path, card) for n in names},
        side,
        cache,
        raw=card.raw,
    )
    return make_shipped(chosen, card)


def _installed(path: Path, engine: Wanted) -> list[EngineName]:
    readers = READERS.get(path.suffix.lower(), ())
    if not readers:
        endings = ", ".join(READERS)
        raise ModelError(f"`{path}` is no exported model: their names end in {endings}.")
    if engine != "auto" and engine not in readers:
        raise RecipeError(
            f"`--engine {engine}` does not read {path.name}: that takes {' or '.join(readers)}."
        )
    asked: Sequence[EngineName] = readers if engine == "auto" else (engine,)
    found: list[EngineName] = [name for name in asked if importlib.util.find_spec(name)]
    if not found:
        raise ResourceError(
            f"{path.name} takes the package {' or '.join(asked)}: "
            "`pip install 'shortcut[runtime]'`."
        )
    return found


def _trusted(path: Path, names: list[EngineName], card: ExportCard) -> list[EngineName]:
    """OpenVINO 2026.4 answers otherwise about several pictures than about one where eight bits come
    in ONNX, and is right about neither."""
    if path.suffix.lower() == ".xml" or card.precision != "int8":
        return names
    kept: list[EngineName] = [name for name in names if name != "openvino"]
    if kept:
        return kept
    raise ResourceError(
        f"{path.name}: eight bits in ONNX take the package onnxruntime: "
        "`pip install 'shortcut[runtime]'`."
    )


def _card(path: Path, engine: EngineName) -> ExportCard:
    readers = {
        "openvino": openvino.read_metadata,
        "onnxruntime": onnx.read_metadata,
        "torch": program.read_metadata,
    }
    return read_export_card(path, readers[engine](path))


def _engine(name: EngineName, path: Path, card: ExportCard) -> Engine:
    if name == "openvino":
        return openvino.OpenVinoEngine(path, card.precision)
    if name == "onnxruntime":
        return onnx.OnnxEngine(path)
    return program.ProgramEngine(path)
