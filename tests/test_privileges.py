"""The fixture that lets permissions bind: what it forbids is forbidden, and allowed again after."""

import os
from pathlib import Path

import pytest
from tests.privileges import overrides_laid_down


@pytest.mark.usefixtures("permissions_bind")
def test_what_is_forbidden_cannot_be_done(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0)
    (tmp_path / "fixed").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        (tmp_path / "secret").read_text()
    with pytest.raises(PermissionError):
        (tmp_path / "fixed" / "new").touch()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root has rights")
def test_rights_are_taken_up_again(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0)
    with overrides_laid_down(), pytest.raises(PermissionError):
        (tmp_path / "secret").read_text()
    assert (tmp_path / "secret").read_text() == "x"
