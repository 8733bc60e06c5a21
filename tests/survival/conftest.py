"""A zygote for all tests here, and a run that nothing happened to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.pictures import make_pictures
from tests.recipes import write_tiny_recipe

HARD = {
    "train.ema_decay": 0.9,
    "train.accumulate": 2,
    "train.batch_size": 3,
    "augment.mixup": 0.2,
    "augment.start_scale": 0.5,
}
"""Settings that leave much to be got right: 9 steps of two batches each."""
BATCHES = ("--set", "train.batch_size=6", "--set", "train.accumulate=1")
"""Large enough for two processes."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a process ended, or several that belonged together."""

    codes: tuple[int, ...]
    """Exit code of each, or minus the signal's number."""
    said: str
    """By the first."""
    run: Path
    places: int
    """Where it counted places for a fault: how many there were."""

    @property
    def code(self) -> int:
        """Of the first."""
        return self.codes[0]


@dataclass
class Zygote:
    """Starts shortcut's commands as processes of their own; see `zygote.py`."""

    process: subprocess.Popen[str]
    folder: Path
    photos: Path
    count: int = field(default=0)

    def train(self, run: Path, *options: str, interval: int = 2, **task: Any) -> Ended:
        """`shortcut train` on the pictures, by the hard recipe and `options`."""
        argv = ["train", str(self.photos), "--recipe", str(self.folder / "tiny.yaml")]
        for name, value in HARD.items():
            argv += ["--set", f"{name}={value}"]
        argv += ["--output", str(run), "--quiet", "--log-interval", str(interval), *options]
        return self.run(argv, run, **task)

    def resume(self, run: Path, **task: Any) -> Ended:
        """`shortcut resume`."""
        return self.run(["resume", str(run), "--quiet"], run, **task)

    def run(self, argv: list[str], run: Path, **task: Any) -> Ended:
        """Any command."""
        self.count += 1
        said = self.folder / f"said-{self.count}"
        whole = {"argv": argv, "said": str(said), "run": str(run), **task}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(whole) + "\n")
        self.process.stdin.flush()
        codes = json.loads(self.process.stdout.readline())["codes"]
        counted = said.with_name(f"{said.name}.count")
        places = int(counted.read_text()) if counted.exists() else 0
        first = said.with_name(f"{said.name}.0").read_text("utf-8")
        return Ended(tuple(codes), first, run, places)


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """One for the whole session."""
    if os.name == "nt":
        pytest.skip("Windows cannot fork")
    folder = tmp_path_factory.mktemp("survival")
    write_tiny_recipe(folder)
    photos = make_pictures(folder / "photos")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.survival.zygote"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    ) as process:
        yield Zygote(process, folder, photos)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="session")
def pair(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two processes that nothing happened to."""
    ended = zygote.train(tmp_path_factory.mktemp("pair") / "run", *BATCHES, world=2)
    assert ended.codes == (0, 0), ended.said
    return ended.run


@pytest.fixture(scope="session")
def whole(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a training that nothing happened to."""
    ended = zygote.train(tmp_path_factory.mktemp("whole") / "run")
    assert ended.code == 0, ended.said
    return ended.run
