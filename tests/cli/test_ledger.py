"""Every look at test pictures is counted, whoever looks and whatever can be read."""

from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.pictures import make_pictures


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train and test, with one file in test that is no picture; nobody has looked yet."""
    monkeypatch.setenv("SHORTCUT_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "looked-at"
    for part, each in (("train", 12), ("test", 60)):
        make_pictures(root / part, each=each)
    (root / "test" / "red" / "broken.png").write_text("no picture")
    return root


def test_train_and_evaluate_keep_one_book(shortcut: Run, photos: Path, tiny_recipe: Path) -> None:
    words = ["train", photos, "--recipe", tiny_recipe]
    assert "measured on" not in shortcut(*words, "--output", "run").err
    found = shortcut("evaluate", "run/best.safetensors", photos)
    assert "measured on 2 times" in found.err
    assert (
        "measured on 3 times"
        in shortcut("evaluate", "run/best.safetensors", photos, "--part=all").err
    )
    assert "times" not in shortcut("evaluate", "run/best.safetensors", photos, "--part=train").err


def test_a_training_that_measures_on_test_looks_too(
    shortcut: Run, photos: Path, tiny_recipe: Path
) -> None:
    words = ["train", photos, "--recipe", tiny_recipe, "--output", "run"]
    words += ["--set", "data.validation=test", "--set", "data.val_fraction=null"]
    result = shortcut(*words)
    assert result.code == 0, result
    assert "measured on 2 times" in shortcut("evaluate", "run/best.safetensors", photos).err
