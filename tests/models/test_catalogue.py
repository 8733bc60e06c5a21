"""What `shortcut models` knows of each network."""

import pytest
import torchvision

from shortcut.errors import ModelError
from shortcut.models import list_models
from shortcut.models.catalogue import Entry, describe_models


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    return {entry.name: entry for entry in describe_models()}


def test_every_network_has_an_entry_in_the_order_of_the_table(entries: dict[str, Entry]) -> None:
    assert list(entries) == list_models()


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [("resnet18", 11_689_512, 1_814_073_344), ("resnet50", 25_557_032, 4_089_184_256)],
)
def test_known_counts(
    entries: dict[str, Entry], name: str, parameters: int, multiply_adds: int
) -> None:
    assert (entries[name].parameters, entries[name].multiply_adds) == (parameters, multiply_adds)


def test_accuracies_are_those_that_torchvision_states(entries: dict[str, Entry]) -> None:
    known = torchvision.models.list_models(module=torchvision.models)
    for name, entry in entries.items():
        stated = torchvision.models.get_model_weights(name) if name in known else ()
        accuracies = {w.name: w.meta["_metrics"]["ImageNet-1K"]["acc@1"] for w in stated}
        assert entry.top1_v1 == accuracies.get("IMAGENET1K_V1"), name
        assert entry.top1_v2 == accuracies.get("IMAGENET1K_V2"), name
        assert entry.source == (list(stated)[-1].meta["recipe"] if stated else None), name


def test_years_are_those_of_the_papers(entries: dict[str, Entry]) -> None:
    assert entries["resnet18"].year == 2015
    assert entries["wide_resnet50_2"].year == 2016
    assert entries["resnet34_tutorial"].year is None


def test_small_networks_are_described_at_the_size_of_their_pictures(
    entries: dict[str, Entry],
) -> None:
    assert (entries["resnet20"].image_size, entries["resnet20"].classes) == (32, 10)
    assert entries["resnet20"].stem == "small"
    assert entries["resnet18"].stem == "by picture size"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="resnet18"):
        describe_models(["resnet8"])
