"""Where the work is done: the device, and how many processes share it. No other file knows.

`torchrun` starts the processes and tells each its place in the environment. What they say to each
other goes through torch's own collectives: gloo between processors, nccl between GPUs.
"""

import contextlib
import hashlib
import os
import secrets
import socket
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shortcut.errors import ResourceError
from shortcut.norms import sync_norms

SILENCE = timedelta(minutes=2)
"""A process that says nothing for so long while training is given up (torch waits for 10 to 30
minutes)."""
PATIENCE = timedelta(days=1)
"""But some wait for long while one reads the pictures."""


LOST = ("connection", "pair closure", "broken pipe", "timed out", "timeout", "nccl", "gloo")
"""Some of these words stand in what torch's collectives say then."""


@dataclass(frozen=True)
class World:
    """The place of this process among all of them, and its device."""

    device: torch.device
    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Among the processes of this machine."""
    patient: Any = None
    """The group of all processes with time to wait; None where there is one process."""
    launch: str = ""
    """Names this call of `torchrun`, the same after a restart; empty without it. The id that a
    person gave (`--rdzv-id`) comes first, then a space and the process of torchrun."""

    @property
    def first(self) -> bool:
        """Whether this is the process that writes, and speaks for all."""
        return self.rank == 0

    def describe(self) -> str:
        """The device in words: `2 CPU threads` or the GPU's name."""
        if self.device.type == "cpu":
            one = f"{torch.get_num_threads()} CPU threads"
        elif self.device.type == "cuda":
            one = torch.cuda.get_device_name(self.device)
        else:
            one = self.device.type
        return one if self.size == 1 else f"{self.size} processes, {one} each"

    def sum(self, figures: Tensor) -> Tensor:
        """Added up over all processes, in place; equal to the last bit in each of them."""
        if self.size > 1:
            with _talking():
                torch.distributed.all_reduce(figures)
        return figures

    def largest(self, number: int) -> int:
        """Of the numbers that the processes bring."""
        if self.size == 1:
            return number
        shared = torch.tensor(number)
        with _talking():
            torch.distributed.all_reduce(shared, torch.distributed.ReduceOp.MAX)
        return int(shared)

    def share(self, content: bytes) -> bytes:
        """What the first process brings; the others' is not looked at."""
        if self.size == 1:
            return content
        length = torch.tensor(len(content))
        with _talking():
            torch.distributed.broadcast(length, 0, group=self.patient)
            whole = torch.empty(int(length), dtype=torch.uint8)
            if self.first and content:
                whole.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
            torch.distributed.broadcast(whole, 0, group=self.patient)
        return whole.numpy().tobytes()

    def agree(self, what: str, digest: bytes) -> None:
        """Make sure that all processes are about to do the same.

        Args:
            digest: of `what`, equally long everywhere.

        Raises:
            ResourceError: this process has another one than the first.
        """
        if self.share(digest) != digest:
            raise ResourceError(
                f"process {self.rank} has other {what} than process 0: every machine needs the "
                "same version, the same recipe and the same pictures in the same place."
            )

    @contextmanager
    def in_turn(self) -> Generator[None]:
        """The first process of each machine goes through, then its others."""
        if self.size > 1 and self.local_rank > 0:
            with _talking():
                torch.distributed.barrier(self.patient)
        yield
        if self.size > 1 and self.local_rank == 0:
            with _talking():
                torch.distributed.barrier(self.patient)

    def together(self, model: nn.Module, *, synced: bool = False) -> nn.Module | None:
        """A network whose gradients are averaged over all processes as they come; None for one.

        Args:
            model: its weights and running statistics become those of the first process.
            synced: batch norm looks at the pictures of all processes (see `SyncedNorm`).
        """
        if self.size == 1:
            return None
        from torch.nn.parallel import DistributedDataParallel

        if synced:
            sync_norms(model, self.device)
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, gradient_as_bucket_view=True)

    def unsettled(self, network: nn.Module) -> bool:
        """Whether no gradient has gone through a network of `together` yet. Torch decides after the
        first backward in which order they travel from then on. Where three or more are added, the
        order decides the last bit: the first backward must not count, or a training that was
        interrupted would end with other bits."""
        return self.size > 1 and not getattr(network, "_has_rebuilt_buckets", True)

    def quiet(self, network: nn.Module, *, unless: bool) -> AbstractContextManager[None]:
        """Inside, gradients stay where they are: they travel once a step, with the last of its
        batches. Torch decides in the forward pass, so that belongs inside as well."""
        if unless or self.size == 1:
            return nullcontext()
        assert isinstance(network, torch.nn.parallel.DistributedDataParallel)
        return network.no_sync()

    def align(self, model: nn.Module) -> None:
        """Give every process the weights and running statistics of the first."""
        if self.size > 1:
            with _talking():
                for tensor in model.state_dict().values():
                    torch.distributed.broadcast(tensor, 0)

    def leave(self) -> None:
        """Go on alone: the others end, and nobody waits for them."""
        if self.size > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def is_lost(error: BaseException) -> bool:
    """Whether this says that another process ended, or said nothing for too long."""
    words = str(error).lower()
    return any(sign in words for sign in LOST)


