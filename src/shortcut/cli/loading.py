"""A model as commands take it: of a run, a file of one, or exported."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from shortcut.classifier import Classifier
    from shortcut.predictor import Predictor
    from shortcut.runtime.loading import Wanted
    from shortcut.tta import TestTime

Model = Annotated[Path, typer.Argument(help="A run folder, or a .safetensors file from one.")]
AnyModel = Annotated[
    Path, typer.Argument(help="A run folder, a .safetensors file, or an exported model.")
]
Tta = Annotated[
    Literal["none", "flip", "crops", "unsure"] | None,
    typer.Option(
        help="Ask more views: mirror images (2x the time), five crops mirrored (10x), mirror "
        "images of unsure ones. Else as the recipe has it."
    ),
]
Engine = Annotated[
    Literal["auto", "openvino", "onnxruntime", "torch"],
    typer.Option(help="What runs an exported model; auto: the fastest here, measured once."),
]


def load_predictor(
    model: Path,
    device: str,
    max_pixels: int | None,
    tta: "TestTime | None",
    engine: "Wanted",
) -> "Predictor":
    """As `load_model`; or an exported model, for which torch is not imported."""
    from shortcut.data.sources import default_cache
    from shortcut.errors import RecipeError
    from shortcut.runtime.loading import is_exported, load_exported

    if not is_exported(model):
        if engine not in ("auto", "torch"):
            raise RecipeError(
                f"`--engine {engine}` runs exported models: `shortcut export` writes one."
            )
        return load_model(model, device, max_pixels, tta)
    if tta is not None:
        raise RecipeError("`--tta` is for model files of shortcut: an export asks as it was told.")
    if device not in ("auto", "cpu"):
        raise RecipeError(f"`--device {device}`: exported models run on the CPU here.")
    found = load_exported(model, engine=engine, cache=default_cache())
    found.max_pixels = max_pixels or found.max_pixels
    return found


def load_model(
    model: Path, device: str, max_pixels: int | None, tta: "TestTime | None" = None
) -> "Classifier":
    """A model file on the device that is asked for; a limit or views given go before its own."""
    from shortcut import console
    from shortcut.classifier import load
    from shortcut.events import Notice
    from shortcut.runfolder import find_model
    from shortcut.tta import with_tta
    from shortcut.world import find_world

    classifier = load(find_model(model), device=find_world(device).device)
    classifier.max_pixels = max_pixels or classifier.max_pixels
    if tta is None:
        return classifier
    if classifier.sure_from:
        with console.Screen() as screen:
            screen.show(
                Notice("with `--tta` no answer is `not sure`: the limit is for fewer views")
            )
    return with_tta(classifier, tta)
