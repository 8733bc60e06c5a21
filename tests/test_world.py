"""Where the work is done."""

import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.test_training import make_job
from torch import distributed

from shortcut import world
from shortcut.data.loaders import Batch
from shortcut.errors import ResourceError
from shortcut.job import Job
from shortcut.step import train_step
from shortcut.world import World, find_world


def test_auto_is_the_best_device_there_is():
    found = find_world("auto")
    if torch.cuda.is_available():
        assert found.device.type == "cuda"
    elif torch.backends.mps.is_available():
        assert found.device.type == "mps"
    else:
        assert found == World(torch.device("cpu"))
    assert find_world() == found


def test_one_process_alone():
    world = find_world("cpu")
    assert (world.device.type, world.rank, world.size) == ("cpu", 0, 1)


def test_a_cpu_is_described_by_its_threads():
    assert find_world("cpu").describe() == f"{torch.get_num_threads()} CPU threads"


@pytest.mark.parametrize("device", ["nonsense", "", "cuda:99", "cpu cuda", "vulkan", "hpu", "meta"])
def test_a_device_that_is_not_here_or_cannot_train(device):
    expected = f"device `{device}` is not available here; try `--device cpu`."
    with pytest.raises(ResourceError, match=re.escape(expected)) as refusal:
        find_world(device)
    assert refusal.value.exit_code == 5


def test_no_gpu_here():
    """In a process of its own, from which a GPU of this machine, if there is one, is hidden."""
    code = "from shortcut.world import find_world\nfind_world('cuda')"
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run([sys.executable, "-c", code], env=hidden, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "ResourceError: device `cuda` is not available here" in ended.stderr.splitlines()[-1]


# Which launch, which round ---------------------------------------------------------------


def test_a_launch_is_known_where_it_started_one_process_too(monkeypatch):
    assert find_world("cpu").launch == ""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "photos-1")
    launch = find_world("cpu").launch
    assert launch.startswith("photos-1 ") and f"-{os.getppid()}-" in launch
    assert find_world("cpu").launch == launch
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert find_world("cpu").launch == launch.removeprefix("photos-1")


@pytest.fixture
def store() -> Any:
    """As torchrun keeps it from one start to the next."""
    return distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def meet(store: Any, *ranks: int, size: int) -> list[str]:
    """What processes of these ranks find, each with a connection of its own."""

    def find(rank: int) -> str:
        link = distributed.TCPStore("127.0.0.1", store.port, timeout=timedelta(seconds=20))
        return world._find_round(link, rank, size)

    with ThreadPoolExecutor(len(ranks)) as pool:
        return list(pool.map(find, ranks))


def test_each_start_has_a_name_of_its_own(store):
    names = [set(meet(store, *range(size), size=size)) for size in (2, 2, 3, 2)]
    assert all(len(found) == 1 for found in names)
    assert len(set.union(*names)) == 4


def test_what_the_dead_left_is_not_taken_for_an_answer(store, monkeypatch):
    """An earlier start left marks for three; the second process comes when the first has called."""
    meet(store, 0, 1, 2, size=3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(meet, store, 0, 2, size=3)
        threading.Event().wait(0.5)
        assert not first.done()
        (late,) = meet(store, 1, size=3)
        assert first.result() == [late, late]
    monkeypatch.setattr(world, "SILENCE", timedelta(seconds=0.3))
    with pytest.raises(RuntimeError, match="not all 3 came"):
        meet(store, 0, 2, size=3)


# A step ----------------------------------------------------------------------------------


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A group of one, which talks as a group of many does."""
    place = f"file://{tmp_path}/{secrets.token_hex(4)}"
    distributed.init_process_group("gloo", init_method=place, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_gradients_travel_once_a_step(tiny_photos: Path):
    job = make_job(tiny_photos, {"train.accumulate": 3})
    job.world = World(torch.device("cpu"), size=2)
    job.shared, job.pieces = job.world.together(job.classifier.model), 2
    assert job.shared is not None
    sent: list[int] = []

    def count(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
        sent.append(bucket.index())
        future: Any = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future

    job.shared.register_comm_hook(None, count)
    train_step(job, batches(job), 0)  # once more than it takes: the order is settled
    sent.clear()
    train_step(job, batches(job), 0)
    assert sent and len(sent) == len(set(sent))  # a bucket each


def batches(job: Job) -> list[Batch]:
    images = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)
    labels = torch.tensor(job.train.labels[:4])
    return [Batch(images, labels, tuple(range(4)), 4, 12) for _ in range(3)]
