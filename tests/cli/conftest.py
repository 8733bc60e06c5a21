"""Running a command as a person would, in this process or in one of its own."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.pictures import make_pictures
from tests.recipes import write_tiny_recipe

from shortcut import read_recipe, train
from shortcut.cli import main


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def last_error_line(self) -> str:
        """The line that says what was wrong."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


Run = Callable[..., Result]


@pytest.fixture
def shortcut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """`shortcut("train", folder, ...)` in this process, in an empty working folder."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*words: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["shortcut", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """`start("train", folder, ...)` as a real process."""

    def begin(*words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "shortcut", *map(str, words)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)

    return begin


@pytest.fixture
def tiny_recipe(tmp_path: Path) -> Path:
    """A recipe file that trains in a second."""
    return write_tiny_recipe(tmp_path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run folder of the tiny recipe on tiny photos, to be copied and not changed."""
    folder = tmp_path_factory.mktemp("trained")
    photos = make_pictures(folder / "photos")
    outcome = train(photos, read_recipe(write_tiny_recipe(folder)), output=folder / "run")
    assert outcome is not None
    return outcome.folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A finished run folder of one's own."""
    return Path(shutil.copytree(trained, tmp_path / "run"))
