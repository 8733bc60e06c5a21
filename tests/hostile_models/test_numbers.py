"""Tensors that are none, that claim more than the file has, or want more memory than there is
(F3, F4, F10). What else the child refuses: tests/models/test_pickles.py."""

import pickle
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.hostile_models.conftest import Door
from tests.hostile_models.making import Calls, rezipped, view
from tests.hostile_models.standin import StandIn
from tests.models.files import Hungry, inflating, message, names, pickled
from torch import Tensor

from shortcut.errors import ModelError
from shortcut.models.pickles import open_pickle

DAMAGED = "is refused: it is cut short or damaged, or it holds more than tensors."
ON_LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the limit of memory is kept on Linux only"
)


def opened(path: Path, content: bytes) -> dict[str, Tensor]:
    path.write_bytes(content)
    with path.open("rb") as file:
        return open_pickle(file, "a.pth")[0]


# Storage of another size than the tensor, or than the file (CVE-2026-24747) ------------------


def resized(change: Callable[[bytes], bytes]) -> bytes:
    """An archive of four numbers whose bytes are others."""
    plain = pickled({"a": torch.arange(1.0, 5.0)})
    return rezipped(plain, lambda name, data: change(data) if "/data/" in name else data)


def lying(zipped: bool) -> bytes:
    """Four numbers, said to be a thousand."""
    content = pickled({"a": torch.arange(1.0, 5.0)}, zipped)
    place = content.index(b"K\x04", content.index(b"cpu"))  # how many the storage has

    def lie(data: bytes) -> bytes:
        return data[: data.index(b"K\x04", data.index(b"cpu"))] + (
            b"M\xe8\x03" + data[data.index(b"K\x04", data.index(b"cpu")) + 2 :]
        )

    if zipped:
        return rezipped(content, lambda name, data: lie(data) if "data.pkl" in name else data)
    return content[:place] + b"M\xe8\x03" + content[place + 2 :]


FALSE_SIZES: dict[str, Callable[[], bytes]] = {
    "half the bytes": lambda: resized(lambda data: data[:8]),
    "no bytes": lambda: resized(lambda data: b""),
    "twice the bytes": lambda: resized(lambda data: data * 2),
    "a storage said to be larger": lambda: lying(True),
    "a storage said to be larger, old format": lambda: lying(False),
}
VIEWS = {
    "larger": (0, (1000,), (1,)),
    "beyond the end": (3, (4,), (1,)),
    "far beyond the end": (10**12, (1,), (1,)),
    "before the beginning": (-1, (1,), (1,)),
    "long strides": (0, (4,), (1000,)),
    "strides backwards": (3, (4,), (-1,)),
    "less than none": (0, (-4,), (1,)),
    "more than can be counted": (0, (2**62, 2**62), (0, 0)),
}


@pytest.mark.parametrize("kind", FALSE_SIZES)
def test_a_storage_of_another_size_is_refused(
    quick_child: StandIn, tmp_path: Path, kind: str
) -> None:
    said = message(ModelError, lambda: opened(tmp_path / "a.pth", FALSE_SIZES[kind]()))
    assert DAMAGED in said


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", VIEWS)
def test_a_tensor_that_is_not_in_its_storage_is_refused(
    quick_child: StandIn, tmp_path: Path, kind: str, zipped: bool
) -> None:
    content = pickled({"a": view(*VIEWS[kind])}, zipped)
    said = message(ModelError, lambda: opened(tmp_path / "a.pth", content))
    assert DAMAGED in said or "MiB of memory" in said


@pytest.mark.parametrize("zipped", [True, False])
def test_a_number_that_is_repeated_without_end_is_refused(
    quick_child: StandIn, tmp_path: Path, zipped: bool
) -> None:
    content = pickled({"a": view(0, (10**9,), (0,))}, zipped)
    said = message(ModelError, lambda: opened(tmp_path / "a.pth", content))
    assert "`a` claims more numbers than the file holds" in said


def test_such_a_view_is_taken_where_it_fits(quick_child: StandIn, tmp_path: Path) -> None:
    for zipped in (True, False):
        tensors = opened(tmp_path / "a.pth", pickled({"a": view(1, (2,), (2,))}, zipped))
        assert tensors["a"].tolist() == [2.0, 4.0]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_numbers_that_the_file_does_not_bring_are_noughts(
    quick_child: StandIn, tmp_path: Path
) -> None:
    """And not what the child had in its memory, such as the environment."""
    for made in (torch.arange(1.0, 2000.0), view(0, (1000,), (1,))):
        old = pickled({"a": made}, zipped=False)
        listed = old.rindex(b"\x80\x02]")  # which storages follow: none
        tensors = opened(tmp_path / "a.pth", old[:listed] + pickle.dumps([], protocol=2))
        assert not tensors["a"].any() and len(tensors["a"]) >= 1000
    tensors = opened(tmp_path / "a.pth", pickled({"a": Calls(torch.Tensor, 1000)}))
    assert not tensors["a"].any()


