"""What the tests of weight files share: small states, pickles, a trap, a full disk, one line."""

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor


def message(error: type[Exception], call: Callable[[], object]) -> str:
    """What `call` raises, which must be one line that ends as a sentence does."""
    with pytest.raises(error) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith((".", "?"))
    return said


def names(folder: Path) -> list[str]:
    """Everything under `folder`, hidden files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def small_state() -> dict[str, Tensor]:
    """Too little for any network."""
    return {"conv1.weight": torch.randn(4, 3, 3, 3), "bn1.num_batches_tracked": torch.tensor(7)}


def pickled(content: object, zipped: bool = True) -> bytes:
    """What `torch.save` makes of it, today or before torch 1.6."""
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


class Armed:
    """A pickle of this makes a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.folder,)


class Hungry:
    """A pickle of this wants 8 GiB when it is loaded."""

    def __reduce__(self) -> tuple[type[bytearray], tuple[int]]:
        return bytearray, (8 << 30,)


def inflating(size: int) -> bytes:
    """A state dict whose one tensor takes `size` bytes, zipped to a thousandth of that."""
    plain = io.BytesIO(pickled({"a": torch.zeros(size, dtype=torch.uint8)}))
    bomb = io.BytesIO()
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(bomb, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED, compresslevel=1)
    return bomb.getvalue()


@contextlib.contextmanager
def small_files(limit: int) -> Iterator[None]:
    """The system itself refuses to write past `limit` bytes of a file, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
