"""Models are kept by name, and the best of a state comes back with it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from shortcut.errors import ResourceError
from shortcut.events import EpochEnd
from shortcut.improvements import forget_improvements, keep_improvement, remember_best

EPOCH = EpochEnd(
    epoch=197,
    epochs=200,
    train_loss=0.367,
    train_accuracy=0.95,
    val_loss=0.4,
    val_accuracy=0.935,
    lr=0.00049,
    seconds=1.0,
    images_per_second=1.0,
    waiting=0.0,
    image_size=224,
    improved=True,
)
NAME = "epoch197+loss0.367+acc0.935+lr0.00049.safetensors"


@pytest.fixture
def best(tmp_path) -> Path:
    path = tmp_path / "best.safetensors"
    path.write_bytes(b"weights")
    return path


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "kept").iterdir())


def test_the_name_tells_the_figures(tmp_path, best):
    keep_improvement(tmp_path, best, EPOCH, 3)
    assert kept(tmp_path) == [NAME]
    assert (tmp_path / "kept" / NAME).read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("keep", "left"), [(1, [100]), (3, [11, 30, 100]), (9, [2, 9, 11, 30, 100]), ("all", None)]
)
def test_the_newest_stay(keep, left, tmp_path, best):
    numbers = [2, 9, 11, 30, 100]
    for number in numbers:
        best.write_bytes(b"%d" % number)
        keep_improvement(tmp_path, best, replace(EPOCH, epoch=number), keep)
        best.unlink()  # best is replaced by the next one, never written into
    found = sorted(int(name.split("+")[0].removeprefix("epoch")) for name in kept(tmp_path))
    assert found == (left or numbers)
    for path in (tmp_path / "kept").iterdir():
        assert path.read_bytes() == path.name.split("+")[0].removeprefix("epoch").encode()


def test_replacing_best_does_not_change_what_was_kept(tmp_path, best):
    keep_improvement(tmp_path, best, EPOCH, 3)
    (tmp_path / "new").write_bytes(b"better")
    (tmp_path / "new").replace(best)
    assert (tmp_path / "kept" / NAME).read_bytes() == b"weights"


def test_the_same_improvement_twice(tmp_path, best):
    for content in (b"one", b"two"):
        best.unlink(missing_ok=True)
        best.write_bytes(content)
        keep_improvement(tmp_path, best, EPOCH, 3)
    assert (tmp_path / "kept" / NAME).read_bytes() == b"two"


def test_a_disk_without_links_gets_a_copy(tmp_path, best, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    keep_improvement(tmp_path, best, EPOCH, 3)
    assert (tmp_path / "kept" / NAME).read_bytes() == b"weights"


@pytest.mark.parametrize("stranger", ["notes.txt", "epochs.txt", "epoch-of-love.md"])
def test_a_file_of_somebody_else_is_left_alone(stranger, tmp_path, best):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / stranger).write_text("mine", "utf-8")
    keep_improvement(tmp_path, best, EPOCH, 1)
    assert kept(tmp_path) == sorted([NAME, stranger])


def test_kept_may_be_in_the_way(tmp_path, best):
    (tmp_path / "kept").touch()
    with pytest.raises(ResourceError, match=r"kept: cannot be written"):
        keep_improvement(tmp_path, best, EPOCH, 3)


@pytest.fixture
def improved(tmp_path) -> Path:
    """The best of epochs 2, 5 and 9, each remembered for a state."""
    best = tmp_path / "best.safetensors"
    for number in (2, 5, 9):
        best.unlink(missing_ok=True)  # a new file, as `write_whole` makes it
        best.write_bytes(b"%d" % number)
        keep_improvement(tmp_path, best, replace(EPOCH, epoch=number), keep=1)
        remember_best(tmp_path, number)
    return tmp_path


def test_the_best_of_a_state_comes_back_though_it_was_not_kept(improved):
    """One model is kept, that of epoch 9; the training goes on from epoch 6."""
    forget_improvements(improved, 6, 5)
    assert (improved / "best.safetensors").read_bytes() == b"5"
    assert kept(improved) == []
    remembered = [path.name for path in (improved / "resume").iterdir()]
    assert remembered == ["best-0005.safetensors"]


def test_what_is_the_best_already_stays(improved):
    before = (improved / "best.safetensors").stat().st_ino
    forget_improvements(improved, 20, 9)
    forget_improvements(improved, 20, 9)
    assert (improved / "best.safetensors").stat().st_ino == before
    assert (improved / "best.safetensors").read_bytes() == b"9"
    assert sorted(path.name for path in improved.iterdir()) == [
        "best.safetensors",
        "kept",
        "resume",
    ]


def test_a_disk_without_links_remembers_copies(improved, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    forget_improvements(improved, 6, 5)
    (improved / "best.safetensors").unlink()
    (improved / "best.safetensors").write_bytes(b"6")
    remember_best(improved, 6)
    (improved / "best.safetensors").write_bytes(b"7")
    forget_improvements(improved, 6, 6)
    assert (improved / "best.safetensors").read_bytes() == b"6"


def test_a_best_model_that_is_gone_is_said(tmp_path):
    with pytest.raises(ResourceError, match="cannot be written"):
        remember_best(tmp_path, 3)
