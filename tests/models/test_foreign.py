"""`foreign.py`: which network is in a file, and by name what is wrong where none is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.files import message, pickled, small_state
from torch import Tensor

from shortcut.errors import ModelError
from shortcut.models import VARIANTS, create_model, foreign
from shortcut.models.foreign import ForeignWeights, read_foreign, recognise
from shortcut.models.resnet import StemName
from shortcut.models.tensorfiles import write_tensors

NETWORKS = [
    (name, stem)
    for name, row in VARIANTS.items()
    for stem in ([row.stem] if row.stem else ["standard", "small"])
]
TWINS = {"resnet20": "plain20", "resnet56": "plain56"}
TWINS |= {plain: name for name, plain in TWINS.items()}


def state_of(name: str, stem: str | None = None, outputs: int = 5) -> dict[str, Tensor]:
    with torch.device("meta"):  # names and shapes are all that is asked for
        return create_model(name, num_classes=outputs, stem=stem).state_dict()  # type: ignore[arg-type]


def found(tensors: dict[str, Tensor], model: str | None = None) -> tuple[str, StemName]:
    return recognise(ForeignWeights(tensors, {}, ""), model)


@pytest.mark.parametrize(("name", "stem"), NETWORKS)
def test_every_network_is_found_by_names_and_shapes(name: str, stem: str) -> None:
    state = state_of(name, stem)
    assert found(state, name) == (name, stem)
    if name not in TWINS:
        assert found(state) == (name, stem)
        return
    first, second = sorted((name, TWINS[name]), key=list(VARIANTS).index)
    assert message(ModelError, lambda: found(state)) == (
        f"the weights fit `{first}` and `{second}` alike: their names and shapes are equal. "
        f"Say which with `--model {first}` or `--model {second}`."
    )


@settings(max_examples=20)
@given(st.sampled_from(NETWORKS), st.integers(1, 30_000), st.booleans())
def test_neither_classes_nor_missing_counters_matter(
    network: tuple[str, str], outputs: int, counted: bool
) -> None:
    name, stem = network
    state = state_of(name, stem, outputs)
    if not counted:
        state = {n: v for n, v in state.items() if "num_batches" not in n}
    assert ForeignWeights(state, {}, "").outputs == outputs
    assert found(state, name) == network


@settings(max_examples=30)
@given(st.sampled_from(NETWORKS), st.data())
def test_one_tensor_less_more_or_otherwise_is_named(
    network: tuple[str, str], data: st.DataObject
) -> None:
    """Never half a network: one difference in three hundred tensors is an error."""
    state = state_of(*network)
    weights = [n for n in state if "num_batches" not in n and not n.startswith("fc.")]
    name = data.draw(st.sampled_from(weights))
    change = data.draw(st.sampled_from(["missing", "unexpected", "of another shape"]))
    if change == "missing":
        del state[name]
    elif change == "unexpected":
        name = data.draw(st.text(min_size=1).filter(lambda text: text not in state))
        state[name] = torch.empty(3, device="meta")
    else:
        state[name] = torch.empty(*state[name].shape, 1, device="meta")
    for model in (None, network[0]):
        with pytest.raises(ModelError) as refusal:
            found(state, model)
        assert f"1 {change} (`{name}`" in str(refusal.value)


def test_the_first_names_of_each_kind_and_their_numbers_are_said() -> None:
    state = state_of("resnet18")
    for name in ("bn1.bias", "layer1.0.bn1.bias", "layer1.0.bn2.bias", "layer1.1.bn1.bias"):
        del state[name]
    state["fc.scale"] = torch.empty(3, device="meta")
    state["conv1.weight"] = torch.empty(64, 1, 7, 7, device="meta")
    wrong = (
        "4 missing (`bn1.bias`, `layer1.0.bn1.bias`, `layer1.0.bn2.bias`, ...), "
        "1 unexpected (`fc.scale`), "
        "1 of another shape (`conv1.weight` (64, 1, 7, 7), not (64, 3, 7, 7))."
    )
    assert message(ModelError, lambda: found(state)) == (
        "the weights fit no network here; the nearest is `resnet18` with the standard stem: "
        f"{wrong}"
    )
    assert message(ModelError, lambda: found(state, "resnet18")) == (
        f"the weights do not fit `resnet18` with the standard stem: {wrong}"
    )


def test_a_network_without_a_last_layer_is_refused() -> None:
    state = {n: v for n, v in state_of("resnet50").items() if not n.startswith("fc.")}
    said = message(ModelError, lambda: found(state))
    assert "the nearest is `resnet50`" in said
    assert said.endswith("2 missing (`fc.weight`, `fc.bias`).")


def test_nothing_like_a_network_is_refused() -> None:
    said = message(ModelError, lambda: found({"a": torch.zeros(2)}))
    assert "fit no network here" in said and "1 unexpected (`a`)" in said


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    said = message(ModelError, lambda: found(state_of("resnet18"), "resnet19"))
    assert said.startswith("unknown model `resnet19`. Did you mean `resnet1")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("conv1.weight", torch.int8, "16, 32 or 64 bit floating point numbers are needed"),
        ("conv1.weight", torch.bool, "16, 32 or 64 bit floating point numbers are needed"),
        ("fc.bias", torch.cfloat, "16, 32 or 64 bit floating point numbers are needed"),
        ("fc.bias", torch.float8_e5m2, "16, 32 or 64 bit floating point numbers are needed"),
        ("bn1.num_batches_tracked", torch.float32, "whole numbers are needed"),
        ("bn1.num_batches_tracked", torch.bool, "whole numbers are needed"),
    ],
)
def test_numbers_of_another_kind_are_refused(name: str, kind: torch.dtype, words: str) -> None:
    state = state_of("resnet18")
    state[name] = state[name].to(kind)
    said = message(ModelError, lambda: found(state))
    assert said == f"`{name}` holds {kind}, where {words}."


# Reading.


def test_files_are_told_apart_by_their_content(tmp_path: Path) -> None:
    state = small_state()
    write_tensors(tmp_path / "a.pth", state, {"key": "value"})
    (tmp_path / "a.safetensors").write_bytes(pickled({"state_dict": state}))
    for name, metadata, under in [
        ("a.pth", {"key": "value"}, ""),
        ("a.safetensors", {}, "state_dict"),
    ]:
        weights = read_foreign(tmp_path / name)
        assert all(torch.equal(weights.tensors[n], state[n]) for n in state)
        assert (weights.metadata, weights.under) == (metadata, under)


@pytest.mark.parametrize(
    ("dress", "expected"),
    [
        (lambda name: name, ["a.module.b", "c"]),
        (lambda name: f"module.{name}", ["a.module.b", "c"]),
        (lambda name: f"module.module.{name}", ["a.module.b", "c"]),
        (lambda name: f"_orig_mod.{name}", ["a.module.b", "c"]),
        (lambda name: f"module._orig_mod.{name}", ["a.module.b", "c"]),
        (lambda name: f"module.{name}" if name == "c" else name, ["a.module.b", "module.c"]),
        (lambda name: f"net.{name}", ["net.a.module.b", "net.c"]),
    ],
    ids=["plain", "DataParallel", "twice", "compiled", "both", "one name only", "another prefix"],
)
@pytest.mark.parametrize("averaged", [False, True])
def test_prefixes_that_torch_adds_are_taken_off(
    tmp_path: Path, dress: Callable[[str], str], expected: list[str], averaged: bool
) -> None:
    """Where all names have it; the counter of an averaged model goes with it."""
    state = {dress(name): torch.ones(1) for name in ("a.module.b", "c")}
    if averaged:
        state["n_averaged"] = torch.tensor(3)
        stripped = dress("a") != "a" and not dress("a").startswith("net.")
        expected = expected if stripped else [*expected, "n_averaged"]
    write_tensors(tmp_path / "a", state, {})
    assert sorted(read_foreign(tmp_path / "a").tensors) == sorted(expected)


@pytest.mark.parametrize(
    "content", [b"", b"<html>404</html>", b"version https://git-lfs.github.com", b"\x08\x07\x12"]
)
def test_what_holds_no_weights(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    assert message(ModelError, lambda: read_foreign(tmp_path / "a.pth")) == (
        f"`{tmp_path / 'a.pth'}` holds no weights: it is neither safetensors nor what `torch.save` "
        "writes. Copy it again, or name another."
    )


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    said = message(ModelError, lambda: read_foreign(tmp_path / "none.pth"))
    assert (
        said == f"cannot read `{tmp_path / 'none.pth'}`: No such file or directory. Check the path."
    )
    assert "is a folder" in message(ModelError, lambda: read_foreign(tmp_path))


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"12345678{"])
def test_a_file_larger_than_any_network_is_not_opened(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "a.pth"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(foreign.LARGEST_FILE + 1)  # a hole: it takes no room on the disk
    assert message(ModelError, lambda: read_foreign(path)) == (
        f"`{path}` has 8,589,934,593 bytes, more than any network here could fill."
    )


def test_a_refused_pickle_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(pickled({"a": torch.zeros(2), "epoch": 3}))
    assert message(ModelError, lambda: read_foreign(tmp_path / "a.pt")) == (
        f"`{tmp_path / 'a.pt'}` is refused: `epoch` is no tensor but int. Nothing in it was run. "
        "Where it was made, save the weights alone: `torch.save(model.state_dict(), FILE)`."
    )
