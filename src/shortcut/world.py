"""Where the work is done: the device, and how many processes share it. No other file knows.

`torchrun` starts the processes and tells each its place in the environment. What they say to each
other goes through torch's own collectives: gloo between processors, nccl between GPUs.
"""

import os
import socket
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from shortcut.errors import ResourceError

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
    """Names what `torchrun` was asked for, the same after a restart; empty without it."""
    restarts: int = 0
    """How often `torchrun` has started the processes anew."""

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
            _sync_norms(model, self)
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, gradient_as_bucket_view=True)

    def quiet(self, network: nn.Module, *, unless: bool) -> AbstractContextManager[None]:
        """Inside, gradients stay where they are: they travel once a step, with the last of its
        batches."""
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
        return World(_find_device(device))
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    place = _find_device(device)
    if place.type == "cuda":
        place = _find_device(f"cuda:{local}")
        torch.cuda.set_device(place)
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    patient = _meet(place, restarts)
    launch = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    if launch == "none":  # torchrun's default is no name; its process is one
        launch = f"{socket.gethostname()}-{os.getppid()}"
    return World(place, rank, size, local, patient, launch, restarts)


def _meet(place: torch.device, restarts: int) -> Any:
    """Join the other processes; returns the group that has time to wait."""
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    backend = "cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo"
    try:
        if not distributed.is_initialized():
            store, rank, size = next(iter(rendezvous("env://", timeout=SILENCE)))
            # torchrun may keep its store when it starts anew (seen with torch 2.14), and the
            # addresses of the dead would be found in it.
            store = distributed.PrefixStore(f"start-{restarts}", store)  # pyright: ignore[reportPrivateImportUsage]
            distributed.init_process_group(
                backend, store=store, rank=rank, world_size=size, timeout=SILENCE
            )
        return distributed.new_group(backend="gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ResourceError(f"the other processes cannot be reached: {error}") from error


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


class SyncedNorm(nn.BatchNorm2d):
    """Batch norm over the pictures of all processes, on processors; on GPUs torch has its own,
    `torch.nn.SyncBatchNorm`."""

    world: World

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, by the mean and variance over all processes when training."""
        if not self.training:
            return super().forward(input)
        from torch.distributed.nn.functional import all_reduce

        axes = (0, 2, 3)
        count = self.world.sum(torch.tensor(float(input.numel() // input.size(1))))
        mean: Tensor = all_reduce(input.float().sum(axes)) / count
        centred = input.float() - mean[:, None, None]
        variance: Tensor = all_reduce(centred.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach(), count)
        scaled = centred * (variance + self.eps).rsqrt()[:, None, None]
        return (scaled * self.weight[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        self.num_batches_tracked += 1


def _sync_norms(model: nn.Module, world: World) -> None:
    """Every batch norm of `model` changes its kind, and keeps its numbers and its name."""
    if world.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return
    for layer in model.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SyncedNorm
            assert isinstance(layer, SyncedNorm)
            layer.world = world
