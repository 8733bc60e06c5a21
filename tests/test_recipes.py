"""Shipped recipes keep the promise of their first line, as far as a test can afford to look."""

from pathlib import Path

import pytest

import shortcut
from shortcut.models import choose_stem
from shortcut.recipe import list_recipes, read_recipe


@pytest.mark.parametrize("name", list_recipes())
def test_a_shipped_recipe_is_named_as_its_file_and_fits_its_network(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    choose_stem(recipe.model.name, recipe.data.image_size, recipe.model.stem)


def test_the_tutorials_settings_are_theirs() -> None:
    hotdog, cats = read_recipe("tutorial-hotdog"), read_recipe("tutorial-cats-dogs")
    assert (hotdog.model.name, hotdog.train.epochs, hotdog.train.batch_size) == ("resnet34", 5, 32)
    assert (hotdog.optim.name, hotdog.optim.lr, hotdog.data.image_size) == ("adam", 0.001, 224)
    assert (cats.train.epochs, cats.train.batch_size, cats.optim.lr) == (200, 16, 0.001)
    assert cats.schedule.name == "plateau" and cats.schedule.factor == 0.7
    assert cats.model.name == "resnet34_tutorial" and cats.train.keep == "all"


@pytest.mark.nightly
def test_digits_reach_what_the_recipe_says(tmp_path: Path) -> None:
    # Named, since two formats may be equally fast, and the self-test then takes now this, now that.
    recipe = shortcut.read_recipe("digits", {"train.precision": "fp32"})
    outcome = shortcut.train("digits", recipe, output=tmp_path / "run")
    assert outcome.test is not None and outcome.test.images == 360
    assert outcome.test.accuracy >= 0.985
