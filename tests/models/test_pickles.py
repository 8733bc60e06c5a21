"""`pickles.py` and its child `unpickle.py`: tensors come out, nothing is run, the parent lives."""

import argparse
import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.models.files import (
    Armed,
    Hungry,
    inflating,
    message,
    names,
    pickled,
    small_files,
    small_state,
)
from torch import Tensor, nn

from shortcut.errors import ModelError, ResourceError
from shortcut.models import pickles
from shortcut.models.pickles import open_pickle
from shortcut.models.unpickle import RefusalError, read_state_dict

ON_LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the limit of memory is kept on Linux only"
)
MIB = 1 << 20

Opened = Callable[[bytes], tuple[dict[str, Tensor], str]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """`opened(content)` reads it as a file called `a.pth`, in a real child process."""

    def read(content: bytes) -> tuple[dict[str, Tensor], str]:
        (tmp_path / "a.pth").write_bytes(content)
        with (tmp_path / "a.pth").open("rb") as file:
            file.read(9)  # as one does who wants to know what it is
            return open_pickle(file, "a.pth")

    return read


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) and one[name].dtype is other[name].dtype for name in one
    )


# The whole way, in a process of its own.


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_of_every_kind_come_out(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    """And a torch.py in the current folder, such as one beside a download, is not imported."""
    shared = torch.randn(6, 4)
    state = {
        **small_state(),
        "half": torch.randn(3).half(),
        "brain": torch.randn(3).bfloat16(),
        "double": torch.randn(3).double(),
        "whole": torch.tensor([1, 2], dtype=torch.int8),
        "none": torch.empty(0, 3),
        "parameter": nn.Parameter(torch.randn(2)),
        "channels last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "shared": shared,
        "again": shared,
        "part": shared[1:3].T,
    }
    monkeypatch.chdir(tmp_path)
    Path("torch.py").write_text("open('ran', 'w')")
    tensors, under = opened(pickled(state, zipped))
    assert same(tensors, {name: value.detach() for name, value in state.items()})
    assert under == ""
    assert names(tmp_path) == ["a.pth", "torch.py"]


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_not_run(opened: Opened, tmp_path: Path, zipped: bool) -> None:
    trap = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Armed(trap)))
    assert trap.is_dir()  # it is armed
    trap.rmdir()
    content = pickled({**small_state(), "fc.weight": Armed(trap)}, zipped)
    assert message(ModelError, lambda: opened(content)) == (
        "`a.pth` is refused: it asks for `posix.mkdir`, which is more than tensors. "
        "Nothing in it was run."
    )
    assert not trap.exists()


@ON_LINUX
@pytest.mark.parametrize("bomb", ["object", "zip"])
def test_a_bomb_ends_the_child_only(opened: Opened, bomb: str) -> None:
    content = pickled({"a": Hungry()}) if bomb == "object" else inflating(300 * MIB)
    assert len(content) < 2 * MIB
    said = message(ModelError, lambda: opened(content))
    assert said.startswith("`a.pth` is refused: ")
    assert "MiB of memory" in said or "signal" in said
    import resource

    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # KiB
    assert largest * 1024 < 4 << 30


def test_a_damaged_file(opened: Opened) -> None:
    content = pickled({"a": torch.randn(1000)})
    said = message(ModelError, lambda: opened(content[: len(content) // 2]))
    assert said == (
        "`a.pth` is refused: it is cut short or damaged, or it holds more than tensors. "
        "Nothing in it was run."
    )


def test_a_name_that_breaks_the_format_of_the_result(opened: Opened) -> None:
    assert message(ModelError, lambda: opened(pickled({"__metadata__": torch.zeros(2)}))) == (
        "`a.pth` is refused: it gave no readable tensors."
    )


def test_no_room_for_the_result_is_not_the_file_s_fault(opened: Opened) -> None:
    content = inflating(20 * MIB)
    with small_files(MIB):
        said = message(ResourceError, lambda: opened(content))
    assert said.startswith("cannot write what `a.pth` holds: ")
    assert "Free space for temporary files" in said


def test_a_file_that_takes_too_long(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "SECONDS", 0.01)
    said = message(ModelError, lambda: opened(pickled(small_state())))
    assert said.startswith("`a.pth` is refused: reading it took over 0 s.")


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("kill -9 $$", ModelError, "is refused: signal 9 ended the reading of it"),
        ("echo 'No module named torch' >&2; exit 1", ResourceError, ": No module named torch. See"),
        ("exit 1", ResourceError, ": no reason given. See"),
        (None, ResourceError, ": No such file or directory. Free memory"),
    ],
)
def test_a_child_that_breaks_down(
    opened: Opened,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    error: type[Exception],
    words: str,
) -> None:
    python = tmp_path / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    assert words in message(error, lambda: opened(pickled(small_state())))


# What the child takes and what it refuses: its own function, in this process.


def read(content: object, zipped: bool = True) -> tuple[dict[str, Tensor], str]:
    data = content if isinstance(content, bytes) else pickled(content, zipped)
    return read_state_dict(io.BytesIO(data), allowance=MIB)


def settings_of_a_script() -> argparse.Namespace:
    """As training scripts of torchvision and timm keep them beside the weights."""
    return argparse.Namespace(model="resnet18", lr=0.1, sizes=[1, 2])


def test_a_state_dict_is_found_under_its_usual_names() -> None:
    state, averaged = {"a": torch.ones(2)}, {"a": torch.zeros(2)}
    rest = {"epoch": 3, "optimizer": {"state": {}}, "args": settings_of_a_script()}
    for content, under, expected in [
        (state, "", state),
        (OrderedDict(state), "", state),
        ({"state_dict": state}, "state_dict", state),
        ({"model": state, **rest}, "model", state),
        ({"model": state, "model_ema": averaged, **rest}, "model_ema", averaged),
        ({"state_dict": state, "state_dict_ema": averaged}, "state_dict_ema", averaged),
        ({"state_dict": state, "state_dict_ema": None}, "state_dict", state),
    ]:
        tensors, found = read(content)
        assert found == under
        assert same(tensors, expected)


# torch tells of the check that it makes of sparse tensors; the child is not listened to.
@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants:UserWarning")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "it holds no tensors"),
        ({"state_dict": {}}, "it holds no tensors"),
        ([torch.zeros(2)], "it holds one list, no state dict"),
        (torch.zeros(2), "it holds one Tensor, no state dict"),
        ({"net": {"a": torch.zeros(2)}}, "`net` is a dict of its own; a state dict is the whole"),
        ({"a": torch.zeros(2), "epoch": 3}, "`epoch` is no tensor but int"),
        ({"model": {"a": torch.zeros(2), "b": [1]}}, "`b` is no tensor but list"),
        ({3: torch.zeros(2)}, "one of its names is no text but int"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "`a` is no dense tensor of plain numbers (sparse_"),
        ({"a": torch.zeros(2, dtype=torch.cfloat)}, "(strided complex64)"),
        ({"a": torch.zeros(2, dtype=torch.bool)}, "(strided bool)"),
        ({"a": torch.zeros(2).to(torch.float8_e5m2)}, "(strided float8_e5m2)"),
        ({"a": torch.zeros(2, device="meta")}, "`a` is no dense tensor"),
        ({"a": torch.ones(2, dtype=torch.cfloat).conj().imag}, "`a` is no dense tensor"),
        ({"a": torch.ones(1).expand(9, 9)}, "`a` claims more numbers than the file holds"),
    ],
)
def test_all_else_is_refused(content: object, words: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        read(content)
    assert words in str(refusal.value)


# They have no future in torch, but files hold them.
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
def test_quantised_tensors_are_refused() -> None:
    quantised = torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8)
    with pytest.raises(RefusalError, match="no dense tensor"):
        read({"a": quantised})


