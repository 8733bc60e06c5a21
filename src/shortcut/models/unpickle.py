"""The child process that opens a pickle: limits first, then tensors, or one line that says why not.

    python -P -m shortcut.models.unpickle RESULT.safetensors < FILE

Three locks, since torch's restricted unpickler has had holes (CVE-2025-32434, CVE-2026-24747): that
unpickler; a process whose death harms nobody, with an end to its memory; and a result that is
numbers and names only, in another format, which the parent checks against the shapes of a network.
`pickles.py` is the parent's side.
"""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from shortcut.models.tensorfiles import FLOATS, INTEGERS, independent

FOUND, REFUSED, NO_ROOM = 0, 43, 44
"""Exit codes that nothing else ends with. The reason stands on standard output."""
UNDER = "under"
"""Key in the metadata of RESULT: the entry of the pickle in which the tensors were, or nothing."""

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Entries of a checkpoint that hold a state dict. Averaged weights come first, as in timm: they are
the ones that its and torchvision's training scripts report."""
SLACK = 256 << 20
"""Bytes. What torch, Python and the system may want beside the numbers."""


class RefusalError(Exception):
    """The file holds more or less than it should; the message ends "is refused: "."""


def read_state_dict(file: IO[bytes], allowance: int) -> tuple[dict[str, Tensor], str]:
    """Tensors of a pickled state dict, and the name of the entry in which they were.

    Args:
        file: what `torch.save` wrote; it must be able to seek.
        allowance: most bytes that the tensors may have together.

    Raises:
        RefusalError: more than tensors, less than a state dict, or a damaged file.
    """
    # The settings of torchvision's and timm's training scripts: a bag of values with no methods of
    # its own. It is not looked at, but without this their checkpoints could not be read at all.
    with torch.serialization.safe_globals([argparse.Namespace]):
        content: object = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise RefusalError(f"it holds one {type(content).__name__}, no state dict")
    state, under = content, ""
    for name in WRAPPERS:
        if isinstance(content.get(name), Mapping):
            state, under = content[name], name
            break
    tensors = {_text(name): _dense(name, value) for name, value in state.items()}
    if not tensors:
        raise RefusalError("it holds no tensors")
    size = sum(tensor.nbytes for tensor in tensors.values())
    if size > allowance:
        raise RefusalError(f"its tensors would take {size:,} bytes, far more than the file has")
    return tensors, under


def allowance_for(size: int) -> int:
    """Bytes of memory that reading a file of `size` bytes may take."""
    return SLACK + 4 * size


def main() -> int:
    """Read standard input, write the file named by the first argument; returns the exit code."""
    result = Path(sys.argv[1])
    allowance = allowance_for(os.fstat(sys.stdin.fileno()).st_size)
    _limit_memory(allowance)
    try:
        tensors, under = read_state_dict(sys.stdin.buffer, allowance)
        tensors = independent(tensors)
    except Exception as error:  # given nonsense, an unpickler may raise anything
        print(_reason(error, allowance))
        return REFUSED
    try:
        save_file(tensors, result, {UNDER: under})
    except MemoryError as error:
        print(_reason(error, allowance))
        return REFUSED
    except (OSError, SafetensorError) as error:
        print(error)
        return NO_ROOM
    return FOUND


def _limit_memory(allowance: int) -> None:
    """From now on this process may grow by so many bytes, where the system can hold it to that."""
    # Windows has no `resource`, and macOS takes the limit but does not keep it.
    with contextlib.suppress(ImportError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # its death is expected: no dump of it
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        limit = pages * resource.getpagesize() + allowance
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise RefusalError(f"one of its names is no text but {type(name).__name__}")
    return name


def _dense(name: object, value: object) -> Tensor:
    """`value`, if it is a tensor of plain numbers that lie in the file one by one."""
    if isinstance(value, Mapping):
        wrappers = ", ".join(f"`{wrapper}`" for wrapper in reversed(WRAPPERS))
        raise RefusalError(
            f"`{name}` is a dict of its own; a state dict is the whole file or stands under one of "
            f"{wrappers}"
        )
    if not isinstance(value, Tensor):
        raise RefusalError(f"`{name}` is no tensor but {type(value).__name__}")
    dense = value.layout is torch.strided and value.device.type == "cpu" and not value.is_nested
    if not dense or value.is_quantized or value.dtype not in FLOATS | INTEGERS or value.is_neg():
        kind = f"{value.layout} {value.dtype}".replace("torch.", "")
        raise RefusalError(f"`{name}` is no dense tensor of plain numbers ({kind})")
    if value.nbytes > value.untyped_storage().nbytes():
        raise RefusalError(f"`{name}` claims more numbers than the file holds")
    return value.detach()


def _reason(error: Exception, allowance: int) -> str:
    """Why the file is refused, in one line. torch's own words are left out: they advise to load the
    file without the check."""
    if isinstance(error, RefusalError):
        return str(error)
    if found := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it asks for `{found[1]}`, which is more than tensors"
    if isinstance(error, MemoryError) or "alloc" in str(error):
        return f"reading it takes more than {allowance >> 20:,} MiB of memory"
    return "it is cut short or damaged, or it holds more than tensors"


if __name__ == "__main__":
    sys.exit(main())
