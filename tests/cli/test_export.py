"""`shortcut export` and `predict` with what it wrote, as a person types them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run

WITHOUT_TORCH = """
import sys
from shortcut.cli import main
sys.argv = ["shortcut", *sys.argv[1:]]
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"torch", "torchvision", "sklearn", "matplotlib", "jinja2"}))
"""


def test_exported_and_asked(shortcut: Run, run: Path, tiny_photos: Path) -> None:
    result = shortcut("export", run, "--to", "openvino", "--min-agreement", "90%")
    assert result.code == 0, result.err
    assert "best answers are the same" in result.out
    picture = tiny_photos / "red" / "photo-00.png"
    answers = [
        json.loads(shortcut("predict", place, picture, "--format", "json").out)[0]
        for place in (run, "exports/run-openvino-fp32", "exports/run-openvino-fp32/model.xml")
    ]
    first, second, third = answers
    assert second == third and second["label"] == first["label"]
    assert second["score"] == pytest.approx(first["score"], abs=1e-5)


def test_one_that_resizes_by_itself(shortcut: Run, run: Path, tiny_photos: Path) -> None:
    result = shortcut("export", run, "--to", "openvino", "--raw", "--min-agreement", "90%")
    assert result.code == 0, result.err
    exported, picture = Path("exports/run-openvino-fp32-raw"), tiny_photos / "red" / "photo-00.png"
    assert sorted(path.name for path in exported.glob("*.npz"))[0] == "example-1.npz"
    answers = [
        json.loads(shortcut("predict", place, picture, "--format", "json").out)[0]
        for place in (run, exported)
    ]
    assert answers[0]["label"] == answers[1]["label"]
    assert answers[1]["score"] == pytest.approx(answers[0]["score"], abs=2e-3)
    assert len(json.loads(shortcut("predict", exported, tiny_photos, "--format", "json").out)) == 24
    result = shortcut("evaluate", exported, tiny_photos)
    assert result.code == 2 and "export it without `--raw`" in result.last_error_line
    words = [sys.executable, "-m", "shortcut", "serve", str(exported), "--port", "0"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "`serve` asks about squares" in done.stderr


@pytest.mark.parametrize("to", ["openvino", "onnx"])
def test_predicting_imports_no_torch(shortcut: Run, run: Path, tiny_photos: Path, to: str) -> None:
    assert shortcut("export", run, "--to", to, "--min-agreement", "90%").code == 0
    words = ["predict", f"exports/run-{to}-fp32", str(tiny_photos), "--format", "text"]
    command = [sys.executable, "-c", WITHOUT_TORCH, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *answers, loaded = done.stdout.splitlines()
    assert len(answers) == 24 and "this picture might be" in answers[0]
    assert loaded == "[]"


def test_an_export_is_measured_as_its_original(shortcut: Run, run: Path, tiny_photos: Path) -> None:
    assert shortcut("export", run, "--to", "onnx", "--min-agreement", "90%").code == 0
    found = [
        json.loads(shortcut("evaluate", place, tiny_photos, "--format", "json").out)
        for place in (run, "exports/run-onnx-fp32")
    ]
    assert found[0]["confusion_matrix"] == found[1]["confusion_matrix"]
    assert found[1]["loss"] == pytest.approx(found[0]["loss"], abs=1e-5)
    result = shortcut("evaluate", "exports/run-onnx-fp32", tiny_photos, "--max-error", "2%")
    assert result.code == 2 and "export it anew" in result.last_error_line


def test_nobody_is_told(shortcut: Run, run: Path, tiny_photos: Path, tmp_path: Path) -> None:
    """The makers of OpenVINO and NNCF keep a number for each user in the home folder, and send it
    along."""
    home = tmp_path / "home"
    home.mkdir()
    known = {"CI", "TF_BUILD", "JENKINS_URL"}  # there they would be silent by themselves
    plain = {name: value for name, value in os.environ.items() if name not in known}
    for words in (
        ["export", run, "--to", "openvino", "--precision", "int8", "--min-agreement", "none"],
        ["predict", "exports/run-openvino-int8", tiny_photos],
    ):
        command = [sys.executable, "-m", "shortcut", *map(str, words)]
        subprocess.run(command, env=plain | {"HOME": str(home)}, check=True, capture_output=True)
    assert not (home / "intel").exists()


@pytest.mark.parametrize("to", ["openvino", "onnx", "torch-program"])
def test_a_full_disk(shortcut: Run, run: Path, to: str) -> None:
    """As no file may grow beyond 100 kB."""
    words = f"{sys.executable} -m shortcut export {run} --to {to}"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 100; exec {words}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 5, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("shortcut: ") and "Traceback" not in done.stderr
    assert not Path("exports").exists() or list(Path("exports").iterdir()) == []


def test_mistakes(shortcut: Run, run: Path, tiny_photos: Path) -> None:
    for words, code, said in (
        (["export", run, "--to", "onnx", "--precision", "bf16"], 2, "`--to onnx` has no bf16"),
        (["export", run, "--to", "torchvision", "--precision", "int8"], 2, "as they are: float32"),
        (["export", run, "--to", "torchvision", "--data", tiny_photos], 2, "no effect"),
        (["export", run, "--to", "torchvision", "--raw"], 2, "`--raw` has no effect"),
        (["export", run, "--to", "triton", "--raw"], 2, "not for triton"),
        (["export", run, "--to", "onnx", "--min-agreement", "often"], 2, "`often` is no share"),
        (["export", "nowhere", "--to", "onnx"], 4, "cannot read `nowhere`"),
        (["predict", "nowhere.onnx", tiny_photos], 4, "no such file"),
        (["predict", run, tiny_photos, "--engine", "openvino"], 2, "`shortcut export` writes one"),
    ):
        result = shortcut(*words)
        assert (result.code, result.out) == (code, ""), result
        assert said in result.last_error_line and result.err.count("\n") == 1
    assert not Path("exports").exists()
    Path("model.xml").write_text("<net/>")
    for words, said in (
        (["--tta", "flip"], "`--tta` is for model files"),
        (["--device", "cuda"], "exported models run on the CPU"),
        (["--engine", "torch"], "does not read model.xml"),
    ):
        result = shortcut("predict", "model.xml", tiny_photos, *words)
        assert result.code == 2 and said in result.last_error_line
