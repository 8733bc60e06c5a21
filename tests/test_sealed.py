"""Sealed folders: every byte is checked, and there is never half a one."""

import errno
import itertools
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut.errors import ModelError
from shortcut.sealed import MANIFEST, UNFINISHED, seal, unseal

FILES = {"a.bin": bytes(range(256)) * 4, "empty": b"", "b.json": b"{}"}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed") / "folder"
    seal(folder, FILES.items())
    return folder


def test_what_was_written_comes_back(sealed: Path) -> None:
    assert unseal(sealed) == FILES
    assert {path.name for path in sealed.iterdir()} == {*FILES, MANIFEST}
    assert [path.name for path in sealed.parent.iterdir()] == ["folder"]


@given(st.data())
def test_no_file_can_be_cut_short(sealed: Path, data: st.DataObject) -> None:
    path = sealed / data.draw(st.sampled_from(["a.bin", "b.json", MANIFEST]))
    whole = path.read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    with _changed(path, whole[:length]), pytest.raises(ModelError, match=path.name):
        unseal(sealed)


@given(st.data())
def test_no_byte_can_be_changed(sealed: Path, data: st.DataObject) -> None:
    path = sealed / data.draw(st.sampled_from(["a.bin", "b.json", MANIFEST]))
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with _changed(path, bytes(whole)), pytest.raises(ModelError):
        unseal(sealed)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_file_that_is_missing_is_named(name: str, sealed: Path, tmp_path: Path) -> None:
    shutil.copytree(sealed, tmp_path / "copy")
    (tmp_path / "copy" / name).unlink()
    with pytest.raises(ModelError, match=name):
        unseal(tmp_path / "copy")


@pytest.mark.parametrize(
    "manifest", ["", "[]", "{", '{"a.bin": 3}', '{"../a": {"bytes": 1, "sha256": ""}}', "[" * 9999]
)
def test_manifests_of_other_forms_are_damaged(manifest: str, sealed: Path, tmp_path: Path) -> None:
    shutil.copytree(sealed, tmp_path / "copy")
    (tmp_path / "copy" / MANIFEST).write_text(manifest, "utf-8")
    with pytest.raises(ModelError, match=r"manifest\.json is damaged"):
        unseal(tmp_path / "copy")


def test_a_fault_on_the_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        if next(left) == 0:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    for fault in range(len(FILES) + 1):
        left = itertools.count(fault, -1)
        with pytest.raises(OSError, match="full"):
            seal(tmp_path / "folder", FILES.items())
        assert not list(tmp_path.iterdir())


def test_what_a_dead_process_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"folder{UNFINISHED}").mkdir()
    (tmp_path / f"folder{UNFINISHED}" / "a.bin").write_bytes(b"half")
    seal(tmp_path / "folder", FILES.items())
    assert unseal(tmp_path / "folder") == FILES


def test_files_are_asked_for_one_at_a_time(tmp_path: Path) -> None:
    """Three copies of a large network in memory would be two too many."""
    written = random.Random(0).randbytes(9)

    def files() -> Iterator[tuple[str, bytes]]:
        yield "first", written
        assert (tmp_path / f"folder{UNFINISHED}" / "first").read_bytes() == written
        yield "second", written

    seal(tmp_path / "folder", files())


class _changed:
    """A file that holds something else for a while."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.content, self.before = path, content, path.read_bytes()

    def __enter__(self) -> None:
        self.path.write_bytes(self.content)

    def __exit__(self, *error: object) -> None:
        self.path.write_bytes(self.before)
