"""Folders and a recipe that tests start from."""

from pathlib import Path

import pytest
from tests.recipe.strategies import written


@pytest.fixture(scope="package")
def own(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("recipes") / "own.yaml"


@pytest.fixture(scope="package")
def base(tmp_path_factory) -> Path:
    """A recipe that nobody tunes."""
    return written(
        tmp_path_factory.mktemp("recipes") / "base.yaml",
        "data: {image_size: 128}\n"
        "augment: {crop: {name: resized}, start_scale: 0.5}\n"
        "optim: {name: adamw, lr: 0.002, weight_decay: 0.05}\n"
        "schedule: {name: onecycle}\n",
    )
