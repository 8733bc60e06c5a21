"""`shortcut explain`: plates, places, refusals."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.classifier.made import make
from tests.cli.conftest import Run
from tests.cues import cue_classifier, make_cued
from tests.pictures import digest_of

import shortcut as library
from shortcut.events import run_silently
from shortcut.explanation import explaining


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Of the table of networks, untrained: 8 x 8 cells of 32 pixels."""
    path = tmp_path / "model.safetensors"
    make(size=32, classes=("cat", "dog", "猫")).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two files of one name, one of another, one that is none."""
    folder = tmp_path / "photos"
    for place, seed in (("a.png", 0), ("more/A.png", 1), ("猫.png", 2)):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_cued(seed).pixels).save(path)
    (folder / "broken.png").write_text("x")
    return folder


def test_a_plate_a_picture_and_a_row(shortcut: Run, model: Path, photos: Path) -> None:
    before = digest_of(photos)
    result = shortcut("explain", model, photos)
    assert result.code == 3 and "broken.png" in result.last_error_line
    assert "explanations" in result.err
    head, *rows = result.out.splitlines()
    assert head.split() == ["picture", "label", "score", "grad-cam", "occlusion", "file"]
    assert len(rows) == 3 and "broken" not in result.out
    assert all("half of the heat" in row or "speaks for it" in row for row in rows)
    names = {path.name for path in Path("explained").iterdir()}
    assert names == {"a-explained.png", "A-explained-2.png", "猫-explained.png"}
    for path in Path("explained").iterdir():
        with Image.open(path) as image:
            assert image.size == (1350, 585)
    assert digest_of(photos) == before


def test_json_says_the_same_as_predict_and_as_the_library(
    shortcut: Run, model: Path, photos: Path
) -> None:
    file = photos / "a.png"
    words = ["--format", "json"]
    (answer,) = json.loads(shortcut("predict", model, file, *words).out)
    (found,) = json.loads(shortcut("explain", model, file, "--output", "here", *words).out)
    assert {key: answer[key] for key in ("file", "label", "sure", "score")}.items() <= found.items()
    assert found["explained"] == {"label": answer["label"], "score": answer["score"]}
    assert found["plate"] == str(Path("here/a-explained.png")) and Path(found["plate"]).exists()
    assert set(found["maps"]) == {"grad-cam", "occlusion"}
    classifier = library.load(model)
    heat = library.grad_cam(classifier, [classifier.pixels(file)])[0]
    x, y = found["maps"]["grad-cam"]["hottest"]
    assert heat[y, x] == 1


def test_a_class_that_is_not_the_answer(shortcut: Run, model: Path, photos: Path) -> None:
    file, words = photos / "a.png", ["--method", "grad-cam", "--format", "json"]
    (answer,) = json.loads(shortcut("predict", model, file, "--format", "json").out)
    other = next(name for name in ("cat", "dog") if name != answer["label"])
    (found,) = json.loads(shortcut("explain", model, file, "--class", other, *words).out)
    assert found["explained"] == {"label": other, "score": answer["scores"][other]}
    assert found["label"] == answer["label"] and set(found["maps"]) == {"grad-cam"}
    assert Path(found["plate"]).name == f"a-explained-{other}.png"
    with Image.open(found["plate"]) as image:
        assert image.size == (900, 585)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("dgo", "Did you mean `dog`?"), ("elephant", "It knows: cat, dog, 猫.")],
)
def test_a_class_that_there_is_not(
    wanted: str, said: str, shortcut: Run, model: Path, photos: Path
) -> None:
    result = shortcut("explain", model, photos, "--class", wanted)
    assert result.code == 2 and result.last_error_line.endswith(said)
    assert not Path("explained").exists()


def test_an_export_is_explained_by_the_server(shortcut: Run, photos: Path) -> None:
    Path("model.xml").write_text("<net/>")
    result = shortcut("explain", "model.xml", photos)
    assert result.code == 4 and "`shortcut serve` shows where" in result.last_error_line
    assert not Path("explained").exists()


def test_nothing_is_written_among_the_pictures(shortcut: Run, model: Path, photos: Path) -> None:
    before = digest_of(photos)
    for given, output in (
        (photos, photos),
        (photos, photos / "explained"),
        (photos / "a.png", photos),
        (photos / "a.png", photos / "more" / ".."),
    ):
        result = shortcut("explain", model, given, "--output", output)
        assert result.code == 3 and "nothing is written" in result.last_error_line
    assert digest_of(photos) == before


def test_a_picture_on_standard_input(
    shortcut: Run, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = (photos / "a.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(read)))
    result = shortcut("explain", model, "-", "--method", "grad-cam")
    assert result.code == 0 and Path("explained/standard-input-explained.png").exists()


def test_names_that_are_too_long_for_a_second_ending(
    shortcut: Run, model: Path, photos: Path
) -> None:
    for last in "ab":
        shutil.copy(photos / "a.png", photos / ("猫" * 83 + f"{last}.png"))
    found = sorted(photos.glob("猫猫*"))
    result = shortcut("explain", model, *found, "--method", "grad-cam", "--format", "json")
    assert result.code == 0
    assert len({Path(one["plate"]).name for one in json.loads(result.out)}) == 2


def test_of_unsure_pictures_it_is_said_that_maps_know_no_mirror(
    shortcut: Run, model: Path, photos: Path
) -> None:
    asked = library.load(model)
    asked.mirror_below = 0.9
    asked.save(model)
    result = shortcut("explain", model, photos / "a.png", "--method", "grad-cam")
    assert result.code == 0 and "the mirror image has a say" in " ".join(result.err.split())


def test_where_no_place_matters_that_is_said(shortcut: Run, model: Path, photos: Path) -> None:
    sure = library.load(model)
    sure.model.fc.bias.data[0] = 1000
    sure.model.fc.weight.data[0] = -1
    sure.model.fc.weight.data[1:] = 0
    sure.save(model)
    result = shortcut("explain", model, photos / "a.png")
    assert result.code == 0
    assert "nothing speaks for it" in result.out and "no place matters by itself" in result.out


def test_the_place_is_that_of_what_decides(tmp_path: Path) -> None:
    places = {}
    for seed in range(8):
        cued = make_cued(seed)
        path = tmp_path / f"{seed}.png"
        Image.fromarray(cued.pixels).save(path)
        places[path] = cued
    story = explaining(cue_classifier(), list(places), tmp_path / "plates", methods=["grad-cam"])
    for one in run_silently(story):
        spot = one.spots["grad-cam"]
        assert spot is not None and places[one.file].holds(*spot.hottest)


def test_a_long_name_is_cut_to_what_a_disk_takes(
    shortcut: Run, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    for name in ("𠮷" * 62, "x" * 250):
        Image.fromarray(make_cued(0).pixels).save(folder / f"{name}.png")
    result = shortcut("explain", model, folder, "--output", "here", "--method", "grad-cam")
    assert result.code == 0, result
    assert len(list(Path("here").iterdir())) == 2
