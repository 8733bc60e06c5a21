"""`shortcut check`, and a training that does without what it found."""

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Run


def test_it_prints_a_table_and_a_verdict_and_writes_the_page(
    shortcut: Run, tiny_photos: Path
) -> None:
    (tiny_photos / "red" / "broken.png").write_text("x")
    result = shortcut("check", tiny_photos)
    assert result.code == 0, result
    assert result.out.splitlines()[-1].startswith("photos, 25 pictures: not ready: 1 thing to mend")
    assert "files that cannot be read" in result.out
    assert "checks/photos.html" in result.err
    assert "<!doctype html>" in Path("checks/photos.html").read_text("utf-8")
    again = shortcut("check", tiny_photos, "--lang", "zh", "--quiet", "--output", "other/page.html")
    assert again.err == "" and "无法读取的文件" in again.out and Path("other/page.html").exists()


def test_strict_fails_where_there_is_something_to_mend(shortcut: Run, tiny_photos: Path) -> None:
    (tiny_photos / "red" / "broken.png").write_text("x")
    result = shortcut("check", tiny_photos, "--strict", "--format", "json")
    assert result.code == 1
    facts = json.loads(result.out)
    assert facts["findings"][0]["kind"] == "unreadable" and facts["page"] == "checks/photos.html"


def test_nothing_is_written_in_the_data_folder(shortcut: Run, tiny_photos: Path) -> None:
    for words in (
        ["--output", tiny_photos / "page.html"],
        ["--write-exclusions", tiny_photos / "x"],
    ):
        result = shortcut("check", tiny_photos, *words)
        assert result.code == 3 and "nothing is written" in result.last_error_line
        assert result.out == ""
    assert {path.name for path in tiny_photos.iterdir()} == {"blue", "red"}


def test_a_training_does_without_what_was_found(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    shutil.copy(tiny_photos / "red" / "photo-00.png", tiny_photos / "red" / "copy.png")
    (tiny_photos / "blue" / "broken.png").write_text("x")
    checked = shortcut("check", tiny_photos, "--write-exclusions", "out.csv")
    assert "2 exclusions" in checked.err
    words = ["--recipe", tiny_recipe, "--exclude", "out.csv", "--epochs", 1]
    result = shortcut("train", tiny_photos, *words)
    assert result.code == 0 and "2 pictures are left out, as out.csv says" in result.err
    split = Path("runs/resnet20-photos/split.csv").read_text("utf-8")
    assert split.count("\n") == 25 and "broken" not in split
    assert "left out" in Path("runs/resnet20-photos/log.txt").read_text("utf-8")
    assert shortcut("resume", "runs/resnet20-photos", "-q").code == 0


@pytest.mark.parametrize("text", ["file\n", "path\nnone.png\n"])
def test_a_list_of_something_else_is_refused(
    text: str, shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    Path("out.csv").write_text(text, "utf-8")
    result = shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--exclude", "out.csv")
    assert result.code == 3 and "out.csv" in result.last_error_line
    assert not Path("runs").exists()
