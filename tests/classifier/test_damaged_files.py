"""Damaged files are refused, by what is wrong with them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.classifier.made import CLASSES, noise

from shortcut.card import HEADER
from shortcut.classifier import load
from shortcut.errors import ModelError
from shortcut.models.tensorfiles import read_tensors, write_tensors


def rewritten(saved: Path, path: Path, header: str) -> Path:
    tensors, _ = read_tensors(saved)
    write_tensors(path, tensors, {HEADER: header})
    return path


def card_of(saved: Path) -> dict[str, Any]:
    return json.loads(read_tensors(saved)[1][HEADER])


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(card: dict[str, Any]) -> None:
        for key in keys[:-1]:
            card = card[key]
        del card[keys[-1]]

    return change


def having(value: object, *keys: str) -> Callable[[dict[str, Any]], None]:
    def change(card: dict[str, Any]) -> None:
        for key in keys[:-1]:
            card = card[key]
        card[keys[-1]] = value

    return change


NAN, INF = float("nan"), float("inf")
DAMAGES = {
    "no network": without("network"),
    "no stem": without("stem"),
    "no classes": without("classes"),
    "no preprocess": without("preprocess"),
    "no mean": without("preprocess", "mean"),
    "an extra field": having(1, "colour"),
    "an extra field inside": having(1, "preprocess", "colour"),
    "a later format": having(2, "format"),
    "an unknown network": having("resnet21", "network"),
    "another network": having("resnet32", "network"),
    "network is a number": having(20, "network"),
    "an unknown stem": having("tiny", "stem"),
    "a stem it does not have": having("standard", "stem"),
    "one class too many": having([*CLASSES, "cow"], "classes"),
    "one class too few": having(list(CLASSES[:-1]), "classes"),
    "one class only": having(["cat"], "classes"),
    "the same class twice": having(["a", "b", "a", "c"], "classes"),
    "classes are numbers": having([1, 2, 3, 4], "classes"),
    "classes are a word": having("cats", "classes"),
    "classes are null": having(None, "classes"),
    "size 7": having(7, "preprocess", "image_size"),
    "size is a word": having("big", "preprocess", "image_size"),
    "the cut is larger than the picture": having(21, "preprocess", "image_size"),
    "two means": having([0.1, 0.2], "preprocess", "mean"),
    "mean is not a number": having([0.1, NAN, 0.2], "preprocess", "mean"),
    "mean is infinite": having([0.1, INF, 0.2], "preprocess", "mean"),
    "std is nought": having([0.1, 0, 0.2], "preprocess", "std"),
    "std is infinite": having([0.1, INF, 0.2], "preprocess", "std"),
    "std is negative": having([0.1, -1, 0.2], "preprocess", "std"),
    "recipe is a name": having("digits", "recipe"),
    "metrics are a list": having([1], "metrics"),
    "created is a number": having(5, "created"),
}


@pytest.mark.parametrize(
    "change", [having(1, "recipe", "colour"), having(0, "recipe", "train", "epochs")]
)
def test_a_recipe_of_another_version_does_not_keep_a_model_from_answering(change, saved, tmp_path):
    card = card_of(saved)
    change(card)
    assert load(rewritten(saved, tmp_path / "m.safetensors", json.dumps(card))).recipe is None


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_description_that_does_not_fit_is_refused(change, saved, tmp_path):
    card = card_of(saved)
    change(card)
    path = rewritten(saved, tmp_path / "m.safetensors", json.dumps(card))
    with pytest.raises(ModelError) as refusal:
        load(path)
    assert "\n" not in str(refusal.value)
    assert refusal.value.exit_code == 4


@pytest.mark.parametrize(
    "header", ["", "{", "null", "[]", "3", '"resnet20"', "{}", "[" * 100_000, '{"a":' * 50_000]
)
def test_a_description_that_is_none_is_refused(header, saved, tmp_path):
    with pytest.raises(ModelError, match="its description is damaged"):
        load(rewritten(saved, tmp_path / "m.safetensors", header))


def test_a_file_cut_off_anywhere_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")  # where the numbers begin
    lengths = {*range(12), *range(0, start + 20, start // 25), start - 1, start, start + 1}
    lengths |= {len(whole) * part // 10 for part in range(10)} | {len(whole) - 1, len(whole) - 4}
    path = tmp_path / "m.safetensors"
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError) as refusal:
            load(path)
        assert str(path) in str(refusal.value) and "\n" not in str(refusal.value), length


@given(data=st.data())
@examples(max_examples=80)
def test_a_changed_byte_in_the_description_is_refused_or_harmless(data, saved, own_cache):
    whole = bytearray(saved.read_bytes())
    start = 8 + int.from_bytes(whole[:8], "little")
    whole[data.draw(st.integers(0, start - 1), "position")] = data.draw(st.integers(0, 255), "byte")
    path = own_cache / "changed.safetensors"
    path.write_bytes(whole)
    try:
        found = load(path)
    except ModelError:
        return
    prediction = found.predict(noise(30, 20))
    assert set(prediction.scores) == set(found.classes)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04", b"\x80\x02}q\x00.", b"hi"])
def test_another_kind_of_file_is_refused(content, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"not a whole safetensors file|is a pickle"):
        load(tmp_path / "m.safetensors")


def test_no_file_a_folder_and_a_pickle(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        load(tmp_path / "no.safetensors")
    with pytest.raises(ModelError, match="is a folder"):
        load(tmp_path)
    (tmp_path / "m.pth").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ModelError, match="is a pickle"):
        load(tmp_path / "m.pth")


def test_somebody_elses_safetensors(tmp_path):
    path = tmp_path / "other.safetensors"
    write_tensors(path, {"a": torch.zeros(1)}, {"format": "pt"})
    with pytest.raises(ModelError) as refusal:
        load(path)
    expected = f"{path}: safetensors, but not a shortcut model (no class names in it)."
    assert str(refusal.value) == expected


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_tensors_that_do_not_fit_are_refused(change, saved, tmp_path):
    tensors, metadata = read_tensors(saved)
    if change == "missing":
        del tensors["fc.bias"]
    elif change == "extra":
        tensors["fc.extra"] = torch.zeros(1)
    else:
        tensors["conv1.weight"] = torch.zeros(16, 3, 7, 7)
    path = tmp_path / "m.safetensors"
    write_tensors(path, tensors, metadata)
    with pytest.raises(
        ModelError, match=f"^{re.escape(str(path))}: the weights do not fit the network"
    ):
        load(path)
