"""shortcut: from a folder of photos to a trained, honestly measured image classifier.

    import shortcut
    outcome = shortcut.train("photos")
    shortcut.load("runs/resnet18_pool32-photos/best.safetensors").predict("a.jpg")

Names load on first use (PEP 562), so `import shortcut` and `--help` do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shortcut.classifier import Classifier as Classifier
    from shortcut.classifier import load as load
    from shortcut.comparison.story import Contest as Contest
    from shortcut.comparison.story import compare as compare
    from shortcut.conclusion import Outcome as Outcome
    from shortcut.data.sources import read_source as read_source
    from shortcut.diagram.picture import draw_diagram as draw_diagram
    from shortcut.errors import ShortcutError as ShortcutError
    from shortcut.evaluation import evaluate as evaluate
    from shortcut.formats.imported import import_weights as import_weights
    from shortcut.formats.torchvision import export_torchvision as export_torchvision
    from shortcut.heatmaps import grad_cam as grad_cam
    from shortcut.metrics import Scores as Scores
    from shortcut.models.variants import create_model as create_model
    from shortcut.models.variants import list_models as list_models
    from shortcut.prediction import predict_files as predict_files
    from shortcut.predictor import Prediction as Prediction
    from shortcut.recipe import list_recipes as list_recipes
    from shortcut.recipe import read_recipe as read_recipe
    from shortcut.runs import resume as resume
    from shortcut.runs import train as train
    from shortcut.runtime.loading import load_exported as load_exported
    from shortcut.settings import Recipe as Recipe
    from shortcut.summary.rows import Summary as Summary
    from shortcut.summary.rows import summarize as summarize

_MODULES = {
    "Classifier": "shortcut.classifier",
    "Contest": "shortcut.comparison.story",
    "Outcome": "shortcut.conclusion",
    "Prediction": "shortcut.predictor",
    "Recipe": "shortcut.settings",
    "Scores": "shortcut.metrics",
    "ShortcutError": "shortcut.errors",
    "Summary": "shortcut.summary.rows",
    "compare": "shortcut.comparison.story",
    "create_model": "shortcut.models.variants",
    "draw_diagram": "shortcut.diagram.picture",
    "evaluate": "shortcut.evaluation",
    "export_torchvision": "shortcut.formats.torchvision",
    "grad_cam": "shortcut.heatmaps",
    "import_weights": "shortcut.formats.imported",
    "list_models": "shortcut.models.variants",
    "list_recipes": "shortcut.recipe",
    "load": "shortcut.classifier",
    "load_exported": "shortcut.runtime.loading",
    "predict_files": "shortcut.prediction",
    "read_recipe": "shortcut.recipe",
    "read_source": "shortcut.data.sources",
    "resume": "shortcut.runs",
    "summarize": "shortcut.summary.rows",
    "train": "shortcut.runs",
}

__all__ = [
    "Classifier",
    "Contest",
    "Outcome",
    "Prediction",
    "Recipe",
    "Scores",
    "ShortcutError",
    "Summary",
    "compare",
    "create_model",
    "draw_diagram",
    "evaluate",
    "export_torchvision",
    "grad_cam",
    "import_weights",
    "list_models",
    "list_recipes",
    "load",
    "load_exported",
    "predict_files",
    "read_recipe",
    "read_source",
    "resume",
    "summarize",
    "train",
]


def __getattr__(name: str) -> object:
    """Import the module of a public name on its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module 'shortcut' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted([*globals(), *__all__])
