"""A name or a file: the same question, asked once."""

import pytest

import shortcut
from shortcut.classifier import Classifier
from shortcut.data.preprocess import Preprocess
from shortcut.errors import ModelError, RecipeError
from shortcut.networks import find_network


def test_a_name_gives_the_usual_network_without_numbers():
    found = find_network("resnet50")
    assert (found.name, found.image_size, found.file) == ("resnet50", 224, "")
    assert found.model.fc.out_features == 1000
    assert {parameter.device.type for parameter in found.model.parameters()} == {"meta"}


def test_small_nets_have_ten_classes_and_32_pixels():
    found = find_network("resnet20")
    assert found.image_size == 32 and found.model.fc.out_features == 10


def test_classes_and_size_are_heeded():
    found = find_network("resnet18", classes=2, image_size=32)
    assert found.model.fc.out_features == 2 and found.image_size == 32
    assert found.model.conv1.stride == (1, 1) and found.small_stem
    assert not find_network("resnet18", image_size=65).small_stem
    assert not find_network("resnet20").small_stem  # it has no other


def test_a_file_brings_its_own_size_and_classes(tmp_path):
    model = shortcut.create_model("resnet18", num_classes=2)
    path = tmp_path / "pets.safetensors"
    Classifier(model, "resnet18", "standard", ("cat", "dog"), Preprocess(112, 128)).save(path)
    found = find_network(str(path))
    assert (found.name, found.image_size, found.file) == ("resnet18", 112, "pets.safetensors")
    assert find_network(str(path), image_size=96).image_size == 96
    with pytest.raises(RecipeError, match="it has its own"):
        find_network(str(path), classes=2)


@pytest.mark.parametrize("named", ["resnet19", "nowhere.safetensors"])
def test_what_is_not_there_is_named(named):
    with pytest.raises((ModelError, shortcut.errors.ShortcutError), match=named):
        find_network(named)
