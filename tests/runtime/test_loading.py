"""Exported files that cannot be used, and the choice of an engine."""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest

from shortcut.data.preprocess import Pixels
from shortcut.errors import ModelError, RecipeError, ResourceError
from shortcut.predictor import Answers
from shortcut.runtime.choice import choose_engine
from shortcut.runtime.engine import EngineName
from shortcut.runtime.loading import is_exported, load_exported


def load(place: Path, **options: object) -> object:
    return load_exported(place, cache=None, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["model.onnx", "model.xml", "model.pt2"])
def test_files_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=f"cannot read `.*{name}`: no such file"):
        load(tmp_path / name)
    for content in (b"", b"<html>404</html>", b"PK\x03\x04rest"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=name):
            load(tmp_path / name)


def test_the_folder_of_an_export_stands_for_it(tmp_path: Path) -> None:
    assert not is_exported(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"")
    assert is_exported(tmp_path) and is_exported(tmp_path / "model.onnx")
    assert not is_exported(tmp_path / "best.safetensors")


def test_engines_that_do_not_read_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.xml").write_bytes(b"")
    with pytest.raises(RecipeError, match=r"`--engine onnxruntime` does not read model\.xml"):
        load(tmp_path, engine="onnxruntime")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ResourceError, match=r"model.xml takes the package openvino: .*\[runtime\]"):
        load(tmp_path)


class Sleeper:
    """An engine that takes its time."""

    def __init__(self, name: EngineName, work: int, score: float = 0.5) -> None:
        self.name, self.work, self.score, self.asked = name, work, score, 0

    def __call__(self, images: Pixels) -> tuple[Answers, Answers | None]:
        self.asked += 1
        np.linalg.svd(np.ones((self.work, self.work)))
        return np.full((len(images), 2), self.score, np.float32), None


def test_the_fastest_engine_is_measured_once(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"one")
    slow, fast = Sleeper("onnxruntime", 300), Sleeper("openvino", 2)
    makers = {"onnxruntime": lambda: slow, "openvino": lambda: fast}
    assert choose_engine(file, makers, 8, tmp_path) is fast
    asked = slow.asked, fast.asked
    assert min(asked) > 1
    assert choose_engine(file, makers, 8, tmp_path) is fast
    assert (slow.asked, fast.asked) == asked  # not asked again
    (book,) = (tmp_path / "engines").iterdir()
    book.write_text(json.dumps({"engine": "onnxruntime"}))
    assert choose_engine(file, makers, 8, tmp_path) is slow
    for damaged in ("", "[]", '{"engine": "tensorrt"}'):
        book.write_text(damaged)
        assert choose_engine(file, makers, 8, tmp_path) is fast
    file.write_bytes(b"another")  # of which nothing is known
    book.write_text(json.dumps({"engine": "onnxruntime"}))
    assert choose_engine(file, makers, 8, tmp_path) is fast


def test_an_engine_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As onnxruntime may come as onnxruntime-gpu: its version counts."""
    file = tmp_path / "model.onnx"
    file.write_bytes(b"one")
    installed = {"onnxruntime-gpu": "1.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    brings = {"onnxruntime": ["onnxruntime-gpu"]}
    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: brings)
    one, other = Sleeper("onnxruntime", 2), Sleeper("openvino", 2)
    makers = {"onnxruntime": lambda: one, "openvino": lambda: other}
    for number, books in (("1.0", 1), ("1.0", 1), ("2.0", 2)):
        installed["onnxruntime-gpu"] = number
        choose_engine(file, makers, 8, tmp_path)
        assert len(list((tmp_path / "engines").iterdir())) == books


def test_an_engine_that_answers_otherwise_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"one")
    slow, wrong = Sleeper("onnxruntime", 300), Sleeper("openvino", 2, score=0.6)
    makers = {"onnxruntime": lambda: slow, "openvino": lambda: wrong}
    assert choose_engine(file, makers, 8, tmp_path) is slow


def test_engines_that_fail_or_answer_nothing_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"one")
    nothing = Sleeper("onnxruntime", 2, score=float("nan"))

    def broken() -> Sleeper:
        raise ModelError("cannot read it")

    assert choose_engine(file, {"onnxruntime": lambda: nothing}, 8, None) is nothing
    first = Sleeper("onnxruntime", 2)
    assert choose_engine(file, {"onnxruntime": lambda: first, "openvino": broken}, 8, None) is first
    with pytest.raises(ModelError):
        choose_engine(file, {"onnxruntime": broken, "openvino": lambda: first}, 8, None)
