"""`tensorfiles.py`: files that are whole or absent, read as they were written."""

import contextlib
import errno
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from tests.models.files import message, names, pickled, small_files, small_state
from torch import Tensor, nn

from shortcut.errors import ModelError, ResourceError
from shortcut.models import create_model
from shortcut.models.tensorfiles import kind_of, read_tensors, write_tensors

DTYPES = [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]


@st.composite
def states(draw: st.DrawFn) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name in draw(st.sets(st.text(max_size=8), max_size=4)):
        shape = draw(st.lists(st.integers(0, 3), max_size=4))
        dtype = draw(st.sampled_from(DTYPES))
        state[name] = torch.randint(0, 9, shape).to(dtype)
    return state


@settings(max_examples=40)
@given(states(), st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, Tensor], metadata: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("round") / "a.safetensors"
    state.pop("__metadata__", None)
    write_tensors(path, state, metadata)
    tensors, found = read_tensors(path)
    assert found == metadata
    assert set(tensors) == set(state)
    for name, tensor in state.items():
        assert tensors[name].dtype is tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_any_layout_is_written_in_the_default_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "a.safetensors"
    whole = torch.randn(4, 6)
    state = {
        "channels_last": torch.randn(8, 4, 3, 3).to(memory_format=torch.channels_last),
        "one by one": torch.randn(8, 4, 1, 1).to(memory_format=torch.channels_last),
        "whole": whole,
        "again": whole,
        "transposed": whole.T,
        "part": whole[1:3],
        "expanded": torch.ones(1, 1).expand(3, 5),
        "parameter": nn.Parameter(torch.randn(3)),
    }
    write_tensors(path, state, {})
    tensors, metadata = read_tensors(path)
    assert metadata == {}
    for name, tensor in state.items():
        assert torch.equal(tensors[name], tensor), name
        assert tensors[name].stride() == torch.empty(tensor.shape).stride(), name
        assert not tensors[name].requires_grad
    assert set(load_file(path)) == set(state)  # the format, not only our own reading of it


def test_a_channels_last_model_gives_the_same_file(tmp_path: Path) -> None:
    model = create_model("resnet20", num_classes=2)
    write_tensors(tmp_path / "a", model.state_dict(), {"x": "y"})
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    write_tensors(tmp_path / "b", model.state_dict(), {"x": "y"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tensors_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.arange(100_000)}, {})
    tensors, _ = read_tensors(path)
    path.write_bytes(b"")  # a view of the file would now be a crash of the process
    assert torch.equal(tensors["a"], torch.arange(100_000))


def test_others_may_read_the_file_as_the_user_has_set(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, small_state(), {})
    (tmp_path / "usual").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, small_state(), {"which": "old"})
    before = path.read_bytes()
    big = {"a": torch.zeros(1_000_000)}
    with small_files(100_000):
        said = message(ResourceError, lambda: write_tensors(path, big, {}))
    assert said == f"cannot write `{path}`: File too large. Free space or choose another place."
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("fsync", OSError(errno.ENOSPC, "No space left on device")),
        ("rename", OSError(errno.EROFS, "Read-only file system")),
        ("fsync", KeyboardInterrupt()),
    ],
)
def test_a_write_that_fails_late_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, small_state(), {"which": "old"})

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail) if step == "fsync" else patch.setattr(
            Path, "replace", fail
        )
        with pytest.raises(ResourceError if isinstance(error, OSError) else KeyboardInterrupt):
            write_tensors(path, small_state(), {"which": "new"})
    assert read_tensors(path)[1] == {"which": "old"}
    assert names(tmp_path) == ["a.safetensors"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, reason in [
        (tmp_path / "file" / "a.safetensors", f"`{tmp_path / 'file'}` is a file, not a folder"),
        (tmp_path, "Is a directory"),
    ]:
        said = message(ResourceError, lambda path=path: write_tensors(path, small_state(), {}))
        assert said == f"cannot write `{path}`: {reason}. Free space or choose another place."
    assert names(tmp_path) == ["file"]


@pytest.mark.usefixtures("permissions_bind")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    said = message(ResourceError, lambda: write_tensors(tmp_path / "a", small_state(), {}))
    tmp_path.chmod(0o700)
    assert "Permission denied" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "header too small"),
        (b"this is a letter, not a model\n" * 9, "header too large"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{        ", "JSON"),
        ("half", "not fully covered"),
    ],
)
def test_files_that_are_no_safetensors(tmp_path: Path, content: bytes | str, reason: str) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, small_state(), {})
    path.write_bytes(content if isinstance(content, bytes) else path.read_bytes()[:-50])
    said = message(ModelError, lambda: read_tensors(path))
    assert said.startswith(f"`{path}` is not a whole safetensors file: ")
    assert reason in said
    assert said.endswith("Copy it again, or name another.")


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_header_is_an_error_or_other_numbers_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.safetensors"
    write_tensors(path, {"a": torch.zeros(5), "b": torch.zeros(2, 3)}, {"k": "v"})
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ModelError):
        read_tensors(path)


def test_paths_that_hold_no_weights(tmp_path: Path) -> None:
    missing = tmp_path / "none.safetensors"
    said = message(ModelError, lambda: read_tensors(missing))
    assert said == f"cannot read `{missing}`: No such file or directory. Check the path."
    said = message(ModelError, lambda: read_tensors(tmp_path))
    assert said == f"`{tmp_path}` is a folder. Name a file in it."
    for path in (tmp_path / "pipe", Path(os.devnull)):
        if path.name == "pipe":
            os.mkfifo(path)
        said = message(ModelError, lambda path=path: read_tensors(path))
        assert said == f"`{path}` is a pipe or a device. Save it as a file first."


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors", ""])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_refused_whatever_their_name(tmp_path: Path, suffix: str, zipped: bool) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(pickled(small_state(), zipped))
    assert message(ModelError, lambda: read_tensors(path)) == (
        f"`{path}` is a pickle: pickles can run code and are not loaded. "
        f"`shortcut import-weights {path}` takes the weights out of it safely."
    )


@settings(max_examples=60)
@given(st.binary(max_size=20))
def test_any_content_is_of_some_kind(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("kind") / "a"
    path.write_bytes(content)
    assert kind_of(path) in ("safetensors", "pickle", "other")


def test_the_kind_is_seen_in_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    write_tensors(path, small_state(), {})
    assert kind_of(path) == "safetensors"
    assert set(read_tensors(path)[0]) == set(small_state())
    for content, kind in [
        (pickled(small_state()), "pickle"),
        (pickled(small_state(), zipped=False), "pickle"),
        (b"<html>not found</html>", "other"),
        (b"version https://git-lfs", "other"),
        (b"", "other"),
    ]:
        path.write_bytes(content)
        assert kind_of(path) == kind
