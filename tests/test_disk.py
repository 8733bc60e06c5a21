"""Files are whole or not there, whatever fails on the way."""

import errno
import os
from pathlib import Path

import pytest

from shortcut.disk import reason_of, write_whole
from shortcut.errors import ResourceError


def test_text_and_bytes_replace_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "record.md"
    write_whole(path, b"old")
    write_whole(path, "neu: 猫\n")
    assert path.read_text("utf-8") == "neu: 猫\n"
    assert [file.name for file in path.parent.iterdir()] == ["record.md"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_fault_leaves_the_old_file_and_no_other(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.md"
    write_whole(path, "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(ResourceError, match=r"record\.md`: No space left on device\. Free space"):
        write_whole(path, "new")
    assert path.read_text("utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["record.md"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(ResourceError, match="run` is a file, not a folder"):
        write_whole(tmp_path / "run" / "record.md", "new")


def test_reasons_are_one_line() -> None:
    assert reason_of(OSError(errno.EDQUOT, "Disk quota exceeded", "/x")) == "Disk quota exceeded"
    assert reason_of(ValueError("two\nlines.")) == "two lines"
    assert reason_of(ValueError()) == "ValueError"
