"""`shortcut suspects`: a wrong label among real trainings, and what is done with the list."""

import csv
import json
import shutil
from pathlib import Path

from tests.cli.conftest import Run
from tests.recipes import write_tiny_recipe


def plant(photos: Path) -> str:
    """One red picture among the blue ones, and its path there."""
    shutil.move(photos / "red" / "photo-00.png", photos / "blue" / "stray.png")
    return "blue/stray.png"


def test_a_wrong_label_comes_first_and_can_be_moved_in_a_training(
    shortcut: Run, tiny_photos: Path, tmp_path: Path
) -> None:
    stray, recipe = plant(tiny_photos), write_tiny_recipe(tmp_path)
    words = ["suspects", tiny_photos, "--recipe", recipe, "--folds", 2, "--output", "out"]
    words += ["--set", "train.epochs=8"]
    result = shortcut(*words, "--format", "json")
    assert result.code == 0, result
    found = json.loads(result.out)
    assert found["labels"] == 24 and found["suspects"][0]["path"] == stray
    assert found["suspects"][0]["answer"] == "red"
    assert "<fieldset" in Path("out/suspects.html").read_text("utf-8")

    again = shortcut(*words)  # what is finished is not trained again
    assert again.code == 0 and "epoch" not in again.err and stray in again.out

    rows = list(csv.reader(Path("out/suspects.csv").read_text("utf-8").splitlines()))
    assert all(row[1] == "keep" for row in rows[1:])
    rows[1][1] = "move"
    with Path("changes.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    train = ["train", tiny_photos, "--recipe", recipe, "--changes", "changes.csv"]
    trained = shortcut(*train, "--output", "run")
    assert trained.code == 0 and "0 pictures are left out, 1 have another label" in trained.err
    split = {
        r["path"]: r["class"]
        for r in csv.DictReader(Path("run/split.csv").read_text("utf-8").splitlines())
    }
    assert split[stray] == "red" and (tiny_photos / stray).exists()


def test_a_finished_run_is_ranked_without_training(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    assert shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--output", "run").code == 0
    result = shortcut("suspects", "run")
    assert result.code == 0 and "of 6 labels; " in result.out
    assert Path("suspects/run/suspects.csv").exists()


def test_what_cannot_be_is_told(shortcut: Run, tiny_photos: Path, tiny_recipe: Path) -> None:
    for words, code, said in (
        (["none"], 3, "no such folder"),
        ([tiny_photos, "--recipe", "fsat"], 2, "fast"),
        ([tiny_photos, "--recipe", tiny_recipe, "--folds", 1], 2, "folds"),
        ([tiny_photos, "--set", "data.val_fraction=0.2"], 2, "each fold is a val part"),
        ([tiny_photos / "red" / "photo-00.png"], 3, "photo-00.png"),
        ([tiny_photos, "--recipe", tiny_recipe, "--output", tiny_photos / "x"], 3, "data folder"),
    ):
        result = shortcut("suspects", *words)
        assert result.code == code and said in result.err, (words, result)
    Path("out").mkdir()
    Path("out/asked.txt").write_text("another question")
    result = shortcut("suspects", tiny_photos, "--recipe", tiny_recipe, "--output", "out")
    assert result.code == 5 and "holds trainings of other pictures" in result.last_error_line


def test_a_set_that_changed_is_not_answered_for_and_choices_are_kept(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    stray = plant(tiny_photos)
    words = ["suspects", tiny_photos, "--recipe", tiny_recipe, "--folds", 2, "--output", "out"]
    assert shortcut(*words).code == 0
    table = Path("out/suspects.csv")
    chosen = table.read_text("utf-8").replace('"keep"', '"drop"', 1)
    table.write_text(chosen, "utf-8")
    again = shortcut(*words, "--lang", "zh")
    assert again.code == 0 and "suspects-2.csv" in again.err
    assert table.read_text("utf-8") == chosen and Path("out/suspects-2.csv").exists()

    (tiny_photos / stray).unlink()
    result = shortcut(*words)
    assert result.code == 5 and "other pictures, labels or settings" in result.last_error_line
    assert "Traceback" not in result.err


def test_of_a_run_nothing_is_trained_and_nothing_written_among_its_pictures(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    assert shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--output", "run").code == 0
    result = shortcut("suspects", "run", "--folds", 3)
    assert result.code == 2 and "have no effect" in result.last_error_line
    result = shortcut("suspects", "run", "--output", tiny_photos / "suspects")
    assert result.code == 3 and "data folder" in result.last_error_line
    assert not (tiny_photos / "suspects").exists()
    Path("run/answers.csv").unlink()
    result = shortcut("suspects", "run")
    assert result.code == 4 and result.err.count("\n") == 1 and "answers.csv" in result.err
