"""`shortcut summary` and `shortcut models`, as a person would type them."""

import csv
import io
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run

import shortcut as library
from shortcut.classifier import Classifier
from shortcut.data.preprocess import Preprocess
from shortcut.models import list_models

GOLDEN = Path(__file__).parents[1] / "golden" / "summary" / "resnet34-2-classes.txt"


def test_the_tutorials_layer_table_byte_for_byte(shortcut: Run) -> None:
    result = shortcut("summary", "resnet34", "--classes", 2, "--style", "layers")
    assert (result.code, result.err) == (0, "")
    assert result.out.encode() == GOLDEN.read_bytes()


def test_the_tree_is_the_default_and_shows_where_a_shortcut_adds(shortcut: Run) -> None:
    out = shortcut("summary", "resnet18").out
    assert out.count("+ shortcut") == 8
    assert "11,689,512 parameters, 0 of them frozen" in out
    assert "1,814,073,344 multiply-adds" in out


def test_depth_folds_the_tree(shortcut: Run) -> None:
    folded = shortcut("summary", "resnet18", "--depth", 1).out
    assert "layer4" in folded and "conv2" not in folded
    assert "conv2" in shortcut("summary", "resnet18", "--depth", 3).out


def test_stages_of_several_networks_stand_side_by_side(shortcut: Run) -> None:
    out = shortcut("summary", "resnet50", "resnet101", "--style", "stages").out
    head = next(line for line in out.splitlines() if "resnet50" in line)
    assert "resnet101" in head
    assert "3.8 x 10^9" in out and "7.6 x 10^9" in out and "v1.5" in out


def test_a_stem_that_was_chosen_by_the_size_is_said(shortcut: Run) -> None:
    assert (
        "`resnet18`: with the stem for pictures of 64 pixels"
        in shortcut("summary", "resnet18", "--image-size", 64, "--depth", 0).err
    )
    assert shortcut("summary", "resnet18", "--image-size", 65, "--depth", 0).err == ""
    shortcut("diagram", "resnet18", "--image-size", 64, "--output", "a.svg")
    assert "residual blocks, small stem" in Path("a.svg").read_text("utf-8")


def test_memory_is_told_for_a_batch_in_training(shortcut: Run) -> None:
    words = ("summary", "resnet20", "--batch", 32, "--train")
    assert "kept for the backward pass of 32 pictures" in shortcut(*words).out


def test_chinese(shortcut: Run) -> None:
    for style in ("tree", "stages"):
        assert "参数" in shortcut("summary", "resnet20", "--style", style, "--lang", "zh").out


def test_json_holds_every_row_as_a_record(shortcut: Run) -> None:
    found = json.loads(shortcut("summary", "resnet20", "plain20", "--format", "json").out)
    assert [network["network"] for network in found] == ["resnet20", "plain20"]
    assert found[0]["parameters"] == 269_722
    assert sum(row["kind"] == "Add" for row in found[0]["rows"]) == 9
    assert not any(row["kind"] == "Add" for row in found[1]["rows"])
    stages = json.loads(
        shortcut("summary", "resnet18", "--style", "stages", "--format", "json").out
    )
    assert stages[0]["stages"][1]["name"] == "conv2_x"


@pytest.mark.parametrize("style", ["tree", "layers", "stages"])
def test_csv_and_markdown(shortcut: Run, style: str) -> None:
    rows = list(
        csv.reader(
            io.StringIO(shortcut("summary", "resnet20", "--style", style, "--format", "csv").out)
        )
    )
    assert len({len(row) for row in rows}) == 1
    text = shortcut("summary", "resnet20", "--style", style, "--format", "markdown").out
    assert text.startswith("| ") and "\n|---" in text


def test_csv_is_for_programs(shortcut: Run) -> None:
    out = shortcut("summary", "resnet18", "resnet34", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["network"] for row in rows} == {"resnet18", "resnet34"}
    assert "layer4.2.downsample.0" not in {row["name"] for row in rows}
    assert {"layer4.0.downsample.0", "layer1.0.add"} <= {row["name"] for row in rows}
    (row,) = (r for r in rows if r["network"] == "resnet34" and r["name"] == "layer1.0.conv1")
    assert (row["parameters"], row["output"], row["kernel"]) == ("36864", "64x56x56", "3x3")


