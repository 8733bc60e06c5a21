"""The tree a stranger finds: the files every house has, tests beside their source, two commands."""

import os
import re
from pathlib import Path

import pytest

from house.house import PACKAGE, ROOT

EXPECTED = [
    ".ci/run",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "README.zh-CN.md",
    "constraints.txt",
    "docs/architecture.md",
    "src/shortcut/py.typed",
]


def missing(root: Path) -> list[str]:
    """Expected files that are absent or empty; py.typed is empty by its nature."""
    files = {name: root / name for name in EXPECTED}
    return [
        n
        for n, f in files.items()
        if not f.is_file() or not (f.suffix == ".typed" or f.stat().st_size)
    ]


def untested_folders(package: Path, tests: Path) -> list[str]:
    """Folders of the package with code but without a test file in the folder of the same name."""
    folders = sorted({path.parent.relative_to(package) for path in package.rglob("*.py")})
    return [str(f) for f in folders if f.parts and not any((tests / f).glob("test_*.py"))]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_file_is_there(name):
    assert name not in missing(ROOT)


def test_tests_mirror_the_source():
    assert untested_folders(PACKAGE, ROOT / "tests") == []


def test_ci_calls_exactly_make_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [
        line for line in script.read_text("utf-8").splitlines() if re.search(r"\bmake\b", line)
    ]
    assert [line for line in lines if not line.startswith("#")] == ["exec make test </dev/null"]


def test_contributing_shows_the_floors_as_they_are():
    from house.house import FLOORS

    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for number, floor in enumerate(FLOORS):
        (row,) = re.findall(rf"^\| {number} .*\|$", table, re.MULTILINE)
        assert set(re.findall(r"`(\w+)/?`", row.split("|")[3])) == floor


# Planted violations: each check can fail --------------------------------------------------


def test_missing_and_empty_files_are_caught(tmp_path):
    for name in EXPECTED[1:]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", "utf-8")
    (tmp_path / "LICENSE").write_text("", "utf-8")
    assert missing(tmp_path) == [".ci/run", "LICENSE"]


def test_a_folder_without_tests_is_caught(tmp_path):
    for name in (
        "src/a.py",
        "src/data/b.py",
        "src/cli/c.py",
        "tests/data/test_b.py",
        "tests/cli/x.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert untested_folders(tmp_path / "src", tmp_path / "tests") == ["cli"]
