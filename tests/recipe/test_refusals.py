"""Recipes: what they refuse, in which words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recipe.strategies import SHIPPED

from shortcut.errors import RecipeError
from shortcut.recipe import flatten, parse_changes, read_recipe


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optim.lrr": 1}, "unknown setting `optim.lrr`. Did you mean `optim.lr`?"),
        ({"optin.lr": 1}, "unknown setting `optin`. Did you mean `optim`?"),
        ({"epochs": 3}, "unknown setting `epochs`. Did you mean `train.epochs`?"),
        ({"qqqqqqq": 1}, "unknown setting `qqqqqqq`."),
        (
            {"train.epochs.x": 3},
            "unknown setting `train.epochs.x`: `epochs` has no parts.",
        ),
        ({"optim.momentum": 0.9}, "`optim.momentum` has no effect: `adamw` does not use it."),
        ({"schedule.every": 5}, "`schedule.every` has no effect: `onecycle` does not use it."),
        (
            {"augment.crop.pad": 0.1},
            "`augment.crop.pad` has no effect: `resized` does not use it.",
        ),
        (
            {"model.weights": "imagenet", "model.stem": "small"},
            "`model.weights: imagenet` has no effect without `the standard stem`.",
        ),
        ({"optim.lr": -1}, "`optim.lr` (=-1): input should be greater than 0."),
        ({"train.epochs": 0}, "`train.epochs` (=0): input should be greater than or equal to 1."),
        (
            {"data.image_size": 7},
            "`data.image_size` (=7): input should be greater than or equal to 8.",
        ),
        (
            {"optim.lr": "abc"},
            "`optim.lr` (='abc'): input should be a valid number, "
            "unable to parse string as a number.",
        ),
        (
            {"model.stem": "big"},
            "`model.stem` (='big'): input should be 'auto', 'standard' or 'small'.",
        ),
        ({"data.resize": 64}, "`data.resize` (=64) is below `data.image_size` (=128)."),
        ({"seed": -1}, "`seed` (=-1): input should be greater than or equal to 0."),
        ({"name": 5}, "`name` (=5): input should be a valid string."),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, dict) else "",
)
def test_a_bad_setting_is_named_with_the_way_out(changes, message, base):
    with pytest.raises(RecipeError) as refusal:
        read_recipe(base, changes)
    assert str(refusal.value) == message
    assert refusal.value.exit_code == 2


def test_pictures_cannot_shrink_over_the_epochs(base):
    with pytest.raises(RecipeError, match=r"^`augment.start_scale` \(=0.9\) is above .*=0.5\)\.$"):
        read_recipe(base, {"augment.start_scale": 0.9, "augment.final_scale": 0.5})


@pytest.mark.parametrize("value", [0, "x", 1.5, None])
def test_a_setting_with_two_types_has_its_own_name_in_the_message(value, base):
    with pytest.raises(RecipeError, match=re.escape(f"`train.keep` (={value!r}): ")):
        read_recipe(base, {"train.keep": value})


@pytest.mark.parametrize(
    ("key", "value", "known"),
    [
        ("optim.name", "adm", "'adam', 'adamw', 'sgd', 'muon'"),
        ("augment.crop.name", "shfit", "'none', 'shift', 'resized'"),
        ("schedule.name", "linear", "'constant', 'step', 'plateau', 'cosine', 'onecycle'"),
    ],
)
def test_an_unknown_choice_lists_the_known_ones(key, value, known, base):
    with pytest.raises(RecipeError) as refusal:
        read_recipe(base, {key: value})
    assert f"'{value}'" in str(refusal.value) and known in str(refusal.value)


def test_a_choice_that_needs_more_says_what(base):
    with pytest.raises(RecipeError, match=r"^`schedule\.every` .*required\.$"):
        read_recipe(base, {"schedule.name": "step"})


@pytest.mark.parametrize("value", ["sgd", None, [1]])
def test_a_section_that_is_no_section(value, base):
    with pytest.raises(RecipeError, match=r"^`optim` \(="):
        read_recipe(base, {"optim": value})


@given(key=st.text(min_size=1), value=st.none() | st.integers() | st.text() | st.booleans())
def test_whatever_is_set_there_is_no_other_error(key, value, base):
    try:
        found = read_recipe(base, {key: value})
    except RecipeError:
        return
    # Hypothesis may name a setting that there is: then that is set.
    assert flatten(found.model_dump(mode="json"))[key] == value


@pytest.mark.parametrize("assignment", ["optim.lr", "", "=3", " =3"])
def test_a_change_must_be_key_and_value(assignment):
    with pytest.raises(RecipeError) as refusal:
        parse_changes([assignment])
    assert str(refusal.value) == (
        f"`--set {assignment}` must be KEY=VALUE, e.g. `--set optim.lr=0.01`."
    )


@pytest.mark.parametrize("assignment", ["optim.lr=[1", "a=b: c: d", "a={", "a=\x00"])
def test_a_change_that_is_not_yaml(assignment):
    with pytest.raises(RecipeError) as refusal:
        parse_changes([assignment])
    assert "\n" not in str(refusal.value)
    assert assignment.partition("=")[0] in str(refusal.value)


def test_an_unknown_recipe_gets_the_nearest_name():
    with pytest.raises(RecipeError) as refusal:
        read_recipe("balansed")
    assert str(refusal.value) == (
        "unknown recipe `balansed`. Did you mean `balanced`? A file of your own must end in .yaml."
    )
    with pytest.raises(RecipeError, match=f"There are: {', '.join(SHIPPED)}"):
        read_recipe("zzzz")


def test_a_recipe_file_that_is_not_there(tmp_path):
    with pytest.raises(RecipeError) as refusal:
        read_recipe(tmp_path / "no.yaml")
    expected = f"{tmp_path / 'no.yaml'}: cannot be read (No such file or directory)."
    assert str(refusal.value) == expected
    (tmp_path / "folder.yml").mkdir()
    with pytest.raises(RecipeError, match=r"folder\.yml: cannot be read"):
        read_recipe(tmp_path / "folder.yml")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1", "not YAML"),
        (b"a: b: c", "not YAML"),
        (b"\x00", "not YAML"),
        (b"\xff\xfe\xfa", "own.yaml"),
        (b"", "a recipe is a mapping of settings"),
        (b"- 1", "a recipe is a mapping of settings"),
        (b"1: 2", "unknown setting `1`"),
        (b"optim: adam", "`optim` (='adam')"),
        (b"train:", "`train` (=None)"),
        (b"optim: {name: adam, momentum: 0.9}", "`optim.momentum` has no effect"),
        (b"trian: {epochs: 3}", "Did you mean `train`?"),
    ],
)
def test_a_recipe_file_that_is_none(content, says, tmp_path):
    (tmp_path / "own.yaml").write_bytes(content)
    with pytest.raises(RecipeError) as refusal:
        read_recipe(tmp_path / "own.yaml")
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
