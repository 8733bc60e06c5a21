"""Files of named tensors: safetensors, written whole or not at all; reading runs nothing, and of a
file that is not to be trusted names and shapes can be seen before memory is taken for numbers."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from shortcut.disk import reason_of, write_whole
from shortcut.errors import ModelError, printable

Kind = Literal["safetensors", "pickle", "other"]

FLOATS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
INTEGERS = frozenset({torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64})
LARGEST_HEADER = 4 << 20
"""Bytes. Names and shapes of the largest network take 0.1 MB, names of 22,000 classes 0.7 MB."""
MOST_QUOTES = 400_000
"""In a header: those around the names of 100,000 classes and more."""
MOST_TENSORS = 10_000
"""In the file of a network; the largest here has 930, a checkpoint of it three times as many."""
LONGEST_NAME = 200
"""Letters in the name of a tensor; the longest here has 40."""
MOST_DIMENSIONS = 8
"""Of a tensor; the weights of a convolution have 4."""


@dataclass(frozen=True)
class TensorFile:
    """A safetensors file that is open: names, shapes and metadata are read, numbers are not."""

    path: Path
    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]
    _file: Any = field(repr=False)

    def tensors(self) -> dict[str, Tensor]:
        """All of them, on the CPU, in memory of their own.

        Raises:
            ModelError: the file changed meanwhile, or its numbers are of a kind that torch lacks.
        """
        with _named(self.path):
            # Cloned: safetensors may give views of the file, which die if it is cut short.
            return {name: self._file.get_tensor(name).clone() for name in self.shapes}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write one safetensors file, whole or not at all; its folder is made if need be.

    Tensors may lie on any device, in any memory layout, and share memory: each is written in
    full, in the default layout. A crash leaves the older file or the new one, never a mixture.

    Raises:
        ModelError: names and metadata are so many that the file could not be read back.
        ResourceError: disk full, no permission, or another fault; an older file stays intact.
    """
    content = tensor_bytes(tensors, metadata)
    try:
        _check_header(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except SafetensorError as error:
        raise ModelError(
            f"`{path}` is not written, since it could not be read back: {error}. "
            "Shorten the names of the classes."
        ) from error
    write_whole(path, content)


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """The content of a safetensors file."""
    # None, because safetensors cannot read back what it makes of no tensors and no metadata.
    return to_safetensors(independent(tensors), dict(metadata or {}) or None)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors (on the CPU, in memory of their own) and metadata of a safetensors file.

    Raises:
        ModelError: no such file, a folder, a pickle, a broken file, no permission to read.
    """
    with open_tensors(path) as file:
        return file.tensors(), file.metadata


@contextmanager
def open_tensors(path: Path) -> Generator[TensorFile]:
    """Open a safetensors file and read its header, which takes memory of its size and no more.

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
    with _named(path):
        if header := _header_of(path):  # else safetensors says that it is missing
            _check_header(header)
        opened = safe_open(path, framework="pt")
    with opened as file:
        with _named(path):
            # Of a slice only its shape is asked for; nothing is read for it.
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in list(file.keys())}
            metadata = dict(file.metadata() or {})
        yield TensorFile(path, shapes, metadata, file)


def check_outline(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse names and ranks that no network gives its tensors; what is left fits in a message.

    Raises:
        ModelError: a name is too long or holds controls, a tensor has too many dimensions, or
            there are too many.
    """
    if len(shapes) > MOST_TENSORS:
        raise ModelError(f"`{path}` has {len(shapes):,} tensors, more than any network here.")
    for name, shape in shapes.items():
        if not name.isprintable() or len(name) > LONGEST_NAME:
            reason = f"`{printable(name)}` is no name of a tensor"
        elif len(shape) > MOST_DIMENSIONS:
            reason = f"`{name}` has {len(shape):,} dimensions"
        else:
            continue
        raise ModelError(f"`{path}` is refused: {reason}. Name another file.")


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


def _check_header(header: bytes) -> None:
    """Before safetensors reads it: that takes up to 100 MB, of which it makes a gigabyte, and of
    two entries of one name it takes the last."""
    # Of strings most is made: each entry has at least one, in two quotes.
    if len(header) > LARGEST_HEADER or header.count(b'"') > MOST_QUOTES:
        raise SafetensorError("header too large")
    try:
        json.loads(header.decode("utf-8"), object_pairs_hook=_unlike)
    except (ValueError, RecursionError) as error:
        raise SafetensorError(f"invalid JSON in header: {error}") from error


def _unlike(pairs: list[tuple[str, object]]) -> None:
    """No object is made: all that is asked is whether a name stands twice in it."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")


def _header_of(path: Path) -> bytes:
    """As much of it as may be read; nothing where the file ends before."""
    with path.open("rb") as file:
        if (length := int.from_bytes(file.read(8), "little")) > LARGEST_HEADER:
            raise SafetensorError("header too large")
        header = file.read(length)
    return header if len(header) == length else b""


@contextmanager
def _named(path: Path) -> Generator[None]:
    """What goes wrong inside is said of this file."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {reason_of(error)}. Check the path.") from error
    except (SafetensorError, TypeError, ValueError) as error:  # torch's, of what it cannot count
        raise ModelError(
            f"`{path}` is not a whole safetensors file: {printable(reason_of(error), 200)}. "
            "Copy it again, or name another."
        ) from error
