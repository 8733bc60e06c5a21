"""One saved classifier for all tests here, and one thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.classifier.made import make

from shortcut.classifier import Classifier, load
from shortcut.data.preprocess import Preprocess
from shortcut.recipe import read_recipe


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine every layer of a small network would wait for the second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
