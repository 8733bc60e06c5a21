"""`shortcut compare`, on two real trainings: one that has hardly begun, and one that has learnt."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.pictures import digest_of, make_pictures
from tests.recipes import write_tiny_recipe

import shortcut as library
from shortcut.recipe import read_recipe


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, and `one` and `eight`: runs of so many epochs."""
    folder = tmp_path_factory.mktemp("runs")
    photos = make_pictures(folder / "photos", each=40)
    recipe = write_tiny_recipe(folder)
    for name, epochs, lr in (("one", 1, 1e-7), ("eight", 8, 0.01)):
        changes = {"train.epochs": epochs, "optim.lr": lr}
        library.train(photos, read_recipe(recipe, changes), output=folder / name)
    return folder


def test_tables_and_a_verdict_on_standard_output_all_else_beside(
    shortcut: Run, place: Path
) -> None:
    before = digest_of(place)
    result = shortcut("compare", place / "one", place / "eight")
    assert result.code == 0, result
    assert digest_of(place) == before and not any(Path().iterdir())
    *_, last = result.out.splitlines()
    assert last == "eight is better than one"
    for text in ("accuracy", "p = ", "blue", "train.epochs", "optim.lr", "269,202"):
        assert text in result.out, text
    assert "chose the best epoch of one and of eight" in result.err and "another seed" in result.err
    back = shortcut("compare", place / "eight", place / "one", "--quiet")
    assert back.out.splitlines()[-1] == "one is worse than eight" and back.err == ""


def test_json_equals_the_import(shortcut: Run, place: Path) -> None:
    words = ["compare", place / "one", place / "eight", "--format", "json"]
    facts = json.loads(shortcut(*words).out)
    found = library.compare([place / "one", place / "eight"])
    assert facts == found.as_dict() | {"page": None}
    (one,) = facts["comparisons"]
    assert one["verdict"] == "better" and one["p_value"] < 0.05 and facts["images"] == 20
    assert len(one["only_other"]) - len(one["only_first"]) == pytest.approx(20 * one["difference"])
    assert facts["settings"]["train.epochs"] == [1, 8]
    assert set(facts["settings"]) == {"train.epochs", "optim.lr"}
    first, other = facts["runs"]
    assert first["seconds"] > 0 and first["trained_on"] == 60
    assert first["bytes"] == (place / "one" / "best.safetensors").stat().st_size
    classifier = library.load(place / "eight" / "best.safetensors")
    files = [place / "photos" / name for name in one["only_other"]]
    assert all(classifier.predict(file).label == file.parent.name for file in files)
    assert other["accuracy"] == 1.0


def test_the_page_holds_the_pictures_and_speaks_chinese(shortcut: Run, place: Path) -> None:
    for lang, verdict, table in (
        ("en", "eight is better than one.", "Settings that differ"),
        ("zh", "eight 优于 one。", "不同的设置"),
    ):
        words = ["--output", f"deep/{lang}.html", "--lang", lang]
        result = shortcut("compare", place / "one", place / "eight", *words)
        assert result.code == 0 and f"deep/{lang}.html" in result.err
        page = Path(f"deep/{lang}.html").read_text("utf-8")
        text = re.sub(r"\s+", " ", page)
        assert verdict in text and table in text
        assert text.index(verdict) < text.index(table) < text.index("<img")
        facts = json.loads(
            shortcut("compare", place / "one", place / "eight", "--format", "json").out
        )
        (one,) = facts["comparisons"]
        assert page.count("<img") == len(one["only_first"]) + len(one["only_other"])


def test_other_pictures_may_be_given_also_for_a_model_file(
    shortcut: Run, place: Path, tiny_photos: Path
) -> None:
    lone = Path("lone.safetensors")
    lone.write_bytes((place / "one" / "best.safetensors").read_bytes())
    (tiny_photos / "red" / "broken.png").write_text("x")
    words = ["compare", lone, place / "eight", "--data", tiny_photos]
    result = shortcut(*words)
    assert result.code == 0 and "left out: " in result.err and "broken.png" in result.err
    assert "is not known" in result.err
    refused = shortcut("compare", lone, place / "eight")
    assert refused.code == 3 and "give `--data`" in refused.last_error_line
    refused = shortcut(*words, "--part", "test")
    assert refused.code == 3 and "has no test part" in refused.last_error_line


def test_nothing_is_written_in_a_data_folder(shortcut: Run, place: Path, tiny_photos: Path) -> None:
    runs = ["compare", place / "one", place / "eight"]
    for words in (
        ["--output", place / "photos" / "page.html"],
        ["--data", tiny_photos, "--output", tiny_photos / "page.html"],
    ):
        result = shortcut(*runs, *words)
        assert result.code == 3 and "nothing is written" in result.last_error_line
        assert result.out == ""
    assert not list(place.rglob("page.html")) and not list(tiny_photos.rglob("page.html"))


def test_what_cannot_be_is_told(shortcut: Run, place: Path) -> None:
    one, eight = place / "one", place / "eight"
    for words, code, said in (
        ([one], 2, "only one run"),
        ([one, one], 2, "given twice"),
        ([one, place / "photos"], 4, "not a run folder"),
        ([place, eight], 4, "not a run folder, but it holds some"),
        ([one, place / "none"], 4, "does not exist"),
        ([one, place / "tiny.yaml"], 4, "tiny.yaml"),
        ([one, eight, "--part", "val"], 2, "`--part val` has no effect without `--data`"),
        ([one, eight, "--data", place / "photoz"], 3, "Did you mean"),
    ):
        result = shortcut("compare", *words)
        assert result.code == code and said in result.last_error_line, (words, result)
        assert result.out == ""


def test_a_misspelt_flag_is_told(shortcut: Run, place: Path) -> None:
    result = shortcut("compare", place / "one", place / "eight", "--outptu", "page.html")
    assert result.code == 2 and "--output" in result.err and not Path("page.html").exists()


def test_a_page_has_the_ending_that_browsers_know(shortcut: Run, place: Path) -> None:
    result = shortcut("compare", place / "one", place / "eight", "--output", "page")
    assert result.code == 2 and "must end in .html" in result.last_error_line
    assert not Path("page").exists()


def test_other_labels_in_training_are_told(shortcut: Run, place: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(place / "one", tmp_path / "relabelled"))
    rows = list(csv.reader((other / "split.csv").read_text("utf-8").splitlines()))
    trained = [row for row in rows if row[2] == "train"][:2]
    for row in trained:
        row[1] = "red" if row[1] == "blue" else "blue"
    with (other / "split.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    result = shortcut("compare", place / "eight", other)
    assert "eight and relabelled were trained with different labels of 2 pictures" in result.err
    assert "different labels" not in shortcut("compare", place / "eight", place / "one").err