def test_files_of_one_name_in_two_folders(shortcut: Run) -> None:
    for folder, network in (("a", "resnet20"), ("b", "resnet32")):
        model = library.create_model(network, num_classes=2)
        Classifier(model, network, "small", ("x", "y"), Preprocess(32, 32)).save(
            Path(folder, "best.safetensors")
        )
    files = ("a/best.safetensors", "b/best.safetensors")
    found = json.loads(shortcut("summary", *files, "--format", "json").out)
    assert [one["network"] for one in found] == list(files)
    assert found[0]["parameters"] < found[1]["parameters"]
    out = shortcut("summary", *files, "--depth", 0).out
    assert all(file in out for file in files)


def test_a_model_file_has_its_own_classes_and_size(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--output", "run")
    file = Path("run/best.safetensors")
    found = json.loads(shortcut("summary", file, "--format", "json").out)
    assert found[0]["network"] == "run/best.safetensors"
    assert found[0]["image_size"] == 16
    assert found[0]["rows"][-1]["output"] == [2]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("resnet8",), 4, "unknown model `resnet8`. Did you mean `resnet18`?"),
        (("none.safetensors",), 4, "none.safetensors"),
        (("resnet18", "--depth", 1, "--style", "layers"), 2, "`--depth` has no effect"),
        (("resnet18", "--batch", 2, "--style", "stages"), 2, "no effect on `--style stages`"),
        (("resnet18", "--depth", 1, "--format", "json"), 2, "which has every row"),
        (("resnet18", "--train", "--format", "csv"), 2, "no effect on `--format csv`"),
        (("resnet18", "--image-size", 8, "--train"), 4, "Take a larger `--batch`"),
        (("resnet34_tutorial", "--image-size", 64), 4, "pictures of 107 to 234 pixels, not 64"),
    ],
)
def test_mistakes_are_one_line(
    shortcut: Run, words: tuple[object, ...], code: int, part: str
) -> None:
    result = shortcut("summary", *words)
    assert result.code == code, result
    assert part in result.err and len(result.err.strip().splitlines()) == 1
    assert result.out == ""


def test_models_lists_all_or_some(shortcut: Run) -> None:
    rows = json.loads(shortcut("models", "--format", "json").out)
    assert [row["name"] for row in rows] == list_models() == library.list_models()
    some = shortcut("models", "resnet50", "resnet56").out
    assert "76.13" in some and "80.86" in some and "2015" in some and "resnet18" not in some
    assert shortcut("models", "resnet5000").code == 4


def test_models_measures_this_machine(shortcut: Run) -> None:
    row = json.loads(shortcut("models", "resnet20", "--measure", "--format", "json").out)[0]
    assert row["train_images_per_second"] > 0 and row["predict_images_per_second"] > 0
    assert "train/s" in shortcut("models", "resnet20", "--measure").out


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_diagram_is_written_and_named(shortcut: Run, ending: str) -> None:
    result = shortcut("diagram", "resnet18", "resnet34", "--output", f"a.{ending}", "--lang", "en")
    assert (result.code, result.out, result.err) == (0, f"a.{ending}\n", "")
    assert Path(f"a.{ending}").stat().st_size > 5_000


def test_a_diagram_replaces_only_by_force(shortcut: Run) -> None:
    Path("a.svg").write_text("mine")
    result = shortcut("diagram", "resnet18", "--output", "a.svg")
    assert result.code == 5 and "`--force`" in result.last_error_line
    assert Path("a.svg").read_text() == "mine"
    assert shortcut("diagram", "resnet18", "--output", "a.svg", "--force").code == 0
    assert Path("a.svg").read_text("utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["resnet18", "--output", "a.gif"], 2, "Choose .svg, .png or .pdf"),
        (["resnet19", "--output", "a.svg"], 4, "resnet18"),
        (["resnet18", "none.safetensors", "--output", "a.svg"], 4, "none.safetensors"),
        (
            ["resnet34_tutorial", "--output", "a.svg", "--image-size", "32"],
            4,
            "107 to 234 pixels, not 32",
        ),
    ],
)
def test_mistakes_of_a_diagram_are_one_line(
    shortcut: Run, words: list[str], code: int, said: str
) -> None:
    result = shortcut("diagram", *words)
    assert (result.code, result.out) == (code, "")
    assert said in result.err and result.err.count("\n") == 1
    assert not Path("a.svg").exists()
