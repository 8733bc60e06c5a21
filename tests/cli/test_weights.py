"""`shortcut import-weights`, `shortcut export`: the ways in and out, a line for each mistake."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.cli.conftest import Result, Run
from tests.formats.networks import difference, made, shaken
from tests.models.files import Armed, Hungry, inflating, pickled, small_state
from torch import Tensor, nn
from torchvision import models as reference

import shortcut as library
from shortcut.models.foreign import LARGEST_FILE
from shortcut.models.tensorfiles import write_tensors


def complaint(result: Result, code: int) -> str:
    """The one line that a command left which ended with `code`."""
    assert (result.code, result.out) == (code, ""), result
    (line,) = result.err.splitlines()
    assert line.startswith("shortcut: ")
    return line.removeprefix("shortcut: ")


def done(result: Result) -> str:
    """What a command printed that went well and had nothing to remark."""
    assert (result.code, result.err) == (0, ""), result
    return result.out


@pytest.fixture(scope="module")
def small() -> dict[str, Tensor]:
    """The state of a resnet20 for 3 classes."""
    return made("resnet20").model.state_dict()


@pytest.fixture
def small_file(shortcut: Run, small: dict[str, Tensor]) -> Path:
    """It, as `net.safetensors` in the working folder."""
    write_tensors(Path("net.safetensors"), small, {})
    return Path("net.safetensors")


# The ways, as a person types them.


def test_in_used_and_out_again(shortcut: Run, tiny_photos: Path) -> None:
    torch.manual_seed(0)
    theirs = shaken(reference.resnet18(num_classes=2))
    torch.save(theirs.state_dict(), "best.pth")
    assert done(shortcut("import-weights", "best.pth", "--classes", "cat, dog")) == (
        "resnet18, standard stem, 2 classes (cat, dog), 11,177,538 parameters -> best.safetensors\n"
    )
    ours = library.load("best.safetensors")
    assert difference(theirs, ours.model) == 0.0

    picture = tiny_photos / "red" / "photo-00.png"
    result = shortcut("predict", "best.safetensors", picture, "--format", "json")
    (answer,) = json.loads(result.out)
    assert answer["label"] == ours.predict(picture).label in ("cat", "dog")

    assert done(shortcut("export", "best.safetensors", "--to", "torchvision")) == (
        "best-torchvision.safetensors: for torchvision.models.resnet18(num_classes=2)\n"
    )
    again: nn.Module = reference.resnet18(num_classes=2)
    again.load_state_dict(load_file("best-torchvision.safetensors"), strict=True)
    assert difference(theirs, again.eval()) == 0.0
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_results_as_json(shortcut: Run, small: dict[str, Tensor]) -> None:
    Path("run 7.pth").write_bytes(pickled({"epoch": 9, "model_ema": small}))
    words = ["--model", "resnet20", "--image-size", 32, "--format", "json"]
    assert json.loads(done(shortcut("import-weights", "run 7.pth", *words))) == {
        "network": "resnet20",
        "stem": "small",
        "classes": ["class 0", "class 1", "class 2"],
        "parameters": 269_267,
        "image_size": 32,
        "resize": 37,
        "entry": "model_ema",
        "output": "run 7.safetensors",
    }
    made("resnet18").save("own.safetensors")
    words = ["--to", "torchvision", "--output", "new/out.pth", "--format", "json"]
    assert json.loads(done(shortcut("export", "own.safetensors", *words))) == {
        "network": "resnet18",
        "classes": 3,
        "output": "new/out.pth",
    }
    assert "fc.weight" in torch.load("new/out.pth", weights_only=True)


def test_class_names_from_a_text_file(shortcut: Run, small_file: Path) -> None:
    Path("names.txt").write_text("猫\n\n big dog \r\nhare\n", "utf-8-sig")
    words = ["--classes", "names.txt", "--model", "plain20", "--image-size", 32, "--resize", 32]
    said = done(shortcut("import-weights", small_file, *words, "--output", "new/ours.safetensors"))
    assert said.startswith("plain20, small stem, 3 classes (猫, big dog, ...), ")
    ours = library.load("new/ours.safetensors")
    assert ours.classes == ("猫", "big dog", "hare")
    assert (ours.preprocess.image_size, ours.preprocess.resize) == (32, 32)


def test_a_size_that_is_unlikely_is_remarked(shortcut: Run, small_file: Path) -> None:
    words = ["--model", "resnet20", "--output", "ours.safetensors"]
    result = shortcut("import-weights", small_file, *words)
    assert result.out.endswith("-> ours.safetensors\n")
    assert "its stem is for pictures of 64 pixels and less: say with `--image-size`" in result.err


def test_an_old_export_is_replaced_by_force_only(shortcut: Run) -> None:
    made("resnet18").save("own.safetensors")
    Path("own-torchvision.safetensors").write_text("precious")
    words = ["export", "own.safetensors", "--to", "torchvision"]
    assert complaint(shortcut(*words), 5) == (
        "`own-torchvision.safetensors` exists. Name another file, or replace it with `--force`."
    )
    assert Path("own-torchvision.safetensors").read_text() == "precious"
    done(shortcut(*words, "--force"))
    assert len(load_file("own-torchvision.safetensors")) == 122


# The mistakes. Every file is called net.pth.

NOT_RUN = "Nothing in it was run."
REFUSED = "`net.pth` is refused: "


PICKLES: dict[str, tuple[Callable[[dict[str, Tensor]], bytes], list[str]]] = {
    "code": (
        lambda small: pickled({**small, "fc.bias": Armed(Path("sprung"))}),
        [REFUSED, "it asks for `posix.mkdir`, which is more than tensors.", NOT_RUN],
    ),
    "code, old format": (
        lambda small: pickled({**small, "fc.bias": Armed(Path("sprung"))}, zipped=False),
        [REFUSED, "it asks for `posix.mkdir`, which is more than tensors.", NOT_RUN],
    ),
    "bomb": (lambda small: pickled({**small, "fc.bias": Hungry()}), [REFUSED, NOT_RUN]),
    "zip bomb": (lambda _: inflating(300 << 20), [REFUSED, NOT_RUN]),
    "sparse": (
        lambda small: pickled({**small, "fc.weight": torch.eye(3).to_sparse()}),
        [REFUSED, "`fc.weight` is no dense tensor of plain numbers (sparse_coo float32)."],
    ),
    "cut short": (
        lambda small: pickled(small)[:100_000],
        [REFUSED, "it is cut short or damaged, or it holds more than tensors.", NOT_RUN],
    ),
    "a whole network": (
        lambda _: pickled(nn.Linear(2, 2)),
        [REFUSED, "more than tensors", "`torch.save(model.state_dict(), FILE)`"],
    ),
    "no state dict": (lambda _: pickled([1, 2]), [REFUSED, "it holds one list, no state dict."]),
    "other names": (
        lambda small: pickled({f"net.{name}": tensor for name, tensor in small.items()}),
        ["net.pth: the weights do not fit `resnet20`", "missing (`conv1.weight`, `bn1.weight`"],
    ),
    "little": (lambda _: pickled(small_state()), ["1 of another shape (`conv1.weight` (4, 3, 3,"]),
    "a page": (lambda _: b"<html>404</html>", ["`net.pth` holds no weights"]),
    "empty": (lambda _: b"", ["`net.pth` holds no weights"]),
}


# torch tells of the check that it makes of sparse tensors.
@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants:UserWarning")
@pytest.mark.parametrize("kind", PICKLES)
def test_files_that_cannot_be_taken(shortcut: Run, small: dict[str, Tensor], kind: str) -> None:
    content, words = PICKLES[kind]
    Path("net.pth").write_bytes(content(small))
    said = complaint(shortcut("import-weights", "net.pth", "--model", "resnet20"), 4)
    for word in words:
        assert word in said
    assert [path.name for path in Path().iterdir()] == ["net.pth"]  # no trap, no half a model


def test_a_huge_file(shortcut: Run) -> None:
    with Path("net.pth").open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(LARGEST_FILE + 1)  # a hole: it takes no room on the disk
    said = complaint(shortcut("import-weights", "net.pth"), 4)
    assert said == "`net.pth` has 8,589,934,593 bytes, more than any network here could fill."


def test_half_a_file_and_a_shortcut_model(shortcut: Run, small_file: Path) -> None:
    words = ["import-weights", small_file, "--output", "ours.safetensors"]
    small_file.write_bytes(small_file.read_bytes()[:-1])
    assert complaint(shortcut(*words), 4).startswith("`net.safetensors` is not a whole safetensors")
    made("resnet20").save(small_file)
    said = complaint(shortcut(*words), 4)
    assert said == "`net.safetensors` is a shortcut model already: use it as it is."


def test_paths_that_are_no_files(shortcut: Run) -> None:
    Path("folder.pth").mkdir()
    os.mkfifo("pipe.pth")
    for command in (["import-weights"], ["export", "--to", "torchvision"]):
        for path, words in [
            ("none.pth", "cannot read `none.pth`: No such file or directory. Check the path."),
            ("folder.pth", "`folder.pth` is a folder. Name a file in it."),
            (".", "`.` is a folder. Name a file in it."),
            ("pipe.pth", "`pipe.pth` is a pipe or a device. Save it as a file first."),
        ]:
            if command[0] == "export" and Path(path).is_dir():
                words = f"{path}: not a run folder; name one, or a model file."
            assert complaint(shortcut(*command, path), 4) == words


@pytest.mark.usefixtures("permissions_bind")
@pytest.mark.parametrize(
    "command", ["import-weights --output new.safetensors", "export --to=torchvision"]
)
def test_no_permission(shortcut: Run, small_file: Path, command: str) -> None:
    small_file.chmod(0)
    assert complaint(shortcut(*command.split(), small_file), 4) == (
        "cannot read `net.safetensors`: Permission denied. Check the path."
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("", 4, "net.safetensors: the weights fit `resnet20` and `plain20` alike"),
        ("--model resnet32", 4, "net.safetensors: the weights do not fit `resnet32`"),
        ("--model resnet21", 4, "unknown model `resnet21`. Did you mean `resnet"),
        ("--model resnet20 --classes a,b", 4, "2 class names were given, and the network has 3"),
        ("--model resnet20 --classes a,b,a", 4, "2 classes have the same name, `a`."),
        ("--model resnet20 --classes a,b,", 4, "'' is no class name"),
        ("--model resnet20 --classes no.txt", 2, "`--classes` (=no.txt) cannot be read: No such"),
        ("--model resnet20 --classes net.TXT", 2, "(=net.TXT) cannot be read: it is not UTF-8"),
        ("--model resnet20 --resize 200", 2, "`resize` (=200) must be from `image_size` (=224)"),
        ("--output a.pth", 2, "`--output` (=a.pth) must end in .safetensors."),
        ("--output old.safetensors", 5, "`old.safetensors` exists. Name another file with `--out"),
        ("--model resnet20 --output net.TXT/a.safetensors", 5, "`net.TXT` is a file, not a folder"),
    ],
)
def test_wrong_wishes(shortcut: Run, small_file: Path, words: str, code: int, said: str) -> None:
    Path("old.safetensors").write_text("precious")
    Path("net.TXT").write_bytes(b"\xff\xfe")
    wishes = words.split()
    if "--output" not in wishes:
        wishes += ["--output", "ours.safetensors"]
    assert said in complaint(shortcut("import-weights", small_file, *wishes), code)
    assert sorted(path.name for path in Path().iterdir()) == [
        *("net.TXT", "net.safetensors", "old.safetensors")
    ]
    assert Path("old.safetensors").read_text() == "precious"


def test_the_name_of_the_file_is_not_taken_for_the_model(shortcut: Run, small_file: Path) -> None:
    """By default the model is named as the file is, which in its own folder is the file itself."""
    before = small_file.read_bytes()
    assert complaint(shortcut("import-weights", small_file, "--model", "resnet20"), 5) == (
        "`net.safetensors` exists. Name another file with `--output`."
    )
    assert small_file.read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        "import-weights",
        "import-weights net.pth --image-size 7",
        "import-weights net.pth --format yaml",
        "import-weights net.pth --class a,b",
        "export net.safetensors",
        "export net.safetensors --to onnxx",
    ],
)
def test_wrong_usage(shortcut: Run, words: str) -> None:
    result = shortcut(*words.split())
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("pickle", "", "`own.safetensors` is a pickle: pickles can run code and are not loaded."),
        ("plain", "", "own.safetensors: safetensors, but not a shortcut model"),
        ("resnet20", "", "torchvision has no `resnet20`. It has: resnet18, "),
        ("resnet18 small", "", "torchvision has `resnet18` with the standard stem only"),
        ("resnet18", "--output a.onnx", "`a.onnx`: the name must end in .safetensors, or in .pth"),
    ],
)
def test_models_that_do_not_go_out(
    shortcut: Run, small: dict[str, Tensor], content: str, words: str, said: str
) -> None:
    path = Path("own.safetensors")
    if content == "pickle":
        path.write_bytes(pickled(small))
    elif content == "plain":
        write_tensors(path, small, {})
    else:
        name, _, stem = content.partition(" ")
        made(name, stem="small" if stem else None).save(path)
    assert said in complaint(shortcut("export", path, "--to", "torchvision", *words.split()), 4)
    assert [path.name for path in Path().iterdir()] == ["own.safetensors"]
