"""Imports only go down, in no circle, and through one door per package."""

import tomllib
from pathlib import Path

import pytest

from house import house

# The name a package is imported by, where it differs from the name it is installed by.
IMPORTED_AS = {
    "mlflow-skinny": "mlflow",
    "pillow": "PIL",
    "prometheus-client": "prometheus_client",
    "python-multipart": "python_multipart",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}


def test_every_module_stands_on_a_floor(modules):
    assert house.homeless(modules) == []


def test_imports_only_go_down(modules):
    assert house.climbs(modules) == []


def test_no_import_cycles(modules):
    assert house.cycle(modules) == []


def test_one_door_per_package(modules):
    assert house.back_doors(modules) == []


def test_floor_0_does_without_torch(modules):
    assert house.heavy_words(modules) == []


def test_no_part_stands_on_two_floors():
    parts = [part for floor in house.FLOORS for part in floor]
    assert len(parts) == len(set(parts))


def test_allowed_siblings_are_siblings():
    for mine, theirs in house.ALLOWED_SIBLINGS.items():
        assert any({mine, *theirs} <= floor for floor in house.FLOORS), mine


def test_every_dependency_has_a_door_and_there_are_at_most_14():
    project = tomllib.loads((house.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [dependency.split(">=")[0].strip() for dependency in project["dependencies"]]
    assert len(names) <= 14
    extras = project["optional-dependencies"]
    features = {name.split(">=")[0] for key in extras.keys() - {"dev"} for name in extras[key]}
    assert {IMPORTED_AS.get(name, name) for name in names} <= house.DOORS.keys()
    installed = {IMPORTED_AS.get(name, name) for name in (*names, *features)}
    assert house.DOORS.keys() <= installed, "a door without a package"


def test_an_empty_house_proves_nothing(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no Python files"):
        house.read_house(tmp_path)


# Planted violations: each check can fail --------------------------------------------------


def test_a_module_on_no_floor_is_caught(plant):
    assert house.homeless(plant({"attic.py": "", "errors.py": "", "shed/box.py": ""})) == [
        "attic stands on no floor",
        "shed stands on no floor",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "import shortcut.training",
        "import shortcut.training as t",
        "from shortcut import training",
        "from shortcut.training import fit",
        "from ..training import fit",
        "from .. import training",
        "def late():\n    from shortcut.training import fit",
        "async def late():\n    import shortcut.training",
        "try:\n    from shortcut import training\nexcept ImportError:\n    pass",
        "from importlib import import_module\nimport_module('shortcut.training')",
        "if not TYPE_CHECKING:\n    from shortcut import training",
        "if TYPE_CHECKING:\n    pass\nelse:\n    from shortcut import training",
    ],
)
def test_a_climb_is_caught_however_it_is_written(plant, statement):
    found = house.climbs(
        plant({"data/decode.py": statement, "training.py": "", "data/__init__.py": ""})
    )
    assert len(found) == 1
    assert found[0].startswith("data.decode:")
    assert found[0].endswith("imports training: floor 1 imports floor 3")


@pytest.mark.parametrize("guard", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_imports_for_types_alone_do_not_count(plant, guard):
    found = plant(
        {"data/decode.py": f"if {guard}:\n    from ..training import fit", "training.py": ""}
    )
    assert house.climbs(found) == []


@pytest.mark.parametrize(
    ("importer", "imported", "floor"),
    [
        ("models/resnet.py", "data/decode.py", 1),
        ("optim.py", "schedule.py", 1),
        ("classifier.py", "evaluation.py", 2),  # the other way round is allowed
        ("training.py", "prediction.py", 3),
        ("record/page.py", "heatmaps.py", 3),
        ("events.py", "errors.py", 0),
    ],
)
def test_siblings_are_caught(plant, importer, imported, floor):
    target = imported.removesuffix(".py").replace("/", ".")
    found = house.climbs(plant({importer: f"import shortcut.{target}", imported: ""}))
    assert len(found) == 1
    assert found[0].endswith(f"imports {target}: siblings on floor {floor}")


def test_going_down_staying_inside_a_folder_and_allowed_siblings_pass(plant):
    found = plant(
        {
            "__init__.py": "",
            "errors.py": "",
            "recipe.py": "from shortcut.errors import RecipeError",
            "data/__init__.py": "",
            "data/samples.py": "from shortcut.errors import DataError",
            "data/decode.py": "from .samples import Sample",
            "classifier.py": "from shortcut.data.decode import read",
            "evaluation.py": "from shortcut.classifier import Classifier",
            "runs.py": "from shortcut import evaluation",
            "cli/__init__.py": "import shortcut\nfrom shortcut.runs import train",
        }
    )
    assert house.climbs(found) == house.homeless(found) == house.cycle(found) == []


def test_nobody_below_the_street_imports_the_package_itself(plant):
    found = plant({"__init__.py": "", "console.py": "from shortcut import load"})
    assert house.climbs(found) == ["console:1 imports __init__: floor 5 imports floor 6"]


@pytest.mark.parametrize("late", ["", "def late():\n    "])
def test_a_cycle_is_caught_also_through_a_function(plant, late):
    files = {
        "data/a.py": "from . import b",
        "data/b.py": "from shortcut.data.c import x",
        "data/c.py": f"{late}from .a import y",
    }
    assert set(house.cycle(plant(files))) == {"data.a", "data.b", "data.c"}


@pytest.mark.parametrize(
    ("name", "statement", "end"),
    [
        ("training.py", "from rich.table import Table", "its door is console"),
        ("console.py", "import typer", "its door is cli"),
        ("settings.py", "import yaml", "its door is recipe"),
        (
            "record/page.py",
            "import matplotlib.pyplot",
            "its door is report or diagram.paint or fonts",
        ),
        ("classifier.py", "from PIL import Image", "its door is data"),
        ("database.py", "import PIL.Image", "its door is data"),  # not data/, only named alike
        ("evaluation.py", "def late():\n    import sklearn.metrics", "its door is data or head"),
        ("errors.py", "import requests", "it has no door; add one to DOORS and pyproject.toml"),
    ],
)
def test_a_back_door_is_caught(plant, name, statement, end):
    found = house.back_doors(plant({name: statement}))
    assert len(found) == 1
    assert found[0].endswith(end)


def test_front_doors_pass(plant):
    files = {
        "console.py": "import rich.live",
        "cli/train.py": "import typer",
        "recipe.py": "import yaml",
        "report/charts.py": "from matplotlib.figure import Figure",
        "data/decode.py": "from PIL import Image",
        "models/resnet.py": "from __future__ import annotations\nimport torch, shortcut.errors",
    }
    assert house.back_doors(plant(files)) == []


def test_torch_on_floor_0_is_caught(plant):
    found = plant(
        {"recipe.py": "def late():\n    from torch import nn", "optim.py": "import torch"}
    )
    assert house.heavy_words(found) == ["recipe:2 imports torch.nn"]
