"""One saved classifier for all tests here, and one thread."""

from pathlib import Path

import pytest
from tests.classifier.made import make

from shortcut.classifier import Classifier, load
from shortcut.data.preprocess import Preprocess
from shortcut.recipe import read_recipe


@pytest.fixture(scope="package")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "best.safetensors"
    made = make()
    made.recipe = read_recipe("digits")
    made.metrics = {"val_accuracy": 0.935, "epoch": 197, "part": "val"}
    made.created, made.version = "2026-01-31T12:00:00+01:00", "0.1.0"
    made.preprocess = Preprocess(16, 20, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0))
    made.save(path)
    return path


@pytest.fixture(scope="package")
def classifier(saved) -> Classifier:
    return load(saved)
