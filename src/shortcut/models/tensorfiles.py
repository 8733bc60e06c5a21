"""Files of named tensors: safetensors, written whole or not at all; reading runs nothing."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.error import URLError

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from shortcut.errors import ModelError, ResourceError

Kind = Literal["safetensors", "pickle", "other"]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write one safetensors file, whole or not at all; its folder is made if need be.

    Tensors may lie on any device, in any memory layout, and share memory: each is written in
    full, in the default layout. A crash leaves the older file or the new one, never a mixture.

    Raises:
        ResourceError: disk full, no permission, or another fault; an older file stays intact.
    """
    # None, because safetensors cannot read back what it makes of no tensors and no metadata.
    write_whole(path, to_safetensors(independent(tensors), dict(metadata) or None))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; its folder is made if need be.

    Raises:
        ResourceError: disk full, no permission, or another fault; an older file stays intact.
    """
    # Beside the target, because a rename cannot cross file systems.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # else a power cut can leave the name on an empty file
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ResourceError(
            f"cannot write `{path}`: {reason_of(error)}. Free space or choose another place."
        ) from error
    _flush_folder(path.parent)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors (on the CPU, in memory of their own) and metadata of a safetensors file.

    Raises:
        ModelError: no such file, a folder, a pickle, a broken file, no permission to read.
    """
    if kind_of(path) == "pickle":
        raise ModelError(
            f"`{path}` is a pickle: pickles can run code and are not loaded. "
            f"`shortcut import-weights {path}` takes the weights out of it safely."
        )
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ModelError(
            f"`{path}` cannot be opened: safetensors takes names in UTF-8 alone. Rename it."
        ) from error
    try:
        with safe_open(path, framework="pt") as file:
            # Cloned: safetensors may give views of the file, which die if it is cut short.
            tensors = {name: file.get_tensor(name).clone() for name in list(file.keys())}
            return tensors, dict(file.metadata() or {})
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {reason_of(error)}. Check the path.") from error
    except SafetensorError as error:
        raise ModelError(
            f"`{path}` is not a whole safetensors file: {reason_of(error)}. "
            "Copy it again, or name another."
        ) from error


def kind_of(path: Path) -> Kind:
    """What a file begins as, whatever its name ends in: nothing is promised of the rest.

    Raises:
        ModelError: no such file, a folder, a pipe, no permission to read.
    """
    try:
        path.stat()  # the system's own reason where there is nothing to read
        if path.is_dir():
            raise ModelError(f"`{path}` is a folder. Name a file in it.")
        if not path.is_file():  # it could be read once, and some wait for ever
            raise ModelError(f"`{path}` is a pipe or a device. Save it as a file first.")
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {reason_of(error)}. Check the path.") from error
    if head[8:] == b"{":  # after the length of the header, its first brace
        return "safetensors"
    # `torch.save` writes a zip archive; before torch 1.6 it wrote pickles one after the other.
    return "pickle" if head.startswith((b"PK\x03\x04", b"\x80")) else "other"


def independent(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, contiguous, no two in one memory: safetensors refuses all else."""
    ready: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        if plain.untyped_storage().data_ptr() in seen:
            plain = plain.clone()
        seen.add(plain.untyped_storage().data_ptr())
        ready[name] = plain
    return ready


def reason_of(error: Exception) -> str:
    """An error's own words on one line, without its number and file name."""
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        error = error.reason
    if isinstance(error, FileExistsError):  # from mkdir, where "File exists" would be a riddle
        return f"`{error.filename}` is a file, not a folder"
    said = error.strerror if isinstance(error, OSError) else None
    return " ".join((said or str(error) or type(error).__name__).split()).rstrip(".")


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    # The file is in place by now; Windows and some network disks cannot flush a folder.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
