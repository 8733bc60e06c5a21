"""`imported.py`: a file of torchvision's or our own weights becomes a classifier, bit by bit."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.formats.networks import OTHERS, TORCHVISION, difference, made, shaken
from tests.models.files import message, pickled
from torch import Tensor
from torchvision import models as reference

from shortcut.classifier import load
from shortcut.data.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from shortcut.errors import ModelError, RecipeError
from shortcut.formats.imported import import_weights
from shortcut.models.tensorfiles import write_tensors

QUICK = ("resnet18", "resnet50", "resnext50_32x4d")
"""One of each kind; the others take longer and are in `test_table.py`, nightly."""


def write(path: Path, state: dict[str, Tensor]) -> Path:
    write_tensors(path, state, {})
    return path


@pytest.fixture(scope="module")
def small() -> dict[str, Tensor]:
    """The state of a resnet20 for 3 classes."""
    return made("resnet20").model.state_dict()


@pytest.mark.parametrize("name", QUICK)
def test_torchvisions_weights_give_torchvisions_answers(name: str, tmp_path: Path) -> None:
    assert name in TORCHVISION
    torch.manual_seed(0)
    theirs = shaken(getattr(reference, name)(num_classes=3))
    ours = import_weights(write(tmp_path / "a.pth", theirs.state_dict()))
    assert (ours.network, ours.stem) == (name, "standard")
    assert not ours.model.training
    assert difference(theirs, ours.model) == 0.0
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.model.state_dict()[key], value), key


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_row_comes_back(name: str, tmp_path: Path) -> None:
    """Its own state dict, as another program would have it: without our card."""
    before = made(name)
    state = before.model.state_dict()
    after = import_weights(write(tmp_path / "a.safetensors", state), model=name)
    size = 112 if name == "resnet34_tutorial" else 32
    assert (after.network, after.stem, after.classes) == (name, before.stem, before.classes)
    assert difference(before.model, after.model, size) == 0.0


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_small_stem_is_found(name: str, tmp_path: Path) -> None:
    before = made(name, stem="small")
    after = import_weights(write(tmp_path / "a", before.model.state_dict()), image_size=32)
    assert (after.network, after.stem) == (name, "small")
    assert difference(before.model, after.model, 16) == 0.0


def test_the_whole_way_from_a_training_script_to_our_file(tmp_path: Path) -> None:
    """A DataParallel network in a checkpoint, pickled; saved, loaded, the same to the last bit."""
    torch.manual_seed(0)
    theirs = shaken(reference.resnet18(num_classes=3))
    state = {f"module.{name}": value for name, value in theirs.state_dict().items()}
    (tmp_path / "model_9.pth").write_bytes(pickled({"model": state, "epoch": 9}))
    ours = import_weights(tmp_path / "model_9.pth", classes=["cat", "dog", "hare"])
    assert ours.metrics == {"imported_from": "model_9.pth", "imported_entry": "model"}
    ours.save(tmp_path / "ours.safetensors")
    again = load(tmp_path / "ours.safetensors")
    assert again.classes == ("cat", "dog", "hare")
    assert (again.metrics, again.version) == (ours.metrics, ours.version)
    assert again.preprocess == ours.preprocess
    assert difference(theirs, again.model) == 0.0


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(
    kind: torch.dtype, small: dict[str, Tensor], tmp_path: Path
) -> None:
    state = {n: v.to(kind) if v.is_floating_point() else v for n, v in small.items()}
    ours = import_weights(write(tmp_path / "a", state), model="resnet20").model.state_dict()
    for name, value in state.items():
        assert ours[name].dtype is (torch.float32 if value.is_floating_point() else torch.int64)
        assert torch.equal(ours[name], value.to(ours[name].dtype))


def test_old_files_have_no_counters(small: dict[str, Tensor], tmp_path: Path) -> None:
    old = {name: value for name, value in small.items() if "num_batches" not in name}
    ours = import_weights(write(tmp_path / "a", old), model="resnet20").model.state_dict()
    assert all(torch.equal(ours[name], old[name]) for name in old)
    assert int(ours["bn1.num_batches_tracked"]) == 0


def test_a_thousand_outputs_are_imagenets(tmp_path: Path) -> None:
    state = made("resnet20", outputs=1000).model.state_dict()
    classes = import_weights(write(tmp_path / "a", state), model="resnet20").classes
    assert len(set(classes)) == 1000
    assert (classes[0], classes[281], classes[999]) == ("tench", "tabby", "toilet tissue")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (224, 256)),
        ({"image_size": 224}, (224, 256)),
        ({"image_size": 112}, (112, 128)),
        ({"image_size": 32}, (32, 37)),
        ({"image_size": 32, "resize": 32}, (32, 32)),
        ({"resize": 232}, (224, 232)),
    ],
)
def test_preprocessing_is_imagenets(
    given: dict[str, int], expected: tuple[int, int], small: dict[str, Tensor], tmp_path: Path
) -> None:
    ours = import_weights(write(tmp_path / "a", small), model="resnet20", **given)
    assert ours.preprocess == Preprocess(*expected, IMAGENET_MEAN, IMAGENET_STD)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, ModelError, "fit `resnet20` and `plain20` alike"),
        ({"model": "resnet32"}, ModelError, "do not fit `resnet32`"),
        ({"model": "resnet19"}, ModelError, "unknown model `resnet19`"),
        ({"classes": ["a", "b"]}, ModelError, "2 class names were given, and the network has 3"),
        ({"classes": ["a", "b", "a"]}, ModelError, "2 classes have the same name, `a`"),
        ({"classes": []}, ModelError, "0 class names were given"),
        ({"classes": ["a", "b", " "]}, ModelError, "' ' is no class name"),
        ({"classes": ["a", "b", "\udcff"]}, ModelError, "'\\udcff' is no class name"),
        ({"resize": 0}, RecipeError, "`resize` (=0) must be from"),
        ({"image_size": 7}, ModelError, "takes pictures of 8 to 4096 pixels, not 7"),
        ({"resize": 223}, RecipeError, "`resize` (=223) must be from `image_size` (=224)"),
        ({"resize": 9000}, RecipeError, "to 8192"),
    ],
)
def test_wrong_wishes(
    options: dict[str, Any],
    error: type[Exception],
    words: str,
    small: dict[str, Tensor],
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a", small)
    wishes = options if "model" in options or not options else {"model": "resnet20", **options}
    said = message(error, lambda: import_weights(path, **wishes))
    assert words in said
    assert error is RecipeError or options.get("model") == "resnet19" or said.startswith(str(path))


def test_one_output_is_no_classifier(tmp_path: Path) -> None:
    path = write(tmp_path / "a", made("resnet20", outputs=1).model.state_dict())
    said = message(ModelError, lambda: import_weights(path, model="resnet20"))
    assert said.endswith("the network has 1 output; a classifier tells two or more apart.")


def test_our_own_file_needs_no_import(tmp_path: Path) -> None:
    made("resnet20").save(tmp_path / "a.safetensors")
    said = message(ModelError, lambda: import_weights(tmp_path / "a.safetensors"))
    assert said == f"`{tmp_path / 'a.safetensors'}` is a shortcut model already: use it as it is."


def test_a_file_may_be_named_by_any_bytes(small: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.pth")
    with path.open("wb") as file:
        torch.save(small, file)
    ours = import_weights(path, model="resnet20")
    ours.save(tmp_path / "b.safetensors")
    assert load(tmp_path / "b.safetensors").metrics == {"imported_from": "caf\\udce9.pth"}
    path.write_bytes(write(tmp_path / "a", small).read_bytes())
    said = message(ModelError, lambda: import_weights(path, model="resnet20"))
    assert said.endswith("safetensors takes names in UTF-8 alone. Rename it.")


def test_a_path_may_be_text(small: dict[str, Tensor], tmp_path: Path) -> None:
    ours = import_weights(str(write(tmp_path / "a", small)), model="plain20")
    assert ours.network == "plain20"
