"""`torchvision.py`: what is written, torchvision loads strictly and answers with the same bits."""

import pickletools
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.formats.networks import OTHERS, TORCHVISION, difference, made
from tests.models.files import message, names, small_files
from torchvision import models as reference

from shortcut.classifier import Classifier
from shortcut.errors import ModelError, ResourceError
from shortcut.formats.imported import import_weights
from shortcut.formats.torchvision import export_torchvision

QUICK = [("resnet18", ".pth"), ("resnet50", ".safetensors"), ("resnext50_32x4d", ".safetensors")]
"""One of each kind; the others take longer and are in `test_table.py`, nightly."""


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return made("resnet18")


def read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".pth":
        return torch.load(path, weights_only=True)
    return load_file(path)


@pytest.mark.parametrize(("name", "suffix"), QUICK)
def test_torchvision_loads_it_strictly_and_answers_the_same(
    name: str, suffix: str, tmp_path: Path
) -> None:
    ours = made(name)
    # As a model file is loaded: the file must have the default layout all the same.
    ours.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    path = export_torchvision(ours, str(tmp_path / "new" / f"a{suffix}"))
    assert path == tmp_path / "new" / f"a{suffix}"
    state = read(path)
    assert type(state) is dict
    assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in state.values())
    theirs = getattr(reference, name)(num_classes=3)
    theirs.load_state_dict(state, strict=True)
    assert difference(ours.model, theirs.eval()) == 0.0


def test_there_and_back_again(classifier: Classifier, tmp_path: Path) -> None:
    path = export_torchvision(classifier, tmp_path / "a.safetensors")
    back = import_weights(path, classes=classifier.classes)
    assert back.classes == classifier.classes
    assert difference(classifier.model, back.model) == 0.0


def test_only_pth_is_a_pickle_and_it_names_tensors_only(
    classifier: Classifier, tmp_path: Path
) -> None:
    path = export_torchvision(classifier, tmp_path / "a.pth")
    with zipfile.ZipFile(path) as archive:
        (inner,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        asked = {
            argument
            for code, argument, _ in pickletools.genops(archive.read(inner))
            if code.name == "GLOBAL"
        }
    assert asked <= {
        "collections OrderedDict",
        "torch FloatStorage",
        "torch LongStorage",
        "torch._utils _rebuild_tensor_v2",
    }
    for wrong in ("a.pt", "a.bin", "a", "a.onnx"):
        said = message(ModelError, lambda wrong=wrong: export_torchvision(classifier, wrong))
        assert said == (
            f"`{wrong}`: the name must end in .safetensors, or in .pth for a pickle of torch."
        )


def test_an_existing_file_stays_unless_forced(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_text("precious")
    said = message(ResourceError, lambda: export_torchvision(classifier, path))
    assert said == f"`{path}` exists. Name another file, or replace it with `--force`."
    assert path.read_text() == "precious"
    export_torchvision(classifier, path, force=True)
    assert "fc.weight" in load_file(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_full_disk_leaves_the_old_file(
    suffix: str, classifier: Classifier, tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("precious")
    with small_files(100_000):
        said = message(ResourceError, lambda: export_torchvision(classifier, path, force=True))
    assert said == f"cannot write `{path}`: File too large. Free space or choose another place."
    assert names(tmp_path) == [path.name]
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", OTHERS)
def test_what_torchvision_lacks_is_not_written(name: str, tmp_path: Path) -> None:
    ours = made(name)
    said = message(ModelError, lambda: export_torchvision(ours, tmp_path / "a.safetensors"))
    assert said == f"torchvision has no `{name}`. It has: {', '.join(TORCHVISION)}."
    assert names(tmp_path) == []


def test_the_small_stem_is_not_torchvisions(tmp_path: Path) -> None:
    ours = made("resnet18", stem="small")
    said = message(ModelError, lambda: export_torchvision(ours, tmp_path / "a.safetensors"))
    assert said == (
        "torchvision has `resnet18` with the standard stem only, and this one has the small stem "
        "for small pictures."
    )
    assert names(tmp_path) == []
