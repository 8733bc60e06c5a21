"""What a model file says of itself, written by somebody who means ill: taken as text or refused,
in one line (F8). Missing and wrong fields one by one: tests/classifier/test_damaged_files.py."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from safetensors.torch import save
from tests.hostile_models.apart import Apart
from tests.hostile_models.conftest import Door
from tests.models.files import message, names
from torch import Tensor

from shortcut import load
from shortcut.card import HEADER
from shortcut.errors import ModelError
from shortcut.models.tensorfiles import read_tensors

Card = dict[str, Any]
HTML = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "</svg><a>")
PATHS = ("../../etc/passwd", "/etc/passwd", "C:\\Windows\\system.ini", "..")
NAN = float("nan")


@pytest.fixture(scope="module")
def parts(saved: Path) -> tuple[dict[str, Tensor], Card]:
    """Tensors and card of a file that is as it should be."""
    tensors, metadata = read_tensors(saved)
    return tensors, json.loads(metadata[HEADER])


Write = Callable[[Card | str], Path]


@pytest.fixture
def write(parts: tuple[dict[str, Tensor], Card], tmp_path: Path) -> Write:
    """`write(card)` makes a file of it, by no code of ours: that would refuse to."""

    def make(card: Card | str) -> Path:
        said = card if isinstance(card, str) else json.dumps(card)
        (tmp_path / "m.safetensors").write_bytes(save(parts[0], {HEADER: said}))
        return tmp_path / "m.safetensors"

    return make


def refusal(path: Path) -> str:
    """Why `load` refuses it, without the path."""
    said = message(ModelError, lambda: load(path))
    assert said.isprintable() and len(said) < 500, said[:2000]
    return said.replace(str(path), "FILE")


# Names of code ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["antigravity.open", "builtins.eval", "torch.hub.load", "os.system"]
)
@pytest.mark.parametrize("field", ["network", "stem", "format", "preprocess"])
def test_a_class_path_is_no_value(
    write: Write, parts: tuple[dict[str, Tensor], Card], field: str, name: str
) -> None:
    assert "FILE: " in refusal(write(parts[1] | {field: name}))
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "field", ["_target_", "class_path", "__class__", "__reduce__", "py/object", "_instantiator"]
)
@pytest.mark.parametrize("where", ["", "preprocess"])
def test_a_field_that_names_a_class_is_refused(
    write: Write, parts: tuple[dict[str, Tensor], Card], field: str, where: str
) -> None:
    """Other programs build what these name: neither this one nor what is given to it."""
    card = json.loads(json.dumps(parts[1]))
    (card[where] if where else card)[field] = "antigravity.open"
    assert f"unknown field `{field}`" in refusal(write(card))


def test_a_recipe_of_classes_is_left_out(
    write: Write, parts: tuple[dict[str, Tensor], Card]
) -> None:
    for recipe in (
        {"_target_": "antigravity.open"},
        {"model": {"name": "antigravity.open", "class_path": "antigravity.open"}},
        {"optim": {"name": "antigravity.open"}},
    ):
        assert load(write(parts[1] | {"recipe": recipe})).recipe is None
    assert "antigravity" not in sys.modules


# Names of classes ---------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [HTML, PATHS], ids=["html", "paths"])
def test_any_text_is_only_text(
    write: Write,
    parts: tuple[dict[str, Tensor], Card],
    door: Door,
    work: Path,
    classes: tuple[str, ...],
) -> None:
    """It comes back as it was, and is no place of a file."""
    card = parts[1] | {"classes": list(classes), "created": "<b>", "version": "../x"}
    path = write(card)
    found = load(path)
    assert found.classes == classes
    before = names(work.parent)
    assert found.predict("photos/a/1.png").label in door("predict", path).out
    assert names(work.parent) == before


def test_answers_keep_any_text_apart(
    write: Write, parts: tuple[dict[str, Tensor], Card], work: Path
) -> None:
    from shortcut.prediction import as_csv, as_json, predict_files

    classes = ('a","b', "=cmd|' /C calc'!A0", "line\nbreak", HTML[0])
    found = load(write(parts[1] | {"classes": list(classes)}))
    answers = list(predict_files(found, ["photos/a/1.png"]))
    (record,) = json.loads(as_json(answers))
    assert set(record["scores"]) == set(classes)
    head, row = csv.reader(io.StringIO(as_csv(answers, found.classes)))
    assert head == ["file", "label", "sure", "unlike", "score", *classes, "error"]
    assert len(row) == len(head)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[2Jcat", "`\\x1b[2Jcat`"),
        ("\x1b]0;title\x07", "`\\x1b]0;title\\x07`"),
        ("cat\x00", "`cat\\x00`"),
        ("\x9b31m", "`\\x9b31m`"),
        ("c" * 1001, f"`{'c' * 40}...`"),
        ("c" * 3_000_000, f"`{'c' * 40}...`"),
    ],
)
def test_what_a_terminal_would_obey_is_no_name(
    write: Write, parts: tuple[dict[str, Tensor], Card], name: str, shown: str
) -> None:
    card = parts[1] | {"classes": ["a", name, "b", "c"]}
    assert refusal(write(card)) == (
        f"FILE: its description is damaged (classes: class 2 is no name: {shown})."
    )


@pytest.mark.parametrize("name", ["cat\x1b", "c" * 1001])
def test_such_a_name_is_not_saved(saved: Path, tmp_path: Path, name: str) -> None:
    """What could not be read again is not written, and an older file stays."""
    classifier = load(saved)
    classifier.classes = ("a", name, "b", "c")
    path = tmp_path / "m.safetensors"
    said = message(ModelError, lambda: classifier.save(path))
    assert said.startswith(f"`{path}` is not written: classes: class 2 is no name: `c")
    assert names(tmp_path) == []


# Much of it ---------------------------------------------------------------------------------


LARGE: dict[str, tuple[Callable[[Card], object], str]] = {
    "a network's name": (lambda card: card.update(network="r" * 3_000_000), "network: "),
    "a date": (lambda card: card.update(created="2" * 3_000_000), "created: "),
    "a version": (lambda card: card.update(version="0" * 3_000_000), "version: "),
    "a figure's name": (lambda card: card.update(metrics={"m" * 3_000_000: 1}), "metrics."),
    "a figure": (lambda card: card.update(metrics={"part": "v" * 3_000_000}), "metrics."),
    "figures": (lambda card: card.update(metrics=dict.fromkeys(map(str, range(99_000)), 1)), "99,"),
    "wrong figures": (lambda card: card.update(metrics=_numbered([])), "metrics: 180,000 figures"),
    "a field's name": (lambda card: card.update({"f" * 3_000_000: 1}), "unknown field `fff"),
    "fields": (lambda card: card.update(_numbered(1)), "unknown field `0`"),
    "fields inside": (lambda card: card["preprocess"].update(_numbered(1)), "unknown field `0`"),
    "equal classes": (lambda card: card.update(classes=["c"] * 99_000), "the same name"),
    "numbers for classes": (
        lambda card: card.update(classes=[1] * 1_300_000),
        "class 1 is no text",
    ),
    "means": (lambda card: card["preprocess"].update(mean=[0.5] * 500_000), "preprocess.mean"),
    "wrong means": (lambda card: card["preprocess"].update(mean=[[]] * 900_000), "preprocess.mean"),
    "a number": (lambda card: card.update(mirror_below=10**4000), "mirror_below"),
}
TOO_LARGE: dict[str, Callable[[Card], object]] = {
    "a string of 10 MB": lambda card: card.update(created="2" * 10_000_000),
    "a class of 10 MB": lambda card: card.update(classes=["a", "b", "c", "d" * 10_000_000]),
    "a million classes": lambda card: card.update(classes=[f"c{n}" for n in range(1_000_000)]),
    "a recipe of 10 MB": lambda card: card.update(recipe={"name": "n" * 10_000_000}),
}


def _numbered(value: object) -> dict[str, object]:
    return dict.fromkeys(map(str, range(180_000)), value)


@pytest.mark.parametrize("kind", [*LARGE, *TOO_LARGE])
def test_a_large_card_is_refused_for_little(
    apart: Apart, write: Write, parts: tuple[dict[str, Tensor], Card], kind: str
) -> None:
    change, word = LARGE[kind] if kind in LARGE else (TOO_LARGE[kind], "header too large")
    card = json.loads(json.dumps(parts[1]))
    change(card)
    cost = apart.open("load", write(json.dumps(card, separators=(",", ":"))))
    assert cost.error == "ModelError"
    assert word in cost.said and cost.said.isprintable() and len(cost.said) < 500
    assert cost.megabytes < 150
    assert cost.seconds < 20


def test_a_large_recipe_is_left_out(write: Write, parts: tuple[dict[str, Tensor], Card]) -> None:
    for recipe in ({"name": "n" * 1_000_000}, {"train": _numbered(1)}, {"name": [[[["deep"]]]]}):
        assert load(write(parts[1] | {"recipe": recipe})).recipe is None


# Anything -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metrics", {"val_accuracy": NAN}),
        ("metrics", {"val_accuracy": float("inf")}),
        ("mirror_below", NAN),
        ("classes", ["a", "b", "c", NAN]),
        ("classes", {"a": 0, "b": 1, "c": 2, "d": 3}),
        ("network", "resnet20\nresnet32"),
        ("network", "../resnet20"),
        ("network", "résnet\x1b[31m"),
        ("network", ""),
        ("preprocess", {"image_size": NAN, "resize": 20, "mean": [0, 0, 0], "std": [1, 1, 1]}),
        ("preprocess", {"image_size": 1e999, "resize": 20, "mean": [0, 0, 0], "std": [1, 1, 1]}),
    ],
)
def test_values_that_are_none_are_refused(
    write: Write, parts: tuple[dict[str, Tensor], Card], field: str, value: object
) -> None:
    assert "FILE: its description is damaged" in refusal(write(parts[1] | {field: value}))


def test_a_field_with_a_line_break_is_shown_in_one(
    write: Write, parts: tuple[dict[str, Tensor], Card]
) -> None:
    said = refusal(write(parts[1] | {"a\nb\x1b[31m": 1}))
    assert said == "FILE: its description is damaged (unknown field `a\\nb\\x1b[31m`)."
    said = refusal(write(parts[1] | {"metrics": {"a\nb": []}}))
    assert said.startswith("FILE: its description is damaged (metrics.a\\nb")


def test_half_a_letter_is_refused(write: Write, parts: tuple[dict[str, Tensor], Card]) -> None:
    for field in ("classes", "created", "network"):
        value = ["a", "b", "c", "\ud800"] if field == "classes" else "\ud800"
        assert "its description is damaged" in refusal(write(parts[1] | {field: value}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(data=st.data())
@examples(max_examples=150)
def test_any_value_anywhere_is_taken_or_refused(
    parts: tuple[dict[str, Tensor], Card], own_cache: Path, data: st.DataObject
) -> None:
    card = json.loads(json.dumps(parts[1]))
    inner = data.draw(st.sampled_from([card, card["preprocess"]]))
    inner[data.draw(st.sampled_from(list(inner)) | st.text(max_size=5))] = data.draw(JSON)
    path = own_cache / "any.safetensors"
    path.write_bytes(save(parts[0], {HEADER: json.dumps(card)}))
    try:
        found = load(path)
    except ModelError as error:
        said = str(error)
        assert said.isprintable() and len(said) < 500
        return
    assert len(found.classes) == 4
