"""What an export leaves, what it refuses, and that one which answers otherwise is not kept."""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from shortcut import load
from shortcut.errors import DataError, ModelError, RecipeError, ResourceError
from shortcut.events import Event, Notice, heard, run_silently
from shortcut.exporting import exporting, targets
from shortcut.exporting.parity import Parity
from shortcut.exporting.pictures import finding_pictures


def export(place: Path, output: Path, **options: object) -> None:
    run_silently(exporting(place, "torch-program", output=output, **options))


def test_beside_the_model_lies_what_explains_it(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    examples = [f"example-{number}.npz" for number in (1, 2, 3)]
    assert names == [
        *examples,
        "model.pt2",
        "parity.html",
        "parity.json",
        "reference_preprocess.py",
    ]
    done = subprocess.run(
        [sys.executable, "-I", tmp_path / "out" / "reference_preprocess.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name}: equal" for name in examples]
    classifier = load(run / "best.safetensors")
    with np.load(tmp_path / "out" / "example-2.npz") as example:
        size = classifier.preprocess.image_size
        assert example["tensor"].shape == (3, size, size)
        assert example["tensor"].dtype == np.float32


def test_a_broken_example_is_told(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    file = tmp_path / "out" / "example-1.npz"
    with np.load(file) as example:
        arrays = dict(example)
    arrays["pixels"][3, 3, 1] ^= 1
    np.savez_compressed(file, **arrays)
    command = [sys.executable, "-I", tmp_path / "out" / "reference_preprocess.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "example-1.npz" in done.stderr


def test_one_that_answers_otherwise_is_not_kept(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reversed_classes(
        classifier: object, card: object, *rest: object
    ) -> Generator[Event, None, Path]:
        model = classifier.model  # type: ignore[attr-defined]
        model.fc.weight.data = model.fc.weight.data.flip(0)
        model.fc.bias.data = model.fc.bias.data.flip(0)
        path = yield from targets.writing_export(classifier, card, *rest)  # type: ignore[arg-type]
        model.fc.weight.data = model.fc.weight.data.flip(0)
        model.fc.bias.data = model.fc.bias.data.flip(0)
        return path

    monkeypatch.setattr("shortcut.exporting.story.writing_export", reversed_classes)
    with pytest.raises(ModelError, match=r"not exported: 0 of 150 best answers are the same"):
        export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    refused = tmp_path / "out-refused"
    assert sorted(path.name for path in refused.iterdir()) == ["parity.html", "parity.json"]
    assert "Not exported" in (refused / "parity.html").read_text("utf-8")
    # Figures of one replace those of the last, and nothing else that is there.
    (refused / "mine.txt").write_text("mine")
    (tmp_path / "out-refused-2").write_text("mine")
    for _ in range(2):
        with pytest.raises(ModelError, match=r"not exported: 0 of 150 best answers are the same"):
            export(run, tmp_path / "out")
    assert (refused / "mine.txt").is_file() and (tmp_path / "out-refused-2").is_file()
    assert (tmp_path / "out-refused-3" / "parity.html").is_file()
    assert not (tmp_path / "out-refused-4").exists()
    # One that is there stays as it is.
    monkeypatch.undo()
    export(run, tmp_path / "out")
    before = (tmp_path / "out" / "model.pt2").read_bytes()
    monkeypatch.setattr("shortcut.exporting.story.writing_export", reversed_classes)
    with pytest.raises(ModelError, match="not exported"):
        export(run, tmp_path / "out", force=True)
    assert (tmp_path / "out" / "model.pt2").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_export_is_replaced_by_force_only(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(run, out)
    first = (out / "parity.json").stat().st_mtime_ns
    with pytest.raises(ResourceError, match="exists"):
        export(run, out)
    assert (out / "parity.json").stat().st_mtime_ns == first
    export(run, out, force=True)
    assert (out / "parity.json").stat().st_mtime_ns > first


def test_force_removes_exports_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    with pytest.raises(ResourceError, match="is of no export"):
        export(run, tmp_path / "thesis", force=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "precious"


def test_formats_have_their_numbers(run: Path, tmp_path: Path) -> None:
    for to, precision in (("onnx", "bf16"), ("torch-program", "int8")):
        with pytest.raises(RecipeError, match=rf"`--to {to}` has no {precision}"):
            run_silently(exporting(run, to, precision=precision, output=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ResourceError, match=r"package openvino: `pip install 'shortcut\[export\]'`"
    ):
        run_silently(exporting(run, "openvino", output=tmp_path / "out"))


def test_a_model_of_no_run_needs_pictures(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone" / "model.safetensors"
    load(run / "best.safetensors").save(alone)
    with pytest.raises(DataError, match="give `--data`"):
        export(alone, tmp_path / "out")
    photos = run.parent / "photos"
    data = Path(load_root(run))
    export(alone, tmp_path / "out", data=data)
    assert (tmp_path / "out" / "model.pt2").is_file() and not photos.exists()


def load_root(run: Path) -> str:
    from shortcut.runfolder import read_facts

    return read_facts(run).data_root


def test_nothing_is_written_among_pictures(run: Path) -> None:
    data = Path(load_root(run))
    with pytest.raises(DataError, match="folder"):
        export(run, data / "exports")
    assert not (data / "exports").exists()


def test_looks_at_test_pictures_are_counted(run: Path, tmp_path: Path) -> None:
    data, told = Path(load_root(run)), list[str]()
    for number in range(2):
        story = exporting(
            run, "torch-program", data=data, part="all", output=tmp_path / f"{number}"
        )
        run_silently(heard(story, lambda e: told.append(e.text) if isinstance(e, Notice) else None))
    assert sum("measured on 2 times" in line for line in told) == 1


def test_the_most_different_come_first(run: Path, tmp_path: Path) -> None:
    done = run_silently(exporting(run, "torch-program", precision="bf16", output=tmp_path / "o"))
    parity: Parity = done.parity
    order = parity.differences[parity.most_different]
    assert (np.diff(order) <= 0).all() and order[0] == parity.differences.max()


def test_what_calibrates_is_not_what_is_checked(run: Path) -> None:
    model = run / "best.safetensors"
    for data, part in ((None, "auto"), (load_root(run), "auto"), (None, "train")):
        given = run_silently(finding_pictures(model, data, part))  # type: ignore[arg-type]
        assert given.checked and given.trained_on
        assert not {s.path for s in given.checked} & {s.path for s in given.trained_on}
