"""`--track`: curves elsewhere too."""

import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("tracker", "package"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow")]
)
def test_a_missing_package_is_named_before_anything_is_done(
    tracker: str,
    package: str,
    shortcut: Run,
    tiny_photos: Path,
    tiny_recipe: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    given = ["--recipe", tiny_recipe, "--output", "run", "--track", tracker]
    result = shortcut("train", tiny_photos, *given)
    assert result.code == 5
    assert f"`--track {tracker}` needs" in result.last_error_line
    assert f"pip install 'shortcut[{tracker}]'" in result.last_error_line
    assert len(result.err.strip().splitlines()) == 1
    assert not Path("run").exists()


def test_an_unknown_tracker_is_refused(shortcut: Run, tiny_photos: Path) -> None:
    result = shortcut("train", tiny_photos, "--track", "paper")
    assert result.code == 2 and "tensorboard" in result.err


def test_train_and_resume_write_the_same_curves(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    from tests.tracking.reading import scalars

    # Given twice it tracks once.
    given = ["--output", "run", "--log-interval", 1, *["--track", "tensorboard"] * 2]
    result = shortcut("train", tiny_photos, "--recipe", tiny_recipe, *given)
    assert result.code == 0, result
    assert len(list(Path("run/tensorboard").iterdir())) == 1
    result = shortcut("resume", "run", "--epochs", 4, "--track", "tensorboard", "--quiet")
    assert result.code == 0 and result.err == "", result
    assert [place for place, _ in scalars(Path("run"))["step/loss"]] == list(range(1, 13))


def test_without_it_nothing_is_written(shortcut: Run, tiny_photos: Path, tiny_recipe: Path) -> None:
    assert shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--output", "run").code == 0
    names = {path.name for path in Path("run").iterdir()}
    assert not names & {"tensorboard", "mlflow.json", "tracking.json"}