@contextmanager
def _talking() -> Generator[None]:
    try:
        yield
    except RuntimeError as error:
        raise gone(error) from error


def gone(error: BaseException) -> ResourceError:
    """What a person is told of such an error."""
    return ResourceError(
        "another process of this training ended or does not answer; what it said tells why "
        f"({str(error).splitlines()[0][:100]})."
    )


ALONE = World(torch.device("cpu"))
"""For what one process does by itself, whoever else there is."""


def find_world(device: str = "auto") -> World:
    """The world for `auto`, `cpu`, `cuda`, `cuda:1` or `mps`; `auto` takes a GPU if there is one.

    Under `torchrun` it is shared with the other processes, each with a GPU of its own.

    Raises:
        ResourceError: if that device is not there, or the others cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1
    if size == 1:
        return World(_find_device(device), launch=_find_launch())
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    place = _find_device(device)
    if place.type == "cuda":
        place = _find_device(f"cuda:{local}")
        torch.cuda.set_device(place)
    return World(place, rank, size, local, _meet(place), _find_launch())


def _find_launch() -> str:
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    if name is None:
        return ""
    name = "" if name == "none" else name  # torchrun's word for no name
    agent = os.getppid()
    # In a container its number is 1 every time, so when it began is looked at as well. Restarts
    # cannot be told by TORCHELASTIC_RESTART_COUNT: each machine's torchrun counts its own failures.
    began = ""
    with contextlib.suppress(OSError):
        began = Path(f"/proc/{agent}/stat").read_text("utf-8").rpartition(")")[2].split()[19]
    return f"{name} {socket.gethostname()}-{agent}-{began}"


def _meet(place: torch.device) -> Any:
    """Join the other processes; returns the group that has time to wait."""
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    backend = "cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo"
    try:
        if not distributed.is_initialized():
            store, rank, size = next(iter(rendezvous("env://", timeout=SILENCE)))
            store = distributed.PrefixStore(_find_round(store, rank, size), store)  # pyright: ignore[reportPrivateImportUsage]
            distributed.init_process_group(
                backend, store=store, rank=rank, world_size=size, timeout=SILENCE
            )
        return distributed.new_group(backend="gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ResourceError(f"the other processes cannot be reached: {error}") from error


def _find_round(store: Any, rank: int, size: int) -> str:
    """A name for these very processes, which no earlier ones used.

    torchrun may keep its store when it starts them anew (torch 2.14 does), and the addresses of the
    dead would be found in it. Nothing that torchrun says is new each time and the same for all, so
    each leaves a mark of its own; the first reads all marks out, and again while one that it read
    does not answer: that was left by a dead process whose place is about to be taken.
    """
    mark, until = secrets.token_hex(8), time.monotonic() + SILENCE.total_seconds()
    store.set(f"here/{rank}", mark)
    while time.monotonic() < until:
        if rank == 0:
            marks = [store.get(f"here/{other}").decode() for other in range(size)]
            store.set("called", " ".join(marks))
        called = store.get("called").decode()
        marks = called.split()
        name = hashlib.sha256(called.encode()).hexdigest()
        if len(marks) == size and marks[rank] == mark:
            store.set(f"heard/{mark}", name)
            if rank == 0 and all(_heard(store, other, name) for other in marks):
                store.set(name, "begins")
            if store.check([name]):
                return name
        time.sleep(0.05)
    raise RuntimeError(f"not all {size} came within {SILENCE.total_seconds():.0f} seconds")


def _heard(store: Any, mark: str, name: str) -> bool:
    return store.check([f"heard/{mark}"]) and store.get(f"heard/{mark}").decode() == name


def _find_device(device: str) -> torch.device:
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.ones(1, device=found).item()  # `meta` has no numbers; others lack their module
    except (RuntimeError, AssertionError, ImportError) as error:
        raise ResourceError(
            f"device `{device}` is not available here; try `--device cpu`."
        ) from error
    return found
