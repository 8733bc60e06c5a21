"""Words, sizes and captions in the files of the repository."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from house import texts
from house.house import PACKAGE, ROOT


@pytest.fixture(scope="module")
def files() -> list[Path]:
    found = texts.tracked_files(ROOT)
    assert ROOT / "pyproject.toml" in found
    return found


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_no_registry_and_no_path_of_one_machine(files):
    assert texts.forbidden_words(files) == []


def test_no_file_over_a_megabyte(files):
    assert texts.heavy_files(files) == []


def test_every_recipe_says_what_to_expect():
    recipes = sorted((PACKAGE / "recipes").glob("*.yaml"))
    assert {"balanced", "digits"} <= {recipe.stem for recipe in recipes}
    assert [fault for recipe in recipes for fault in texts.recipe_faults(recipe)] == []


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_names_every_command(name):
    readme = (ROOT / name).read_text("utf-8")
    names = commands()
    assert {"train", "resume", "evaluate", "predict"} <= names
    assert {n for n in names if not re.search(rf"(?<![\w-]){n}(?![\w-])", readme)} == set()


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_names_every_file_of_the_package(name):
    readme = (ROOT / name).read_text("utf-8")
    modules = {path.name for path in PACKAGE.rglob("*.py") if not path.name.startswith("__")}
    assert {module for module in modules if module not in readme} == set()


def test_every_dependency_is_pinned_exactly(project):
    pins = texts.pins((ROOT / "constraints.txt").read_text("utf-8"))
    listed = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {name.split(">=")[0] for name in listed} - pins.keys() == set()


def test_the_newest_version_of_the_changelog_is_this_one(project):
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)[0] == project["version"]


def commands() -> set[str]:
    """Names of the top-level commands that `shortcut --help` shows."""
    import typer

    from shortcut import cli

    apps = [value for value in vars(cli).values() if isinstance(value, typer.Typer)]
    assert len(apps) == 1, "shortcut/cli/__init__.py holds the one typer app"
    group = typer.main.get_group(apps[0])
    return {name for name, command in group.commands.items() if not command.hidden}


# Planted violations: each check can fail --------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "see https://" + "pypi" + ".org/simple",
        "https://files." + "pythonhosted" + ".org/x",
        "--index" + "-url https://download." + "pytorch" + ".org/whl/cpu",
        "cd /" + "work/main",
        "'/" + "home/ann/photos'",
        "file:///" + "Users/ann",
        "(/" + "root/.cache)",
    ],
)
def test_a_forbidden_word_is_caught(tmp_path, text):
    file = tmp_path / "a.md"
    file.write_text(f"fine\n{text}\n", "utf-8")
    found = texts.forbidden_words([file])
    assert len(found) == 1
    assert found[0].startswith(f"{file}:2: ")


@pytest.mark.parametrize(
    "text",
    [
        "https://download.pytorch" + ".org/models/resnet18-f37072fd.pth",
        "https://example.com/" + "wo" + "rk/page",
        "../{0}/photos ~/{0}/photos $HOME/{0}/ ${{HOME}}/{0}/ */{0}/".format("wo" + "rk"),
        "homework/ and framework/",
    ],
)
def test_an_innocent_text_passes(tmp_path, text):
    (tmp_path / "a.md").write_text(text, "utf-8")
    assert texts.forbidden_words([tmp_path / "a.md"]) == []


def test_a_heavy_file_is_caught(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(1_000_000))
    (tmp_path / "b.bin").write_bytes(bytes(1_000_001))
    found = texts.heavy_files([tmp_path / "a.bin", tmp_path / "b.bin"])
    assert found == [f"{tmp_path / 'b.bin'} has 1,000,001 bytes"]


def test_new_files_are_seen_and_ignored_ones_are_not(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("/runs/\n", "utf-8")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.txt").touch()
    (tmp_path / "é.txt").touch()
    assert {file.name for file in texts.tracked_files(tmp_path)} == {".gitignore", "é.txt"}


@pytest.mark.parametrize("first", ["", "epochs: 5", "# Digits.", "#Expect 99 %", "# Expected"])
def test_a_recipe_that_promises_nothing_is_caught(tmp_path, first):
    (tmp_path / "a.yaml").write_text(f"{first}\n# Expect it\n", "utf-8")
    assert len(texts.recipe_faults(tmp_path / "a.yaml")) == 1


@pytest.mark.parametrize("first", ["# Digits. Expect 99 %.", "# Reaches 99 % in a minute."])
def test_a_recipe_that_promises_passes(tmp_path, first):
    (tmp_path / "a.yaml").write_text(f"{first}\nepochs: 5\n", "utf-8")
    assert texts.recipe_faults(tmp_path / "a.yaml") == []


@pytest.mark.parametrize("line", ["torch>=2", "torch==2.* ", "-e .", "torch==2 --hash=sha256:0"])
def test_a_loose_pin_is_caught(line):
    with pytest.raises(ValueError, match="not an exact pin"):
        texts.pins(f"# fine\nnumpy==2.4.6\n{line}\n")
