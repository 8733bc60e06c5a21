"""Files that would run code, through every door that takes a model file: none runs (F1, F2).

What torch's restricted unpickler makes of each instruction: tests/models/test_pickles.py.
"""

import copyreg
import itertools
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from tests.hostile_models.conftest import DOORS, Door
from tests.hostile_models.making import (
    CONTAINERS,
    EXTENSION,
    SUFFIXES,
    bare,
    entry,
    payloads,
    safetensors,
    tarred,
    zipped,
)
from tests.hostile_models.standin import StandIn
from tests.models.files import message, names

from shortcut import load
from shortcut.errors import ModelError
from shortcut.models.pickles import open_pickle

PAYLOADS = list(payloads(Path("canary")))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


# First that they would do it.


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what they open they leave open
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_payloads_are_armed(canary: Path, payload: str) -> None:
    """Python's own unpickler runs each."""
    copyreg.add_extension("os", "system", EXTENSION)
    try:
        pickle.loads(bare(payloads(canary)[payload]))
    except Exception as error:  # what is left after the call is no sound object
        assert payload in ("persistent", "before nonsense", "in a list"), error
    finally:
        copyreg.remove_extension("os", "system", EXTENSION)
    assert canary.exists()


@pytest.mark.filterwarnings("ignore")  # torch's, of what it is asked to do
@pytest.mark.parametrize("container", CONTAINERS)
def test_the_containers_are_armed(tmp_path: Path, canary: Path, container: str) -> None:
    """Torch without its restrictions reads each, and runs what is in it."""
    (tmp_path / "a.pt").write_bytes(CONTAINERS[container](payloads(canary)["in a dict"]))
    try:
        torch.load(tmp_path / "a.pt", weights_only=False)
    except Exception as error:
        assert container in ("bare", "headless", "legacy"), error
    assert canary.exists()


# Then that they do not.


@pytest.mark.parametrize("payload", PAYLOADS)
def test_load_runs_none(tmp_path: Path, canary: Path, payload: str) -> None:
    for (container, pack), suffix in itertools.product(CONTAINERS.items(), SUFFIXES):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(pack(payloads(canary)[payload]))
        said = message(ModelError, lambda path=path: load(path))
        assert said.startswith(f"`{path}` is "), (container, said)
        path.unlink()
    assert names(tmp_path) == []


@pytest.mark.parametrize("command", DOORS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_command_runs_one(
    quick_child: StandIn, work: Path, door: Door, canary: Path, payload: str, command: str
) -> None:
    before = names(work)
    suffixes = itertools.cycle(SUFFIXES)
    for _ in range(1 + PAYLOADS.index(payload)):  # so that each has each ending somewhere
        next(suffixes)
    for container, pack in CONTAINERS.items():
        path = work.parent / f"a{next(suffixes)}"
        path.write_bytes(pack(payloads(canary)[payload]))
        said = door(command, path).refusal()
        assert said.startswith(f"`{path}` "), (container, said)
        path.unlink()
    assert names(work) == before
    assert names(work.parent) == ["work", *(f"work/{name}" for name in before)]
    assert quick_child.programs == []


@pytest.mark.parametrize("command", ["predict", "import-weights"])
def test_real_processes_run_none(work: Path, canary: Path, command: str) -> None:
    """The command line itself, and the child that it starts."""
    Path("a.pt").write_bytes(zipped(payloads(canary)["in a dict"]))
    words = ["a.pt" if word == "MODEL" else word for word in DOORS[command]]
    done = subprocess.run(
        [sys.executable, "-m", "shortcut", command, *words], capture_output=True, text=True
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (4, "")
    assert line.startswith("shortcut: `a.pt` is ")
    assert ("which is more than tensors" in line) is (command == "import-weights")
    assert not canary.exists() and not Path("ours.safetensors").exists()


# The tar format: weights_only once did not hold there (CVE-2025-32434).


def test_a_tar_archive_does_not_reach_the_child(
    quick_child: StandIn, door: Door, work: Path, canary: Path
) -> None:
    path = work / "a.pth"
    path.write_bytes(tarred(payloads(canary)["GLOBAL"]))
    assert door("import-weights", path).refusal() == (
        f"`{path}` holds no weights: it is neither safetensors nor what `torch.save` writes. "
        "Copy it again, or name another."
    )


@pytest.mark.parametrize("first", ["pickle", "\x80\x02 a name that a pickle might begin with"])
def test_the_child_refuses_a_tar_archive(
    quick_child: StandIn, tmp_path: Path, canary: Path, first: str
) -> None:
    """A file that looks like a pickle and is an archive, or a download: these come to the child."""
    path = tmp_path / "a.pth"
    path.write_bytes(tarred(payloads(canary)["GLOBAL"], first))
    with path.open("rb") as file:
        said = message(ModelError, lambda: open_pickle(file, "a.pth"))
    assert said.startswith("`a.pth` is refused: it is cut short or damaged, or it holds more than")
    assert names(tmp_path) == ["a.pth"]


# Files that are two things at once.


def test_an_archive_inside_a_safetensors_file_is_numbers(
    quick_child: StandIn, door: Door, work: Path, canary: Path
) -> None:
    """A zip archive is read from its end, so that a whole file of another kind may stand before."""
    archive = zipped(payloads(canary)["GLOBAL"])
    path = work / "a.safetensors"
    path.write_bytes(safetensors({"a": entry("U8", [len(archive)], 0, len(archive))}) + archive)
    assert zipfile.is_zipfile(path)
    for command in DOORS:
        said = door(command, path).refusal()
        assert "not a shortcut model" in said or "do not fit" in said, said
    path.write_bytes(safetensors({"a": entry("U8", [0], 0, 0)}) + archive)
    for command in DOORS:
        assert "not fully covered" in door(command, path).refusal()
    assert not canary.exists()


def test_a_model_file_with_a_pickle_behind_it_is_refused(
    saved: Path, tmp_path: Path, canary: Path
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(saved.read_bytes() + bare(payloads(canary)["GLOBAL"]))
    assert "not fully covered" in message(ModelError, lambda: load(path))
    assert not canary.exists()
