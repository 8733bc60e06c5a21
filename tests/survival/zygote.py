"""A process that has everything imported and forks one for each command: real processes, without
the seconds that importing torch would take in each.

It reads a task as a line of JSON and answers with how the process ended. A task says where that
process is to meet a signal, which it sends itself, so that nothing depends on who is faster.

    {"argv": ["train", ...], "said": FILE, "run": FOLDER, "often": true,
     "fault": {"at": "step", "number": 3, "signal": 9}}

`"double": true` trains in float64.

With `"world": 2` there are two processes, as torchrun would start them; the fault is in number
`"at_rank"`. When one of them ends badly the others are killed, as torchrun would.
"""

import io
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

WRITING = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate"}
"""Audit events (PEP 578) of calls that change the disk; `os.fsync` has none and is wrapped."""


GRACE = 6.0
"""Seconds that processes have to end by themselves when another ended badly."""


class Fault:
    """Counts the places of one kind, and acts at one of them."""

    def __init__(self, act: Callable[[], None], number: int) -> None:
        self.act, self.number, self.count = act, number, 0

    def here(self) -> None:
        """One more place; the first is number 0."""
        self.count += 1
        if self.count == self.number + 1:
            self.act()


def main() -> None:
    """Serve tasks until standard input ends."""
    os.environ["OMP_NUM_THREADS"] = "1"  # a pool of threads would not survive a fork
    import torch

    torch.set_num_threads(1)
    import torch._dynamo  # DDP needs it, and takes seconds to get it
    import torch.distributed.nn.functional
    import torch.nn.parallel

    from shortcut import cli, conclusion, head, runs  # noqa: F401
    from shortcut.report import charts, page  # noqa: F401

    for line in sys.stdin:
        task = json.loads(line)
        size = task.get("world", 1)
        port = _free_port() if size > 1 else 0
        said = [os.pipe() for _ in range(size)]
        running = {_fork(task, rank, size, port, said[rank][1]): rank for rank in range(size)}
        codes = _wait_for(dict(running))
        for rank, (reading, writing) in enumerate(said):
            os.close(writing)
            with os.fdopen(reading, "rb") as pipe:
                Path(f"{task['said']}.{rank}").write_bytes(pipe.read())
        print(json.dumps({"codes": [codes[rank] for rank in range(size)]}), flush=True)


def _fork(task: dict[str, Any], rank: int, size: int, port: int, said: int) -> int:
    if pid := os.fork():
        return pid
    if size > 1:
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
        os.environ |= {name: str(value) for name, value in place.items()}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RUN_ID": "a-test"}
        os.environ["TORCHELASTIC_RESTART_COUNT"] = str(task.get("restarts", 0))
    os.dup2(said, 1)
    os.dup2(said, 2)
    if rank != task.get("at_rank", 0):
        task.pop("fault", None)
    _run(task, rank)
    raise AssertionError("unreachable")


def _wait_for(running: dict[int, int]) -> dict[int, int]:
    """Exit codes by rank; what still runs when one ended badly is killed after a while."""
    codes: dict[int, int] = {}
    deadline = float("inf")
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            codes[running.pop(pid)] = code
            deadline = min(deadline, time.monotonic() + GRACE) if code else deadline
        elif time.monotonic() > deadline:
            for late in running:
                os.kill(late, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.005)
    return codes


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _run(task: dict[str, Any], rank: int) -> None:
    """The forked process: never returns."""
    from shortcut import cli, course, keeping, world
    from shortcut.events import Notice
    from shortcut.report import charts, drawing, page

    sys.stdin = io.StringIO()
    # Slow, and not at stake.
    charts.draw_curves = charts.draw_confusion = page.reliability_figure = lambda *_, **__: None
    drawing.as_svg = page.as_svg = lambda *_, **__: b"<svg/>"
    course.describe_use = lambda _: Notice("")
    if task.get("often"):
        keeping.PAUSE, keeping.PRICE = 0.0, float("inf")
    world.SILENCE = timedelta(seconds=task.get("silence", 60))
    if task.get("double"):
        _in_float64()
    if seen := task.get("seen"):
        _write_down(Path(f"{seen}.{rank}"))
    if fault := task.get("fault"):
        counted = Fault(_act(fault, task), fault["number"])
        _install(fault["at"], counted, Path(task["run"]))
    sys.argv = ["shortcut", *task["argv"]]
    code = 0
    try:
        cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    if task.get("fault") and "limit" not in task["fault"]:
        Path(f"{task['said']}.count").write_text(str(counted.count))
    os._exit(code)


def _in_float64() -> None:
    """All numbers of the training, so that what two computations differ in is not rounding."""
    import torch

    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double


def _write_down(path: Path) -> None:
    """Of every step: which pictures it saw."""
    from shortcut import training

    original = training.train_step

    def seen(job: Any, batches: Any, epoch: int, first: int = 0) -> Any:
        with path.open("a") as file:
            for batch in batches:
                file.write(json.dumps([epoch, batch.indices[: batch.counted]]) + "\n")
        return original(job, batches, epoch, first)

    training.train_step = seen


def _act(fault: dict[str, Any], task: dict[str, Any]) -> Callable[[], None]:
    def act() -> None:
        if "limit" in fault:
            # A write beyond this size ends the process in its middle, or fails as on a full disk.
            ends = signal.SIG_DFL if fault.get("signal") else signal.SIG_IGN
            signal.signal(signal.SIGXFSZ, ends)
            resource.setrlimit(resource.RLIMIT_FSIZE, (fault["limit"], resource.RLIM_INFINITY))
            return
        if fault.get("sleep"):
            time.sleep(fault["sleep"])
            return
        os.kill(os.getpid(), fault["signal"])

    return act


def _install(at: str, fault: Fault, run: Path) -> None:
    from shortcut import preparation, training
    from shortcut.classifier import Classifier

    places: dict[str, list[tuple[Any, str]]] = {
        "reading": [(preparation, "read_pictures")],
        "step": [(training, "train_step")],
        "measuring": [(Classifier, "answer"), (Classifier, "look")],
    }
    if at in places:
        for owner, name in places[at]:
            _before(owner, name, fault)
        return
    assert at == "saving"
    _before(os, "fsync", fault)
    inside = str(run / "resume")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WRITING or inside not in str(arguments[0]):
            return
        reads = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not reads and not str(arguments[0]).endswith("lock"):
            fault.here()

    sys.addaudithook(hook)


def _before(owner: Any, name: str, fault: Fault) -> None:
    original = getattr(owner, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        fault.here()
        return original(*arguments, **named)

    setattr(owner, name, counted)


if __name__ == "__main__":
    main()