# What is no dense tensor ----------------------------------------------------------------------


def sparse(layout: str) -> Tensor:
    """In each of torch's ways."""
    return {
        "coo": lambda one: one.to_sparse(),
        "csr": lambda one: one.to_sparse_csr(),
        "csc": lambda one: one.to_sparse_csc(),
        "bsr": lambda one: one.to_sparse_bsr((2, 2)),
        "bsc": lambda one: one.to_sparse_bsc((2, 2)),
    }[layout](torch.eye(4))


def outside() -> Tensor:
    """Sparse, with numbers in columns that it does not have: the first product would go there."""
    return torch.sparse_csr_tensor(
        torch.tensor([0, 1, 2]),
        torch.tensor([0, 10**9]),
        torch.ones(2),
        (2, 2),
        check_invariants=False,
    )


def per_channel() -> Tensor:
    """Quantised, each row by its own scale."""
    scales, zeros = torch.ones(4), torch.zeros(4, dtype=torch.long)
    return torch.quantize_per_channel(torch.eye(4), scales, zeros, 0, torch.qint8)


STRANGE: dict[str, Callable[[], Tensor]] = {
    "sparse coo": lambda: sparse("coo"),
    "sparse csr": lambda: sparse("csr"),
    "sparse csc": lambda: sparse("csc"),
    "sparse bsr": lambda: sparse("bsr"),
    "sparse bsc": lambda: sparse("bsc"),
    "sparse with false indices": outside,
    "quantised": lambda: torch.quantize_per_tensor(torch.eye(4), 0.1, 0, torch.qint8),
    "quantised by channel": per_channel,
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "meta": lambda: torch.empty(10**6, 10**6, device="meta"),
    "complex": lambda: torch.ones(2, dtype=torch.cfloat),
    "conjugate": lambda: torch.ones(2, dtype=torch.cfloat).conj(),
    "negated": lambda: torch.ones(2, dtype=torch.cfloat).conj().imag,
    "bits": lambda: torch.ones(2).bool(),
    "eight bits": lambda: torch.ones(2).to(torch.float8_e4m3fn),
    "unsigned": lambda: torch.ones(2, dtype=torch.uint16),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_dense_tensor_is_refused(
    quick_child: StandIn, work: Path, door: Door, kind: str
) -> None:
    with warnings.catch_warnings(action="ignore"):  # torch's, that they have no future
        content = pickled({"fc.weight": STRANGE[kind]()})
    before, path = names(work), work.parent / "a.pt"
    path.write_bytes(content)
    said = door("import-weights", path).refusal()
    assert "`fc.weight` is no dense tensor of plain numbers (" in said or (
        kind == "sparse with false indices" and DAMAGED in said
    )
    assert names(work) == before


# More memory than there is --------------------------------------------------------------------


HUNGRY: dict[str, Callable[[], object]] = {
    "bytes": Hungry,
    "a tensor": lambda: Calls(torch.Tensor, 3 * 10**9),
    "a storage": lambda: Calls(torch.UntypedStorage, 10**13),
    "a view": lambda: view(0, (10**10,), (1,)),
}


@ON_LINUX
@pytest.mark.parametrize("kind", HUNGRY)
def test_a_file_that_wants_too_much_memory_is_said_to(
    quick_child: StandIn, work: Path, door: Door, kind: str
) -> None:
    path = work.parent / "a.pt"
    path.write_bytes(pickled({"fc.weight": HUNGRY[kind]()}, zipped=kind != "a view"))
    said = door("import-weights", path).refusal()
    assert f"`{path}` is refused: " in said and "256 MiB of memory" in said


@ON_LINUX
def test_an_archive_that_inflates_is_said_to(quick_child: StandIn, work: Path, door: Door) -> None:
    path = work.parent / "a.pt"
    path.write_bytes(inflating(300 << 20))
    assert " MiB of memory" in door("import-weights", path).refusal()


@pytest.mark.parametrize("signal", [6, 9, 11])
def test_a_child_that_is_killed_for_its_memory_is_said_to(
    work: Path, door: Door, monkeypatch: pytest.MonkeyPatch, signal: int
) -> None:
    """By the C++ library, the system, or an address that is none. The parent lives."""
    python = work.parent / "python"
    python.write_text(f"#!/bin/sh\nkill -{signal} $$\n")
    python.chmod(0o700)
    path = work.parent / "a.pt"
    path.write_bytes(pickled({"a": torch.zeros(2)}))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(python))
        said = door("import-weights", path).refusal()
    assert said.startswith(
        f"`{path}` is refused: signal {signal} ended the reading of it, which may take 256 MiB of "
        "memory. It takes more, or it is damaged. "
    )
