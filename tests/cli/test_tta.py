"""More views of each picture, asked for on the command line."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from shortcut import load, read_recipe
from shortcut.tta import with_tta


@pytest.fixture
def model(run: Path, tmp_path: Path) -> Path:
    """One that knows mirror images, whatever the tiny recipe says."""
    classifier = load(run / "best.safetensors")
    classifier.recipe = read_recipe("fast")
    classifier.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("way", ["none", "flip", "crops", "unsure"])
def test_predict_and_evaluate_ask_more_views(
    way: str, shortcut: Run, model: Path, tiny_photos: Path
) -> None:
    said = json.loads(shortcut("predict", model, tiny_photos, "--tta", way, "--format=json").out)
    asked = with_tta(load(model), way)  # type: ignore[arg-type]
    assert len(said) == 24
    for answer in said[::5]:
        scores = asked.predict(Path(answer["file"])).scores
        assert answer["scores"] == pytest.approx(scores, abs=1e-6)
    words = ("evaluate", model, tiny_photos, "--tta", way)
    found = json.loads(shortcut(*words, "--format=json").out)
    right = sum(answer["label"] == Path(answer["file"]).parent.name for answer in said)
    assert (found["tta"], found["images"]) == (way, 24)
    assert found["accuracy"] == pytest.approx(right / 24)
    assert f"with `--tta {way}`" in shortcut(*words).err


def test_what_cannot_be_asked_is_told_in_a_line(
    shortcut: Run, model: Path, tiny_photos: Path
) -> None:
    words = ["evaluate", model, tiny_photos, "--tta", "flip", "--max-error", "40%"]
    result = shortcut(*words)
    assert result.code == 2 and "not both" in result.last_error_line
    classifier = load(model)
    classifier.recipe = read_recipe("digits")
    classifier.save(model)
    result = shortcut("predict", model, tiny_photos, "--tta", "flip")
    assert result.code == 2 and "trained without mirror images" in result.last_error_line
    assert result.out == "" and result.err.count("\n") == 1
    assert shortcut("predict", model, tiny_photos, "--tta", "twice").code == 2
