"""Several processes train one network: as one would, and as safely."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.pictures import make_pictures
from tests.survival.conftest import BATCHES, HARD, ROOT, Zygote

from shortcut.checkpoint import load_state
from shortcut.proof import differences

KILL = int(signal.SIGKILL)


def losses(run: Path) -> list[float]:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]
    return [event["loss"] for event in events if event["event"] == "Step"]


SAME = [*BATCHES, "--set", "augment.mixup=0", "--set", "optim.name=sgd"]
"""What two processes compute as one does: partners in mixing are a process's own."""
SYNCED = ("--set", "train.sync_batch_norm=true")


@pytest.mark.parametrize(
    ("rate", "double", "apart"), [("0.01", True, 1e-12), ("0.001", False, 1e-5)]
)
def test_two_processes_compute_what_one_does(
    rate: str, double: bool, apart: float, zygote: Zygote, tmp_path: Path
) -> None:
    """They add in another order. In float32 each step of a high rate doubles what rounding left of
    the one before, on some processors to 1e-5 after nine; so that rate is tried in float64."""
    options = [*SAME, "--lr", rate]
    runs = {"1": (*options, *SYNCED), "2": (*options, *SYNCED), "alone": tuple(options)}
    for name, words in runs.items():
        size = 1 if name == "1" else 2
        ended = zygote.train(tmp_path / name, *words, interval=1, world=size, double=double)
        assert set(ended.codes) == {0}, ended.said
    one, two, alone = (losses(tmp_path / name) for name in runs)
    assert len(one) == len(two) == 9
    assert one == pytest.approx(two, abs=apart, rel=0)
    # What is not the same computation is seen at once.
    assert abs(one[0] - alone[0]) > 1e-3


def test_pictures_that_do_not_divide_are_counted_once(zygote: Zygote, tmp_path: Path) -> None:
    """26 train, in batches of 6 for two processes: the last batch is a picture for each."""
    photos = make_pictures(tmp_path / "photos", each=16)
    argv = ["train", str(photos), "--recipe", str(zygote.folder / "tiny.yaml"), "--quiet"]
    argv += ["--set", "data.val_fraction=0.2", "--output", str(tmp_path / "run")]
    ended = zygote.run(argv, tmp_path / "run", world=2, seen=str(tmp_path / "seen"))
    assert ended.codes == (0, 0), ended.said
    seen = seen_in(tmp_path, "seen", 2)
    pictures = len(seen) // 3
    assert pictures == 26 and set(seen.values()) == {1}
    found = load_state(tmp_path / "run" / "resume")
    assert found is not None
    best = next(epoch for epoch in reversed(found[0].history) if epoch.improved)
    measured = [
        json.loads(line)
        for line in (tmp_path / "run" / "events.jsonl").read_text("utf-8").splitlines()
    ]
    (alone,) = [event for event in measured if event["event"] == "Measured"]
    assert alone["images"] == 6 and alone["accuracy"] == best.val_accuracy


def seen_in(folder: Path, name: str, size: int) -> Counter[tuple[int, int]]:
    """How often each picture was seen, by epoch."""
    seen: Counter[tuple[int, int]] = Counter()
    for rank in range(size):
        for line in (folder / f"{name}.{rank}").read_text().splitlines():
            epoch, indices = json.loads(line)
            seen.update((epoch, index) for index in indices)
    return seen


def test_each_picture_is_seen_once_whoever_goes_on(zygote: Zygote, tmp_path: Path) -> None:
    """Two processes, then one, then three, each in the middle of an epoch."""
    run, seen = tmp_path / "run", Counter[tuple[int, int]]()
    stop = {"at": "step", "signal": int(signal.SIGTERM)}
    ended = zygote.train(
        run, *BATCHES, world=2, seen=str(tmp_path / "a"), fault=stop | {"number": 1}
    )
    assert ended.codes == (143, 143), ended.said
    ended = zygote.resume(run, seen=str(tmp_path / "b"), fault=stop | {"number": 2})
    assert ended.code == 143, ended.said
    ended = zygote.resume(run, world=3, seen=str(tmp_path / "c"))
    assert ended.codes == (0, 0, 0), ended.said
    for name, size in (("a", 2), ("b", 1), ("c", 3)):
        seen += seen_in(tmp_path, name, size)
    assert seen == Counter({(epoch, index): 1 for epoch in range(3) for index in range(18)})


@pytest.mark.parametrize(
    ("rank", "place", "number"),
    [(0, "step", 1), (1, "step", 1), (0, "step", 5), (1, "step", 5), (0, "measuring", 1)],
)
def test_killed_and_started_anew_they_end_with_the_same_bits(
    zygote: Zygote, pair: Path, tmp_path: Path, rank: int, place: str, number: int
) -> None:
    run = tmp_path / "run"
    fault = {"at": place, "number": number, "signal": KILL}
    ended = zygote.train(run, *BATCHES, world=2, often=True, fault=fault, at_rank=rank)
    assert ended.codes[rank] == -KILL
    assert ended.codes[1 - rank] == 5, ended.said  # it noticed, and did not hang
    ended = zygote.train(run, *BATCHES, world=2)
    assert ended.codes == (0, 0), ended.said
    assert list(differences(pair, run)) == []


