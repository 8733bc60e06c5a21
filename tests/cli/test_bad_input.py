"""Every mistake gets one clear line and its exit code, and nothing is lost."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Result, Run

import shortcut as library

Start = Callable[..., subprocess.Popen[str]]


def complains(result: Result, code: int, *words: str) -> None:
    """The command ended with `code` and one line that has all `words`; no traceback, no result."""
    line = result.last_error_line
    assert result.code == code, result
    assert line.startswith("shortcut: "), result
    assert "Traceback" not in result.err
    assert result.out == ""
    for word in words:
        assert word in line, f"{word!r} is not in {line!r}"


def test_no_folder_offers_the_nearest(shortcut: Run, tiny_photos: Path) -> None:
    complains(
        shortcut("train", tiny_photos.parent / "fotos"), 3, "fotos", "no such folder", "photos"
    )


def test_empty_folder(shortcut: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    complains(shortcut("train", tmp_path / "empty"), 3, "empty", "no pictures")


def test_one_class(shortcut: Run, tiny_photos: Path) -> None:
    shutil.rmtree(tiny_photos / "red")
    complains(shortcut("train", tiny_photos), 3, "blue", "only one class")


def test_one_broken_file_among_many_is_named_and_left_out(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    (tiny_photos / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and then nothing")
    settings = ["--recipe", tiny_recipe, "--epochs", 1, "--set", "data.max_broken=0.1"]
    result = shortcut("train", tiny_photos, *settings, "--output", "run")
    assert result.code == 0, result
    assert "left out" in result.err and "broken.png" in result.err
    assert "train: 18 of 19 pictures can be read" in result.err
    assert "broken.png" in Path("run/log.txt").read_text("utf-8")
    assert "train 18, val 6" in Path("run/record.md").read_text("utf-8")


def test_broken_files_of_one_per_cent_and_more_stop(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    (tiny_photos / "red" / "broken.png").write_bytes(b"")
    result = shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--output", "run")
    complains(result, 3, "broken.png", "max_broken", "1 of")
    assert not Path("run").exists()


def test_text_named_jpg(shortcut: Run, tiny_photos: Path, tiny_recipe: Path) -> None:
    (tiny_photos / "red" / "note.jpg").write_text("buy milk")
    complains(shortcut("train", tiny_photos, "--recipe", tiny_recipe), 3, "note.jpg", "text file")


def test_class_missing_in_val(shortcut: Run, tiny_photos: Path, tmp_path: Path) -> None:
    data = tmp_path / "parts"
    shutil.copytree(tiny_photos, data / "train")
    shutil.copytree(tiny_photos / "red", data / "val" / "red")
    complains(shortcut("train", data), 3, "blue", "val")


def test_unknown_model_offers_the_nearest(shortcut: Run, tiny_photos: Path) -> None:
    complains(shortcut("train", tiny_photos, "--model", "resnet19"), 4, "resnet19", "resnet18")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--set", "optim.lrr=1"], ["optim.lrr", "Did you mean `optim.lr`?"]),
        (["--set", "optim.momentum=0.9"], ["optim.momentum", "no effect", "muon"]),
        (["--set", "lr"], ["KEY=VALUE"]),
        (["--epochs", "0"], ["train.epochs", "greater than or equal to 1"]),
        (["--image-size", "7"], ["data.image_size", "8"]),
        (["--lr", "-1"], ["optim.lr", "greater than 0"]),
        (["--opt", "adm"], ["optim", "adam"]),
        (["--recipe", "digit"], ["digit", "Did you mean `digits`?"]),
        (["--recipe", "none.yaml"], ["none.yaml", "No such file"]),
        (["--set", "augment.start_scale=0.9"], ["augment.start_scale", "above"]),
        (["--epochs", "5", "--budget", "1m"], ["`--epochs` and `--budget`", "give one"]),
        (["--set", "train.epochs=5", "--budget", "1m"], ["`--epochs` and `--budget`"]),
    ],
)
def test_bad_settings(
    shortcut: Run, tiny_photos: Path, words: list[str], expected: list[str]
) -> None:
    complains(shortcut("train", tiny_photos, *words), 2, *expected)
    assert not Path("runs").exists()


def test_misspelt_flag(shortcut: Run, tiny_photos: Path) -> None:
    result = shortcut("train", tiny_photos, "--epohcs", 3)
    assert result.code == 2
    assert "--epohcs" in result.err and "--epochs" in result.err


def test_size_that_a_network_does_not_take(shortcut: Run, tiny_photos: Path) -> None:
    words = ["--model", "resnet34_tutorial", "--image-size", 64]
    complains(shortcut("train", tiny_photos, *words), 4, "resnet34_tutorial", "107 to 234")
    growing = ["--recipe", "tutorial-cats-dogs", "--set", "augment.start_scale=0.3"]
    complains(shortcut("train", tiny_photos, *growing), 4, "resnet34_tutorial", "not 67")


def test_output_that_exists_is_never_overwritten(
    shortcut: Run, tiny_photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "precious.txt").write_text("x")
    complains(shortcut("train", tiny_photos, "--output", tmp_path / "old"), 5, "not empty")
    assert (tmp_path / "old" / "precious.txt").read_text() == "x"


def test_output_that_cannot_be_written(shortcut: Run, tiny_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    complains(shortcut("train", tiny_photos, "--output", tmp_path / "file" / "run"), 5, "written")


@pytest.mark.usefixtures("permissions_bind")
def test_read_only_output(shortcut: Run, tiny_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "fixed").mkdir(mode=0o500)
    result = shortcut("train", tiny_photos, "--output", tmp_path / "fixed" / "run")
    complains(result, 5, "fixed", "Permission denied")


def test_device_that_is_not_there(shortcut: Run, tiny_photos: Path) -> None:
    complains(shortcut("train", tiny_photos, "--device", "cuda:99"), 5, "cuda:99", "--device cpu")


def test_model_files(shortcut: Run, tiny_photos: Path, tmp_path: Path) -> None:
    picture = tiny_photos / "red" / "photo-00.png"
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "model.pth").write_bytes(b"\x80\x02")
    complains(shortcut("predict", tmp_path / "none.safetensors", picture), 4, "none.safetensors")
    complains(shortcut("predict", tmp_path / "text.safetensors", picture), 4, "text.safetensors")
    complains(shortcut("predict", tmp_path / "model.pth", picture), 4, "pickle")


def test_resume_of_what_is_no_run(shortcut: Run, tmp_path: Path) -> None:
    complains(shortcut("resume", tmp_path), 4, "not a run folder")


def test_named_set_without_download(shortcut: Run) -> None:
    complains(shortcut("train", "cifar10"), 3, "--download")


def test_loss_that_is_not_finite(shortcut: Run, tiny_photos: Path, tiny_recipe: Path) -> None:
    words = ["--recipe", tiny_recipe, "--lr", "1e30", "--opt", "sgd", "--output", "run"]
    complains(shortcut("train", tiny_photos, *words), 6, "loss", "--lr")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_ctrl_c(
    start: Start, tiny_photos: Path, tiny_recipe: Path, tmp_path: Path, moment: str
) -> None:
    run = tmp_path / "run"
    epochs = 100_000 if moment == "after" else 1
    words = ["--recipe", tiny_recipe, "--epochs", epochs, "--output", run]
    if moment == "before":
        words += ["--set", "data.image_size=512", "--set", "data.resize=512", "--batch-size", 2]
    process = start("train", tiny_photos, *words)
    awaited = run / ("results.csv" if moment == "after" else "recipe.yaml")
    lines = 4 if moment == "after" else 1
    deadline = time.monotonic() + 120
    while not (awaited.exists() and len(awaited.read_text().splitlines()) >= lines):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err and out == ""
    assert "interrupted" in err.splitlines()[-1]
    if moment == "after":
        assert str(run / "best.safetensors") in err and f"shortcut resume {run}" in err
        assert library.load(run / "best.safetensors").classes == ("blue", "red")
        assert (run / "curves.png").stat().st_size > 0


def test_ctrl_c_while_resuming_says_what_is_there(
    start: Start, shortcut: Run, tiny_photos: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--output", run).code == 0
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 3", "epochs: 100000"))
    process = start("resume", run)
    deadline = time.monotonic() + 120
    while len((run / "results.csv").read_text().splitlines()) < 6:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert str(run / "best.safetensors") in err.splitlines()[-1]


def test_unreadable_picture_is_named_and_the_others_are_answered(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--output", "run", "-q")
    (tiny_photos / "red" / "note.jpg").write_text("buy milk")
    model = "run/best.safetensors"
    result = shortcut("predict", model, tiny_photos / "red", "--format", "json")
    answers = json.loads(result.out)
    assert result.code == 3 and "note.jpg" in result.last_error_line
    assert len(answers) == 13 and [set(a) for a in answers].count({"file", "error"}) == 1
    complains(shortcut("predict", model, tiny_photos / "none.png"), 3, "none.png", "no such file")
    complains(shortcut("evaluate", model, tiny_photos), 3, "note.jpg")
