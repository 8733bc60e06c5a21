"""The doors through which a model file comes in, and a quick child process behind one of them."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.hostile_models.apart import Apart, opening_apart
from tests.hostile_models.standin import StandIn, standing_in

from shortcut.classifier import Classifier
from shortcut.cli import main
from shortcut.data.preprocess import Preprocess
from shortcut.models import create_model, pickles

DOORS: dict[str, list[str]] = {
    "predict": ["MODEL", "photos/a/1.png"],
    "evaluate": ["MODEL", "photos"],
    "summary": ["MODEL"],
    "diagram": ["MODEL", "--output", "net.svg"],
    "export": ["MODEL", "--to", "torchvision"],
    "import-weights": ["MODEL", "--model", "resnet20", "--output", "ours.safetensors"],
}
"""Command to its words, each of which takes a model file."""


@dataclass(frozen=True)
class Through:
    """What came of a command."""

    code: int
    out: str
    err: str

    def refusal(self, code: int = 4) -> str:
        """The one line that a command left which refused its file."""
        assert (self.code, self.out) == (code, ""), self
        (line,) = self.err.splitlines()
        assert line.startswith("shortcut: ") and line.isprintable(), line
        return line.removeprefix("shortcut: ")


Door = Callable[[str, Path], Through]


@pytest.fixture(scope="package")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One for all tests here."""
    if os.name == "nt":
        pytest.skip("Windows cannot fork")
    with standing_in(tmp_path_factory.mktemp("standin")) as process:
        yield process
    assert process.programs == []


@pytest.fixture
def quick_child(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Pickles are opened by the stand-in."""
    monkeypatch.setattr(pickles, "_run_child", stand_in.run)
    return stand_in


@pytest.fixture(scope="package")
def apart(saved: Path) -> Iterator[Apart]:
    """A process that says what a file costs. It has opened a good one: what is imported for that
    does not count."""
    if sys.platform != "linux":
        pytest.skip("memory is told by Linux only")
    with opening_apart() as process:
        assert process.open("load", saved).error == ""
        yield process


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with what commands want beside a model."""
    folder = tmp_path / "work"
    for name in ("a", "b"):
        (folder / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20)).save(folder / "photos" / name / "1.png")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def door(work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Door:
    """`door("predict", path)` as a person types it, in this process."""

    def enter(command: str, path: Path) -> Through:
        words = [str(path) if word == "MODEL" else word for word in DOORS[command]]
        monkeypatch.setattr(sys, "argv", ["shortcut", command, *words])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0
        return Through(code, *capsys.readouterr())

    return enter


@pytest.fixture(scope="package")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A resnet20 for four classes, as it should be."""
    torch.manual_seed(0)
    model = create_model("resnet20", num_classes=4, stem="small")
    path = tmp_path_factory.mktemp("saved") / "best.safetensors"
    Classifier(model, "resnet20", "small", ("a", "b", "c", "d"), Preprocess(16, 20)).save(path)
    return path
