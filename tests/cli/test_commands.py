"""Each command does its job, on a data set that is learnt in a second."""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

import shortcut as library


def test_train_prints_json_on_standard_output_and_all_else_beside(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    result = shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--format", "json")
    found = json.loads(result.out)
    assert found["run"] == "runs/resnet20-photos"
    assert set(found["val"]) == {"accuracy", "interval", "images"}
    assert "epoch" in result.err
    again = shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--format", "json", "--quiet")
    assert json.loads(again.out)["run"] == "runs/resnet20-photos-2"
    assert again.err == ""


def test_what_a_training_reached_is_all_that_it_prints_on_standard_output(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    result = shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--quiet")
    assert re.fullmatch(r"val accuracy \d\.\d{4} \[.+\], 6 pictures\n", result.out)
    assert result.err == ""
    again = shortcut("resume", "runs/resnet20-photos")
    assert again.out == result.out
    assert "all 3 epochs are trained: measured and described again; `--epochs 6` " in again.err


def test_evaluate_equals_a_count_by_hand(shortcut: Run, run: Path, tiny_photos: Path) -> None:
    result = shortcut("evaluate", run / "best.safetensors", tiny_photos, "--format", "json")
    found = json.loads(result.out)
    classifier = library.load(run / "best.safetensors")
    files = sorted(tiny_photos.glob("*/*.png"))
    right = sum(classifier.predict(file).label == file.parent.name for file in files)
    assert (found["correct"], found["images"]) == (right, len(files))
    assert found["accuracy"] == right / len(files)
    assert (
        shortcut("val", run / "best.safetensors", tiny_photos, "--format", "json").out == result.out
    )


def test_evaluate_prints_tables_and_writes_the_matrix(
    shortcut: Run, run: Path, tiny_photos: Path
) -> None:
    words = ["evaluate", run / "best.safetensors", tiny_photos, "--output", "found"]
    result = shortcut(*words)
    assert "accuracy" in result.out and "24" in result.out
    assert "precision" in result.out and "blue" in result.out
    rows = list(csv.reader(Path("found/confusion_matrix.csv").read_text("utf-8").splitlines()))
    assert rows[0][1:] == ["blue", "red"]
    assert sum(int(cell) for row in rows[1:] for cell in row[1:]) == 24
    assert Path("found/confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_predict_in_every_form_and_from_python(shortcut: Run, run: Path, tiny_photos: Path) -> None:
    model, folder = run / "best.safetensors", tiny_photos / "red"
    answers = json.loads(shortcut("predict", model, folder, "--format", "json").out)
    classifier = library.load(model)
    for answer in answers:
        said = classifier.predict(answer["file"])
        assert said.label == answer["label"]
        assert said.score == pytest.approx(answer["score"], abs=1e-6)
    one = shortcut("predict", model, folder / "photo-00.png", "--format", "text").out
    score = f"{answers[0]['score']:.2f}"
    assert one == f"this picture might be: {answers[0]['label']} , score: {score}\n"
    table = list(
        csv.DictReader(io.StringIO(shortcut("predict", model, folder, "--format", "csv").out))
    )
    assert [row["label"] for row in table] == [answer["label"] for answer in answers]
    assert set(table[0]) == {*("file", "label", "sure", "unlike", "score", "blue", "red", "error")}
    plain = shortcut("predict", model, folder, folder / "photo-01.png").out
    assert plain.count("photo-01.png") == 2


def test_resume_of_a_finished_run_writes_the_record_in_chinese(shortcut: Run, run: Path) -> None:
    english = (run / "record.md").read_text("utf-8")
    weights = (run / "last.safetensors").read_bytes()
    assert shortcut("resume", run, "--lang", "zh").code == 0
    chinese = (run / "record.md").read_text("utf-8")
    assert "Hyper-parameters" in english and "超参数" in chinese
    assert (run / "last.safetensors").read_bytes() == weights


def test_models_and_recipes_are_listed(shortcut: Run) -> None:
    rows = {row["name"]: row for row in json.loads(shortcut("models", "--format", "json").out)}
    assert rows["resnet18"]["parameters"] == 11_689_512
    assert "resnet34_tutorial" in shortcut("models").out
    assert "digits" in json.loads(shortcut("recipes", "--format", "json").out)
    assert "tutorial-hotdog" in shortcut("recipes").out


def test_help_needs_no_torch(start: Callable[..., subprocess.Popen[str]]) -> None:
    code = "import sys; sys.argv = ['shortcut', 'train', '--help']\n"
    code += "from shortcut.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules), 'help waits for torch'"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    out, _ = start("--help").communicate(timeout=60)
    assert all(command in out for command in ("train", "evaluate", "predict", "resume"))


def test_a_limit_of_errors_is_kept_in_the_model_and_obeyed(
    shortcut: Run, run: Path, tiny_photos: Path
) -> None:
    model = run / "best.safetensors"
    plain = json.loads(shortcut("predict", model, tiny_photos, "--format", "json").out)
    assert all(answer["sure"] for answer in plain)
    result = shortcut("evaluate", model, tiny_photos, "--max-error", "40%", "--output", "found")
    assert result.code == 0 and "sure from a score of " in result.err
    assert re.search(r"sure of \d+ of 24 pictures \(.+%\)", result.out)
    assert Path("found/reliability.png").exists() and Path("found/confusion_matrix.png").exists()
    limit = library.load(model).sure_from
    assert 0 < limit <= 1
    again = json.loads(shortcut("evaluate", model, tiny_photos, "--format", "json").out)
    assert again["sure_from"] == pytest.approx(limit) and again["images"] == 24
    classifier = library.load(model)
    classifier.sure_from = 1.0
    classifier.save(model)
    answers = json.loads(shortcut("predict", model, tiny_photos, "--format", "json").out)
    assert {answer["sure"] for answer in answers} <= {False, answers[0]["score"] >= 1}
    unsure = shortcut("predict", model, tiny_photos / "red")
    assert "not sure (perhaps " in unsure.out
    assert "not sure (perhaps " in shortcut("predict", model, tiny_photos, "--format", "text").out


@pytest.mark.parametrize("share", ["0", "100%", "two", "-1%", "%"])
def test_what_is_no_share_is_told(share: str, shortcut: Run, run: Path, tiny_photos: Path) -> None:
    words = ["evaluate", run / "best.safetensors", tiny_photos, f"--max-error={share}"]
    result = shortcut(*words)
    assert result.code == 2 and share in result.last_error_line


def test_a_limit_that_cannot_be_held_is_told_and_one_can_be_taken_back(
    shortcut: Run, run: Path, tiny_photos: Path
) -> None:
    model = run / "best.safetensors"
    result = shortcut("evaluate", model, tiny_photos, "--max-error", "0.1%")
    assert result.code == 3 and "is high enough for at most 0.10%" in result.last_error_line
    assert result.out == "" and library.load(model).sure_from == 0
    classifier = library.load(model)
    classifier.sure_from = 0.9
    classifier.save(model)
    assert shortcut("evaluate", model, tiny_photos, "--max-error", "none").code == 0
    assert library.load(model).sure_from == 0
    answers = shortcut("predict", model, tiny_photos / "red", "--format", "csv").out
    assert answers.startswith("file,label,sure,unlike,score,") and ",yes,," in answers
    inside = shortcut("evaluate", model, tiny_photos, "--output", tiny_photos / "x")
    assert inside.code == 3 and "nothing is written" in inside.last_error_line


def test_the_version_is_told(shortcut: Run) -> None:
    result = shortcut("--version")
    assert result.code == 0 and re.fullmatch(r"shortcut \d+\.\d+\.\d+\n", result.out)


def test_a_run_folder_stands_for_its_best_model(
    shortcut: Run, run: Path, tiny_photos: Path
) -> None:
    model = run / "best.safetensors"
    for words in (["evaluate", tiny_photos], ["predict", tiny_photos / "red"]):
        command, data = words
        assert shortcut(command, run, data).out == shortcut(command, model, data).out != ""
    assert shortcut("evaluate", run, tiny_photos, "--max-error", "40%").code == 0
    assert library.load(model).sure_from > 0


def test_a_run_without_a_model_is_told(shortcut: Run, run: Path, tiny_photos: Path) -> None:
    (run / "best.safetensors").unlink()
    for words in (["evaluate", run, tiny_photos], ["predict", run, tiny_photos]):
        result = shortcut(*words)
        assert result.code == 4 and "holds no best.safetensors yet" in result.last_error_line
        assert result.err.count("\n") == 1 and result.out == ""
    result = shortcut("evaluate", tiny_photos, tiny_photos)
    assert result.code == 4 and "not a run folder" in result.last_error_line
