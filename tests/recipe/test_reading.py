"""Recipes: what they read as, what a change changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.recipe.strategies import CHANGES, SHIPPED, written

from shortcut.errors import RecipeError
from shortcut.recipe import differing_settings, list_recipes, parse_changes, read_recipe, to_yaml
from shortcut.settings import (
    AdamSettings,
    ConstantSchedule,
    NoCrop,
    OneCycleSchedule,
    PlateauSchedule,
    Recipe,
    ResizedCrop,
    SgdSettings,
    ShiftCrop,
    StepSchedule,
)

NAMES = {"fast", "balanced", "best", "finetune"} | {
    *("digits", "tutorial-cats-dogs", "tutorial-hotdog")
}


def test_the_shipped_recipes_are_listed_with_what_to_expect():
    assert sorted(NAMES) == SHIPPED
    assert all(line.startswith(("Expect ", "Reaches ")) for line in list_recipes().values())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_survives_the_round_trip(name, own):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert read_recipe(written(own, to_yaml(recipe))) == recipe
    assert read_recipe(str(own)) == recipe


@given(name=st.sampled_from(SHIPPED), changes=CHANGES)
def test_any_valid_recipe_survives_yaml_and_json(name, changes, own):
    recipe = read_recipe(name, changes)
    assert read_recipe(written(own, to_yaml(recipe))) == recipe
    # A saved recipe is complete: laying it over another one leaves nothing of that one.
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    for key, value in changes.items():
        found: object = recipe
        for part in key.split("."):
            found = getattr(found, part)
        assert found == value


def test_the_tutorials_recipes_are_the_tutorials_settings():
    hotdog, cats = read_recipe("tutorial-hotdog"), read_recipe("tutorial-cats-dogs")
    assert hotdog.optim == cats.optim == AdamSettings(name="adam", lr=0.001)
    assert (hotdog.train.epochs, hotdog.train.batch_size) == (5, 32)
    assert (cats.train.epochs, cats.train.batch_size, cats.train.keep) == (200, 16, "all")
    assert hotdog.schedule == ConstantSchedule()
    assert cats.schedule == PlateauSchedule(name="plateau", factor=0.7)
    assert isinstance(cats.augment.crop, ShiftCrop) and cats.augment.flip
    assert hotdog.data.image_size == cats.data.image_size == 224


@pytest.mark.parametrize("name", ["\x85", "a\u2028b", "\x00", "汪 und Wau"])
def test_odd_names_survive_yaml(name, own):
    recipe = read_recipe("balanced", {"name": name})
    assert read_recipe(written(own, to_yaml(recipe))) == recipe


def test_no_mirroring_means_none_in_answers_either():
    assert read_recipe("balanced").data.mirror_below == 0.9
    assert read_recipe("balanced", {"augment.flip": False}).data.mirror_below == 0
    with pytest.raises(RecipeError, match=r"no effect without `augment\.flip`"):
        read_recipe("balanced", {"augment.flip": False, "data.mirror_below": 0.5})


def test_recipes_are_frozen():
    recipe = read_recipe("balanced")
    with pytest.raises(ValidationError, match="frozen"):
        recipe.seed = 3
    with pytest.raises(ValidationError, match="frozen"):
        recipe.optim.lr = 3


def test_what_a_file_leaves_out_has_its_default(own):
    recipe = read_recipe(written(own, "train: {epochs: 3}\noptim.lr: 0.5\n"))
    assert recipe == read_recipe(written(own, "{}"), {"train.epochs": 3, "optim.lr": 0.5})
    assert recipe.data == Recipe().data


def test_another_optimizer_forgets_what_was_tuned_for_the_old_one(base):
    assert read_recipe(base).optim == AdamSettings(name="adamw", lr=0.002, weight_decay=0.05)
    assert read_recipe(base, {"optim.name": "sgd"}).optim == SgdSettings(name="sgd")
    assert read_recipe(base, {"optim.name": "adam"}).optim == AdamSettings(name="adam")


def test_the_same_optimizer_forgets_nothing(base):
    recipe = read_recipe(base)
    assert read_recipe(base, {"optim.name": "adamw"}) == recipe


@pytest.mark.parametrize("first", ["optim.name", "optim.lr"])
def test_choices_come_first_whatever_the_order_of_changes(first, base):
    changes = {"optim.name": "sgd", "optim.lr": 0.3, "optim.momentum": 0.5}
    ordered = {first: changes[first]} | changes
    assert read_recipe(base, ordered).optim == SgdSettings(name="sgd", lr=0.3, momentum=0.5)


def test_schedule_and_crop_are_choices_too(base):
    recipe = read_recipe(
        base, {"schedule.name": "step", "schedule.every": 4, "augment.crop.name": "none"}
    )
    assert recipe.schedule == StepSchedule(name="step", every=4)
    assert recipe.augment.crop == NoCrop()
    assert recipe.augment.start_scale == 0.5  # beside the choice: kept
    cats = read_recipe("tutorial-cats-dogs", {"augment.crop.name": "resized"})
    assert cats.augment.crop == ResizedCrop(name="resized")
    assert read_recipe(base, {"schedule.peak": 0.5}).schedule == OneCycleSchedule(
        name="onecycle", peak=0.5
    )


def test_changes_are_read_as_yaml(base):
    texts = [
        "optim.lr=0.01",
        " augment.flip = no",
        "train.keep=all",
        "data.resize=null",
        "name=a=b",
    ]
    assert parse_changes(texts) == {
        "optim.lr": 0.01,
        "augment.flip": False,
        "train.keep": "all",
        "data.resize": None,
        "name": "a=b",
    }
    # YAML 1.1 takes a number without a point for a word.
    assert read_recipe(base, parse_changes(["optim.lr=1e-3"])).optim.lr == 0.001
    assert parse_changes([]) == {}


def test_only_settings_that_differ_are_told() -> None:
    first = read_recipe("balanced")
    assert differing_settings([first, first]) == {}
    other = read_recipe("balanced", {"optim.name": "adamw", "seed": 7})
    found = differing_settings([first, other, first])
    assert found["seed"] == (0, 7, 0) and found["optim.name"] == ("muon", "adamw", "muon")
    assert found["optim.adamw_lr"] == (0.002, None, 0.002)  # AdamW has no such setting
    assert "train.epochs" not in found
