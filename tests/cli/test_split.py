"""`shortcut split`, and a training on its table."""

import json
import shutil
from pathlib import Path

from tests.cli.conftest import Run


def test_a_split_is_written_shown_and_trained_on(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    result = shortcut("split", tiny_photos, "--val", 0.25)
    assert result.code == 0, result
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["splits/photos.csv"] and lines[1] == ["class", "train", "val", "test"]
    assert lines[-1][0] == "all" and sum(map(int, lines[-1][1:])) == 24
    words = ["--recipe", tiny_recipe, "--set", "data.val_fraction=null", "--quiet"]
    trained = shortcut("train", "splits/photos.csv", *words)
    assert trained.code == 0 and "test accuracy" in trained.out


def test_a_split_is_never_replaced(shortcut: Run, tiny_photos: Path) -> None:
    assert shortcut("split", tiny_photos).code == 0
    before = Path("splits/photos.csv").read_bytes()
    result = shortcut("split", tiny_photos, "--seed", 1)
    assert result.code == 5 and "is there already" in result.last_error_line
    assert Path("splits/photos.csv").read_bytes() == before


def test_folds_are_tables_each(shortcut: Run, tiny_photos: Path) -> None:
    words = ["--folds", 3, "--output", "folds", "--format", "json", "--quiet"]
    facts = json.loads(shortcut("split", tiny_photos, *words).out)
    assert [entry["file"] for entry in facts] == [f"folds/photos-{n}.csv" for n in (1, 2, 3)]
    assert facts[0]["groups"] == 24 and set(facts[0]["parts"]) == {"train", "val", "test"}


def test_what_cannot_be_is_told(shortcut: Run, tiny_photos: Path) -> None:
    for words, code, said in (
        (["--group-by", "moon"], 2, "moon"),
        (["--group-by", "column:x"], 3, "no table"),
        (["--output", tiny_photos / "splits"], 3, "nothing is written"),
        (["--folds", 1], 2, "1 folds"),
        (["--group-by", "folder"], 3, "group"),
    ):
        result = shortcut("split", tiny_photos, *words)
        assert result.code == code and said in result.last_error_line, words
    assert not Path("splits").exists()


def test_an_archive_is_to_be_unpacked_first(shortcut: Run, tiny_photos: Path) -> None:
    shutil.make_archive("photos", "zip", tiny_photos)
    result = shortcut("split", "photos.zip")
    assert result.code == 3 and "is an archive; unpack it" in result.last_error_line
