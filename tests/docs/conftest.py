"""The folder in which a page is read: small made pictures under the names that pages use."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.docs.fences import ROOT

from shortcut.models import create_model
from shortcut.models.tensorfiles import write_tensors

CACHE = "cache"
COLOURS = {
    "cat": (200, 90, 50),
    "dog": (60, 90, 190),
    "hotdog": (190, 60, 60),
    "other": (60, 150, 60),
}


def paint(path: Path, number: int) -> None:
    """A noisy picture of 48x40 pixels whose colour tells the class in its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [*reversed(path.parts)]
    kinds = [kind for name in names for kind in COLOURS if name.split(".")[0] == kind]
    noise = np.random.default_rng(number)
    colour = COLOURS[kinds[0] if kinds else "other"]
    pixels = noise.normal(colour, 25, size=(40, 48, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def furnish(folder: Path) -> None:
    """Make all the data that pages name, few pictures of each, and the scripts they call."""
    names = [f"photos/{kind}/{n}.jpg" for kind in ("cat", "dog") for n in range(10)]
    names += [f"other-photos/{kind}/{n}.jpg" for kind in ("cat", "dog") for n in range(3)]
    names += ["a.jpg", "lunch.jpg", "more-photos/1.jpg", "more-photos/2.jpg"]
    for kind in ("hotdog", "not-hotdog"):
        names += [f"hotdog/train/{kind}/{n}.jpg" for n in range(4)]
        names += [f"hotdog/test/{kind}/{n}.jpg" for n in range(2)]
    for kind in ("cat", "dog"):
        names += [f"cats-dogs/train/{kind}.{n}.jpg" for n in range(1, 7)]
        names += [f"cats-dogs/test/{kind}.{n}.jpg" for n in range(4001, 4004)]
        names += [f"cifar10/train/{kind}/{n}.png" for n in range(10)]
        names += [f"cifar10/test/{kind}/{n}.png" for n in range(5)]
    for number, name in enumerate(names):
        paint(folder / name, number)
    for name in ("examples", "docs", "src", "benchmarks"):
        if (ROOT / name).is_dir():
            (folder / name).symlink_to(ROOT / name)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A furnished folder."""
    furnish(tmp_path)
    # What `--weights imagenet` would have fetched; random numbers do for a page.
    model = create_model("resnet18", num_classes=1000)
    found = tmp_path / CACHE / "weights" / "resnet18-imagenet.safetensors"
    write_tensors(found, model.state_dict(), {})
    return tmp_path


@pytest.fixture
def reader(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """The environment of a reader: our commands first, a cache of its own, no terminal, no
    proxies."""

    def environment() -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        return kept | {
            "PATH": path,
            "SHORTCUT_CACHE": str(tmp_path / CACHE),
            "MPLBACKEND": "agg",
            "PYTHONWARNINGS": "ignore",
        }

    return environment