def test_three_started_anew_end_with_the_same_bits(zygote: Zygote, tmp_path: Path) -> None:
    """Of three numbers it matters which two are added first."""
    ended = zygote.train(tmp_path / "whole", *BATCHES, world=3)
    assert ended.codes == (0, 0, 0), ended.said
    fault = {"at": "step", "number": 4, "signal": KILL}
    ended = zygote.train(tmp_path / "run", *BATCHES, world=3, often=True, fault=fault, at_rank=2)
    assert ended.codes == (5, 5, -KILL), ended.said
    ended = zygote.train(tmp_path / "run", *BATCHES, world=3)
    assert ended.codes == (0, 0, 0), ended.said
    assert list(differences(tmp_path / "whole", tmp_path / "run")) == []


@pytest.mark.parametrize("rank", [0, 1])
def test_asked_to_end_all_end_after_the_same_step(
    zygote: Zygote, pair: Path, tmp_path: Path, rank: int
) -> None:
    run = tmp_path / "run"
    fault = {"at": "step", "number": 4, "signal": int(signal.SIGTERM)}
    ended = zygote.train(run, *BATCHES, world=2, fault=fault, at_rank=rank)
    assert ended.codes == (143, 143), ended.said
    found = load_state(run / "resume")
    assert found is not None and found[0].step == 5
    ended = zygote.resume(run, world=2)
    assert ended.codes == (0, 0), ended.said
    assert list(differences(pair, run)) == []


def test_a_process_that_hangs_is_not_waited_for(zygote: Zygote, tmp_path: Path) -> None:
    fault = {"at": "step", "number": 2, "sleep": 60}
    ended = zygote.train(tmp_path / "run", *BATCHES, world=2, fault=fault, at_rank=1, silence=3)
    assert ended.codes == (5, -KILL), ended.said
    assert "another process" in ended.said


def test_batches_too_small_for_all_are_refused(zygote: Zygote, tmp_path: Path) -> None:
    ended = zygote.train(tmp_path / "run", world=2)
    assert ended.codes == (2, 2)
    assert "too small for 2 processes: give `--batch-size 4`" in ended.said
    assert not (tmp_path / "run").exists()


class Machine:
    """What stands for one: a torchrun of its own, on this machine."""

    def __init__(self, zygote: Zygote, run: Path, victim: str, *launch: str, **more: str) -> None:
        command = [sys.executable, "-m", "torch.distributed.run", *launch, "--max-restarts=2"]
        command += [str(ROOT / "tests/survival/once.py"), victim, "train", str(zygote.photos)]
        command += ["--recipe", str(zygote.folder / "tiny.yaml")]
        for name, value in HARD.items():
            command += ["--set", f"{name}={value}"]
        command += [*BATCHES, "--output", str(run), "--log-interval", "2", "--quiet"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | more
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def ends_well(self) -> None:
        try:
            said, _ = self.process.communicate(timeout=200)
        finally:
            self.process.kill()
        assert self.process.returncode == 0, said


@pytest.mark.parametrize("rank", [0, 1])
def test_torchrun_starts_them_anew(pair: Path, zygote: Zygote, tmp_path: Path, rank: int) -> None:
    """The real thing, with a process that kills itself the first time."""
    run = tmp_path / "run"
    Machine(zygote, run, str(rank), "--standalone", "--nproc-per-node=2").ends_well()
    assert (run / "resume" / "killed").exists()
    assert list(differences(pair, run)) == []


def test_torchrun_starts_one_process_anew(zygote: Zygote, tmp_path: Path) -> None:
    ended = zygote.train(tmp_path / "whole", *BATCHES)
    assert ended.code == 0, ended.said
    run = tmp_path / "run"
    Machine(zygote, run, "0", "--standalone", "--nproc-per-node=1").ends_well()
    assert (run / "resume" / "killed").exists()
    assert list(differences(tmp_path / "whole", run)) == []


def machines(nodes: str) -> list[str]:
    """Options for several."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    place = [f"--rdzv-endpoint=127.0.0.1:{port}", "--local-addr=127.0.0.1"]
    patience = "--rdzv-conf=last_call_timeout=1,join_timeout=60,read_timeout=60"
    named = ["--rdzv-backend=c10d", "--rdzv-id=photos-1", patience]
    return [f"--nnodes={nodes}", "--nproc-per-node=1", *place, *named]


@pytest.mark.nightly
@pytest.mark.parametrize("shared", ["0", "1"])
def test_two_machines_start_anew(pair: Path, zygote: Zygote, tmp_path: Path, shared: str) -> None:
    """With torchrun's store kept from one start to the next, and with a new one for each."""
    run, launch = tmp_path / "run", machines("2")
    own = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": shared}
    both = [Machine(zygote, run, "1", *launch, **own) for _ in range(2)]
    for machine in both:
        machine.ends_well()
    assert (run / "resume" / "killed").exists()
    assert list(differences(pair, run)) == []


@pytest.mark.nightly
def test_a_machine_that_comes_later_takes_part(zygote: Zygote, tmp_path: Path) -> None:
    """Torchrun starts all anew for it and counts no failure."""
    run, launch = tmp_path / "run", machines("1:2")
    own = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    first = Machine(zygote, run, "alone", *launch, **own)
    deadline = time.monotonic() + 60
    while not (run / "best.safetensors").exists() and not list(run.glob("resume/*-step-*")):
        assert time.monotonic() < deadline and first.process.poll() is None
        time.sleep(0.1)
    second = Machine(zygote, run, "alone", *launch, **own)
    first.ends_well()
    second.ends_well()
    assert "resumed in epoch" in (run / "log.txt").read_text("utf-8")
    found = load_state(run / "resume")
    assert found is not None and len(found[0].history) == 3
