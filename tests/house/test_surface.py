"""What `import shortcut` offers, and that it costs nothing until used."""

import json
import subprocess
import sys

import pytest

import shortcut
from house.house import DOORS, PACKAGE
from house.surface import disagreements, lazy_table, typed_table

# What may be loaded before a command has been chosen.
LIGHT = {"pydantic", "rich", "typer", "yaml"}


@pytest.fixture(scope="module")
def source() -> str:
    return (PACKAGE / "__init__.py").read_text("utf-8")


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in sys.modules of a fresh Python after the statement."""
    code = (
        f"{statement}\nimport json, sys\nprint(json.dumps([m.split('.')[0] for m in sys.modules]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(json.loads(result.stdout))


def test_all_is_sorted_and_unique():
    assert shortcut.__all__ == sorted(set(shortcut.__all__))
    assert len(shortcut.__all__) >= 5


def test_every_public_name_resolves_and_is_listed_by_dir():
    for name in shortcut.__all__:
        assert getattr(shortcut, name) is not None, name
    assert set(shortcut.__all__) <= set(dir(shortcut))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = shortcut.no_such_name  # pyright: ignore[reportAttributeAccessIssue]


def test_lazy_table_and_re_exports_for_types_agree(source):
    assert disagreements(lazy_table(source), typed_table(source)) == []


def test_all_is_the_lazy_table(source):
    dunders = {name for name in shortcut.__all__ if name.startswith("__")}
    assert set(shortcut.__all__) - dunders == lazy_table(source).keys()


def test_no_public_name_hides_a_module():
    modules = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    assert modules & set(shortcut.__all__) == set()


@pytest.mark.parametrize("module", ["shortcut", "shortcut.recipe", "shortcut.cli"])
def test_importing_loads_nothing_heavy(module):
    assert loaded_by(f"import {module}") & (DOORS.keys() - LIGHT) == set()


# Planted violations: each check can fail --------------------------------------------------


def test_a_heavy_import_is_seen():
    assert "numpy" in loaded_by("import numpy")


def test_the_tables_are_read():
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        "    from shortcut.training import fit as fit\n"
        "    from .classifier import Classifier as Classifier, load as load\n"
        '_HOME = {"Classifier": ".classifier", "fit": "training", "load": "shortcut.prediction"}\n'
        '__version__ = "1"\n'
    )
    assert disagreements(lazy_table(source), typed_table(source)) == [
        "load: lazy table prediction, TYPE_CHECKING classifier"
    ]
    assert disagreements({"a": "x"}, {"b": "x"}) == [
        "a: lazy table x, TYPE_CHECKING None",
        "b: lazy table None, TYPE_CHECKING x",
    ]


@pytest.mark.parametrize("source", ["", "A = {'a': 'b'}\nB = {'c': 'd'}", "A = {'a': 1 + 1}"])
def test_a_missing_or_second_table_is_an_error(source):
    with pytest.raises(ValueError, match="one is expected"):
        lazy_table(source)
