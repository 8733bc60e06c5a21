"""Recipes: what they read as, what they refuse, in which words."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shortcut.errors import RecipeError
from shortcut.recipe import list_recipes, parse_changes, read_recipe, to_yaml
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

SHIPPED = list(list_recipes())


def share(low: float = 0, high: float = 1) -> st.SearchStrategy[float]:
    return st.floats(low, high, exclude_max=True)


def chosen(section: str, **choices: dict[str, st.SearchStrategy]) -> st.SearchStrategy[dict]:
    """Changes to one section: its name, and some of what that name has."""
    return st.one_of(
        st.fixed_dictionaries(
            {f"{section}.name": st.just(name)},
            optional={f"{section}.{key}": value for key, value in settings.items()},
        )
        for name, settings in choices.items()
    )


LR, DECAY = st.floats(1e-12, 1e6), st.floats(0, 10)
ADAM = {"lr": LR, "weight_decay": DECAY, "beta1": share(), "beta2": share()}
OPTIM = chosen(
    "optim",
    adam=ADAM,
    adamw=ADAM,
    sgd={"lr": LR, "weight_decay": DECAY, "momentum": share(0.01), "nesterov": st.booleans()},
)
SCHEDULE = chosen(
    "schedule",
    constant={},
    plateau={"patience": st.integers(0, 99), "factor": share(0.01)},
    cosine={"warmup_epochs": st.floats(0, 50), "final": share()},
    onecycle={"peak": share(0.01), "start": st.floats(0.01, 1), "final": share()},
) | st.fixed_dictionaries(
    {"schedule.name": st.just("step"), "schedule.every": st.integers(1, 99)},
    optional={"schedule.factor": share(0.01)},
)
CROP = chosen(
    "augment.crop",
    none={},
    shift={"pad": st.floats(0, 0.5)},
    resized={"smallest": st.floats(0.01, 1), "ratio": st.floats(1, 4)},
)
REST = st.fixed_dictionaries(
    {
        "data.image_size": st.integers(224, 256),
        "data.resize": st.none() | st.integers(256, 2048),
        "augment.start_scale": st.floats(0.1, 1),
    },
    optional={
        "name": st.text(st.characters(exclude_categories=("Cs",))),
        "seed": st.integers(0, 2**63 - 1),
        "model.name": st.sampled_from(["resnet18", "resnet20", "ein Netz"]),
        "data.max_broken": share(),
        "data.workers": st.none() | st.integers(0, 64),
        "augment.flip": st.booleans(),
        "augment.mixup": st.floats(0, 9),
        "train.epochs": st.integers(1, 10_000),
        "train.clip_norm": st.none() | st.floats(1e-6, 100),
        "train.keep": st.just("all") | st.integers(1, 99),
        "train.precision": st.sampled_from(["auto", "fp32", "bf16"]),
    },
)
CHANGES = st.tuples(OPTIM, SCHEDULE, CROP, REST).map(
    lambda parts: {key: value for part in parts for key, value in part.items()}
)


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("recipes") / "own.yaml"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A recipe that nobody tunes."""
    return written(
        tmp_path_factory.mktemp("recipes") / "base.yaml",
        "data: {image_size: 128}\n"
        "augment: {crop: {name: resized}, start_scale: 0.5}\n"
        "optim: {name: adamw, lr: 0.002, weight_decay: 0.05}\n"
        "schedule: {name: onecycle}\n",
    )


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


# Reading and writing ---------------------------------------------------------------------


def test_the_shipped_recipes_are_listed_with_what_to_expect():
    assert sorted(["default", "digits", "tutorial-cats-dogs", "tutorial-hotdog"]) == SHIPPED
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


def test_recipes_are_frozen():
    recipe = read_recipe("default")
    with pytest.raises(ValidationError, match="frozen"):
        recipe.seed = 3
    with pytest.raises(ValidationError, match="frozen"):
        recipe.optim.lr = 3


def test_what_a_file_leaves_out_has_its_default(own):
    recipe = read_recipe(written(own, "train: {epochs: 3}\noptim.lr: 0.5\n"))
    assert recipe == read_recipe(written(own, "{}"), {"train.epochs": 3, "optim.lr": 0.5})
    assert recipe.data == Recipe().data


# Choices and changes ---------------------------------------------------------------------


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


# Refusals --------------------------------------------------------------------------------


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
        ("optim.name", "adm", "'adam', 'adamw', 'sgd'"),
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
        read_recipe(base, {key: value})
    except RecipeError:
        return
    assert key in ("name", "seed")


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
        read_recipe("defualt")
    assert str(refusal.value) == (
        "unknown recipe `defualt`. Did you mean `default`? A file of your own must end in .yaml."
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