def test_many_names_for_one_tensor_are_counted_each() -> None:
    shared = torch.zeros(MIB // 8)
    assert len(read({"a": shared, "b": shared})[0]) == 2
    with pytest.raises(RefusalError, match="would take 1,572,864 bytes"):
        read(dict.fromkeys(("a", "b", "c"), shared))


# Each is a way to call a function that pickle knows; `{}` is the folder it would make.
PAYLOADS = {
    "GLOBAL, REDUCE": b"\x80\x02cposix\nmkdir\nX{}\x85R.",
    "STACK_GLOBAL": b"\x80\x04X\x05\x00\x00\x00posixX\x05\x00\x00\x00mkdir\x93X{}\x85R.",
    "INST": b"\x80\x02(X{}iposix\nmkdir\n.",
    "OBJ": b"\x80\x02(cposix\nmkdir\nX{}o.",
    "NEWOBJ": b"\x80\x02cposix\nmkdir\nX{}\x85\x81.",
    "NEWOBJ_EX": b"\x80\x04cposix\nmkdir\nX{}\x85}\x92.",
    "BUILD": b"\x80\x02cargparse\nNamespace\n)\x81cposix\nmkdir\nX{}\x85Rb.",
    "builtins": b"\x80\x02c__builtin__\neval\nX{}\x85R.",
    "getattr": (
        b"\x80\x02c__builtin__\ngetattr\ncposix\nmkdir\nX\x08\x00\x00\x00__call__\x86RX{}\x85R."
    ),
    "torch": b"\x80\x02ctorch.hub\nload\nX{}\x85R.",
    "subclass": b"\x80\x02cshutil\nos.mkdir\nX{}\x85R.",
    "PERSID": b"\x80\x02cposix\nmkdir\nX{}\x85RQ.",
}
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1001, protocol=2)


def armed(payload: bytes, trap: Path) -> bytes:
    text = str(trap).encode()
    return payload.replace(b"X{}", b"X" + len(text).to_bytes(4, "little") + text)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("container", ["bare", "legacy", "zip"])
def test_no_way_to_call_is_open(tmp_path: Path, payload: str, container: str) -> None:
    trap = tmp_path / "sprung"
    content = armed(PAYLOADS[payload], trap)
    if container == "legacy":
        content = MAGIC + pickle.dumps({"little_endian": True}, protocol=2) + content
    elif container == "zip":
        plain, bad = io.BytesIO(pickled(small_state())), io.BytesIO()
        with zipfile.ZipFile(plain) as old, zipfile.ZipFile(bad, "w") as new:
            for name in old.namelist():
                new.writestr(name, content if name.endswith("data.pkl") else old.read(name))
        content = bad.getvalue()
    with pytest.raises(Exception):  # noqa: B017, given nonsense an unpickler may raise anything
        read(content)
    assert not trap.exists()


def test_the_payloads_are_armed(tmp_path: Path) -> None:
    """Python's own unpickler runs those that name a function of the system."""
    for number, payload in enumerate(("GLOBAL, REDUCE", "STACK_GLOBAL", "INST", "BUILD")):
        trap = tmp_path / str(number)
        try:
            pickle.loads(armed(PAYLOADS[payload], trap))
        except Exception as error:  # what is left after the call is no sound object
            assert payload == "BUILD", error
        assert trap.is_dir(), payload
