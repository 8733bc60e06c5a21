"""Pictures that commands are given: too large, from standard input, from the web."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import Run

import shortcut as library

LIMIT = 1_000_000


@pytest.fixture
def model(shortcut: Run, tiny_photos: Path, tiny_recipe: Path) -> Path:
    """Trained with a limit of a million pixels, which one of its pictures exceeds."""
    Image.new("RGB", (1250, 1000), "red").save(tiny_photos / "red" / "large.png")
    limits = ["--max-pixels", LIMIT, "--set", "data.max_broken=0.5"]
    result = shortcut("train", tiny_photos, "--recipe", tiny_recipe, *limits, "--output", "run")
    assert result.code == 0, result
    said = "large.png: is 1,250 x 1,000 = 1.25 Mpx, limit 1 Mpx; shrink it or raise --max-pixels"
    assert f"left out: {said}" in " ".join(result.err.split())
    return Path("run/best.safetensors").resolve()


def test_the_limit_of_the_training_goes_with_the_model(
    shortcut: Run, model: Path, tiny_photos: Path
) -> None:
    assert library.load(model).max_pixels == LIMIT
    large = tiny_photos / "red" / "large.png"
    refused = shortcut("predict", model, large)
    assert refused.code == 3 and "1.25 Mpx, limit 1 Mpx" in refused.last_error_line
    raised = shortcut("predict", model, large, "--max-pixels", 2_000_000, "--format", "json")
    assert raised.code == 0 and "label" in json.loads(raised.out)[0]

    words = ["evaluate", model, tiny_photos, "--format", "json", "--max-broken", 0.5]
    assert json.loads(shortcut(*words).out)["images"] == 24
    assert json.loads(shortcut(*words, "--max-pixels", 2_000_000).out)["images"] == 25


def test_a_limit_that_no_picture_can_reach_is_refused(shortcut: Run, tiny_photos: Path) -> None:
    result = shortcut("train", tiny_photos, "--max-pixels", 10**9)
    assert result.code == 2 and "max_pixels" in result.last_error_line


def test_a_picture_on_standard_input(
    shortcut: Run, model: Path, tiny_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tiny_photos / "red" / "photo-00.png"
    (expected,) = json.loads(shortcut("predict", model, file, "--format", "json").out)
    given = io.TextIOWrapper(io.BytesIO(file.read_bytes()))
    monkeypatch.setattr(sys, "stdin", given)
    (found,) = json.loads(shortcut("predict", model, "-", "--format", "json").out)
    assert found == expected | {"file": "-"}
    again = shortcut("predict", model, "-")  # it has been read to its end
    assert again.code == 3 and "the file is empty" in again.last_error_line


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
def test_standard_input_that_never_ends_is_refused(model: Path, tmp_path: Path) -> None:
    """Of a picture of a million pixels no more than 75 MB are read."""
    code = "import resource\n"
    code += "from shortcut.cli import main\n"
    code += "import shortcut.classifier, shortcut.prediction\n"
    code += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    code += "try: main()\n"
    code += "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    with Path("/dev/zero").open("rb") as endless:
        ended = subprocess.run(
            [sys.executable, "-c", code, "predict", str(model), "-"],
            stdin=endless,
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert ended.returncode == 3
    said = "shortcut: the picture: has more than 0.1 GB, too many for one picture.\n"
    assert ended.stderr == said
    assert int(ended.stdout.split()[-1]) < 200_000  # kB


def test_standard_input_is_there_once(shortcut: Run, model: Path) -> None:
    result = shortcut("predict", model, "-", "-")
    assert result.code == 3 and "read but once" in result.last_error_line


def test_a_web_address_is_not_opened(shortcut: Run, model: Path) -> None:
    result = shortcut("predict", model, "https://127.0.0.1/cat.jpg")
    assert result.code == 3 and "Web addresses are not opened" in result.last_error_line
