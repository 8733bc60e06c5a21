"""Where the work is done."""

import re

import pytest
import torch

from shortcut.errors import ResourceError
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_no_gpu_here():
    with pytest.raises(ResourceError, match="device `cuda` is not available here"):
        find_world("cuda")
