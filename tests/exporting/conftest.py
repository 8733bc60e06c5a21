"""A run that knows its pictures, and every export of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.pictures import make_pictures
from tests.recipes import write_tiny_recipe

from shortcut import load, read_recipe, train
from shortcut.events import run_silently
from shortcut.exporting import Export, exporting

WAYS = [
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
    ("onnx", "fp32"),
    ("onnx", "int8"),
    ("torch-program", "fp32"),
    ("torch-program", "bf16"),
    ("triton", "fp32"),
]


@pytest.fixture(scope="session")
def known_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training with enough pictures in val for temperature and familiarity."""
    folder = tmp_path_factory.mktemp("exported")
    changes = {"data.val_fraction": 0.5, "data.mirror_below": 0.9}
    recipe = read_recipe(write_tiny_recipe(folder), changes)
    photos = make_pictures(folder / "photos", each=150)
    outcome = train(photos, recipe, output=folder / "run")
    assert outcome is not None
    # It is right everywhere, so none was fitted.
    model = outcome.folder / "best.safetensors"
    replace(load(model), temperature=1.3, sure_from=0.7).save(model)
    return outcome.folder


RARE = [("openvino", "bf16"), ("torch-program", "bf16"), ("triton", "fp32")]
"""Of which there is a likeness among the others: for `make nightly`."""


def _param(way: tuple[str, str]) -> object:
    marks = [pytest.mark.nightly] if way in RARE else []
    return pytest.param(way, id=" ".join(way), marks=marks)


@pytest.fixture(scope="session", params=map(_param, WAYS))
def export(
    known_run: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Export:
    """Each of them, to be read and not changed."""
    to, precision = request.param
    place = tmp_path_factory.mktemp("exports") / f"{to}-{precision}"
    story = exporting(known_run, to, precision=precision, output=place, min_agreement=0.9)
    return run_silently(story)


@pytest.fixture
def run(known_run: Path, tmp_path: Path) -> Path:
    """A run folder of one's own."""
    return Path(shutil.copytree(known_run, tmp_path / "run"))
