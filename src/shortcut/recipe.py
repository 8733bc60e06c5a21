"""Recipes: complete settings, read from YAML, overridden one by one, saved with every run.

What is not written in the file has the default written in `settings.py`.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from shortcut.errors import RecipeError
from shortcut.settings import Recipe

CHOICES = (("optim",), ("schedule",), ("augment", "crop"))
"""Sections whose `name` decides which other settings they have."""


def list_recipes() -> dict[str, str]:
    """Names of the shipped recipes and the first line of each: what it reaches, where, how fast."""
    files = (resources.files("shortcut") / "recipes").iterdir()
    firsts = {
        file.name.removesuffix(".yaml"): file.read_text("utf-8").splitlines()[0].lstrip("# ")
        for file in files
        if file.name.endswith(".yaml")
    }
    return dict(sorted(firsts.items()))


def read_recipe(name: str | Path, changes: Mapping[str, object] | None = None) -> Recipe:
    """A shipped recipe by name, or a YAML file, with `changes` like {"optim.lr": 0.01} laid over
    it.

    Raises:
        RecipeError: no such recipe or file, not YAML, an unknown setting (the nearest name is
            offered), a value out of range, or a setting that would have no effect.
    """
    values = Recipe().model_dump(mode="json")
    for layer in (flatten(_load(name)), dict(changes or {})):
        # Choices first: `optim.name` decides which other settings `optim` has.
        for key in sorted(layer, key=lambda key: (not key.endswith(".name"), key)):
            _lay_over(values, key.split("."), layer[key])
        if layer.get("augment.flip") is False and "data.mirror_below" not in layer:
            # Who says that a mirror image is another thing means it for the answers as well.
            _lay_over(values, ["data", "mirror_below"], 0.0)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_explain(error)) from error


def parse_changes(assignments: Iterable[str]) -> dict[str, object]:
    """`["optim.lr=0.01", "augment.flip=no"]` as a mapping; values are read as YAML.

    Raises:
        RecipeError: where an entry is not KEY=VALUE.
    """
    changes: dict[str, object] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise RecipeError(
                f"`--set {assignment}` must be KEY=VALUE, e.g. `--set optim.lr=0.01`."
            )
        try:
            changes[key.strip()] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RecipeError(f"`--set {assignment}`: `{text}` is not a YAML value.") from error
    return changes


def to_yaml(recipe: Recipe) -> str:
    """Every setting of the recipe as YAML that `read_recipe` reads back."""
    values = recipe.model_dump(mode="json")
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    if yaml.safe_load(text) == values:
        return text
    # PyYAML writes a few odd line ends (U+0085) as they are, and then reads a space.
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=False)


def _load(name: str | Path) -> dict[str, Any]:
    shipped = resources.files("shortcut") / "recipes" / f"{name}.yaml"
    if Path(name).suffix in (".yaml", ".yml"):
        try:
            text = Path(name).read_text("utf-8")
        except OSError as error:
            raise RecipeError(f"{name}: cannot be read ({error.strerror}).") from error
        except UnicodeDecodeError as error:
            raise RecipeError(f"{name}: is not UTF-8 text.") from error
    elif shipped.is_file():
        text = shipped.read_text("utf-8")
    else:
        known = list_recipes()
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(known)}."
        raise RecipeError(f"unknown recipe `{name}`. {hint} A file of your own must end in .yaml.")
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{name}: not YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(values, dict):
        raise RecipeError(
            f"{name}: a recipe is a mapping of settings, like `train: {{epochs: 30}}`."
        )
    return values


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Settings by their dotted names."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def differing_settings(recipes: Sequence[Recipe]) -> dict[str, tuple[object, ...]]:
    """The settings in which recipes differ, by dotted name: the value in each; None where one has
    no such setting."""
    flat = [flatten(recipe.model_dump(mode="json")) for recipe in recipes]
    names = dict.fromkeys(name for settings in flat for name in settings)
    values = {name: tuple(settings.get(name) for settings in flat) for name in names}
    return {name: each for name, each in values.items() if any(v != each[0] for v in each)}


def _lay_over(values: dict[str, Any], path: list[str], value: object) -> None:
    *sections, last = path
    chooses = last == "name" and tuple(sections) in CHOICES
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"unknown setting `{'.'.join(path)}`: `{section}` has no parts.")
        values = inner
    if chooses and values.get("name") != value:
        # Another optimizer or schedule: what the recipe says about the old one would be refused,
        # but what both have (lr, weight_decay) was tuned for the old one too. Start from the new
        # one's defaults.
        values.clear()
    values[last] = value


def _explain(error: ValidationError) -> str:
    """Pydantic's first complaint as one line with the setting's dotted name."""
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"]]
    for section in CHOICES:
        # Pydantic puts the chosen name into the location: optim.adam.lr
        if tuple(parts[: len(section)]) == section and len(parts) > len(section) + 1:
            chosen = parts.pop(len(section))
            break
    else:
        chosen = parts[0] if len(parts) > 1 else "a recipe"
    key = ".".join(parts)
    known = _setting_names()
    if first["type"] == "extra_forbidden":
        if key in known:
            return f"`{key}` has no effect: `{chosen}` does not use it."
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        return f"unknown setting `{key}`." + (f" Did you mean `{near[0]}`?" if near else "")
    while parts and ".".join(parts) not in known:
        parts.pop()  # where a setting may be of two types, pydantic adds the type's name
    key = ".".join(parts)
    message = first["msg"].removeprefix("Value error, ")
    if not key:
        return f"{message}."
    return f"`{key}` (={first['input']!r}): {message[0].lower()}{message[1:]}."


def _setting_names(model: type[BaseModel] = Recipe, prefix: str = "") -> set[str]:
    names: set[str] = set()
    for name, field in model.model_fields.items():
        names.add(prefix + name)
        for inner in _models_in(field.annotation):
            names |= _setting_names(inner, f"{prefix}{name}.")
    return names


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
