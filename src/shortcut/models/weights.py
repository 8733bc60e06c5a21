"""Weights between file and network: one safe format, torchvision's files, an exact fit.

Nothing here runs what a file contains. Pickles are refused, but for the published ones: those
are checked by hash, read with torch's restricted unpickler, and converted once.
"""

import contextlib
import hashlib
import http.client
import os
import re
import secrets
import tempfile
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from shortcut.errors import ModelError, ResourceError
from shortcut.models.variants import VARIANTS, find_variant

PICKLES = (".pt", ".pth", ".pkl")
CHUNK = 1 << 20
LARGEST_DOWNLOAD = 1 << 30
"""Bytes. Every published file has less than half; an endless answer must not fill the disk."""
TIMEOUT = 30.0
"""Seconds without a byte from the server."""
COUNTER = ".num_batches_tracked"

Bytes = tuple[int, int]
"""(bytes done, bytes in all); the second is 0 where the server does not say."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write one safetensors file, whole or not at all; its folder is made if need be.

    Tensors may lie on any device, in any memory layout, and share memory: each is written in
    full, in the default layout. A crash leaves the older file or the new one, never a mixture.

    Raises:
        ResourceError: disk full, no permission, or another fault; an older file stays intact.
    """
    # None, because safetensors cannot read back what it makes of no tensors and no metadata.
    content = to_safetensors(_independent(tensors), dict(metadata) or None)
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
            f"cannot write `{path}`: {_reason(error)}. Free space or choose another place."
        ) from error
    _flush_folder(path.parent)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors (on the CPU, in memory of their own) and metadata of a safetensors file.

    Raises:
        ModelError: no such file, a folder, a pickle, a broken file, no permission to read.
    """
    try:
        path.stat()  # the system's own reason where there is nothing to read
        if path.is_dir():
            raise ModelError(f"`{path}` is a folder. Name a .safetensors file in it.")
        if path.suffix.lower() in PICKLES:
            raise ModelError(
                f"`{path}` is a pickle: pickles can run code and are not loaded. "
                "Name a .safetensors file."
            )
        with safe_open(path, framework="pt") as file:
            # Cloned: safetensors may give views of the file, which die if it is cut short.
            tensors = {name: file.get_tensor(name).clone() for name in list(file.keys())}
            return tensors, dict(file.metadata() or {})
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {_reason(error)}. Check the path.") from error
    except SafetensorError as error:
        raise ModelError(
            f"`{path}` is not a whole safetensors file: {_reason(error)}. "
            "Copy it again, or name another."
        ) from error


def fetch_imagenet(
    name: str, cache: Path, *, url: str | None = None
) -> Generator[Bytes, None, Path]:
    """The published ImageNet weights of `name`, as `cache/weights/<name>-imagenet.safetensors`.

    If that file is there, nothing is fetched. Otherwise torchvision's newest weights are
    downloaded, checked and converted; progress is yielded after each piece, the path returned. The
    metadata hold `source` (address), `sha256` (of the download) and `weights` (its name).

    Args:
        name: a name from `list_models()` that torchvision has weights for.
        cache: folder to keep the file in; made if need be.
        url: another address of the same file; its name must end in `-` and 8 hex digits of its
            SHA-256.

    Raises:
        ModelError: unknown name, no published weights, a wrong hash, or a file that holds more than
            tensors.
        ResourceError: no network, the server refuses, or the disk is full. Nothing is kept then.
    """
    find_variant(name)
    target = cache / "weights" / f"{name}-imagenet.safetensors"
    if target.is_file():
        return target
    published, weights = _published(name)
    source = url or published
    if _file_name(source) != _file_name(published):
        weights = _file_name(source)
    expected = _expected_hash(source)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Nameless where the system allows it: even a killed download leaves nothing behind.
        with tempfile.TemporaryFile(dir=target.parent) as file:
            digest = hashlib.sha256()
            for chunk, total in _download(source, target):
                digest.update(chunk)
                file.write(chunk)
                yield file.tell(), total
            if not digest.hexdigest().startswith(expected):
                raise ModelError(
                    f"{source} came with SHA-256 {digest.hexdigest()[:8]}..., not {expected}...: "
                    "it is not the file it says. Nothing is kept; try another network."
                )
            file.seek(0)
            tensors = _unpickle_tensors(file, source)
    except OSError as error:
        raise ResourceError(
            f"cannot write in `{target.parent}`: {_reason(error)}. "
            "Free space or choose another cache folder."
        ) from error
    facts = {"source": source, "sha256": digest.hexdigest(), "weights": weights}
    write_tensors(target, tensors, facts)
    return target


def load_matching(model: nn.Module, tensors: Mapping[str, Tensor], *, new_head: bool) -> list[str]:
    """Copy `tensors` into `model`; all shapes are checked before anything is copied.

    Files from before torch 0.4.1 lack `num_batches_tracked`: the model's own counters stay.

    Args:
        model: the network, on any device.
        tensors: by name, as in a state dict.
        new_head: leave out `fc` where its shape differs, as it does for other classes.

    Returns:
        Names of the tensors left as they were initialised: none, or those of `fc`.

    Raises:
        ModelError: one is missing, unexpected or of another shape; the model is unchanged.
    """
    own: dict[str, Tensor] = model.state_dict()
    head = [name for name in own if name.startswith("fc.") and name in tensors]
    # Weight and bias go together: either means nothing without the other.
    swap = new_head and any(tensors[name].shape != own[name].shape for name in head)
    fresh = head if swap else []
    optional = {name for name in own if name.endswith(COUNTER) and name not in tensors}
    wanted = [name for name in own if name not in fresh and name not in optional]
    wrong: list[str] = []
    for name in dict.fromkeys([*wanted, *tensors]):
        given, needed = _shape(tensors.get(name)), _shape(own.get(name))
        if name not in fresh and given != needed:
            wrong.append(f"`{name}` is {given} in the weights and {needed} in the network")
    if wrong:
        more = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        advice = "Name the network they were made for."
        raise ModelError(f"the weights do not fit the network: {wrong[0]}{more}. {advice}")
    with torch.no_grad():
        for name in wanted:
            own[name].copy_(tensors[name])
    return fresh


def _shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else str(tuple(tensor.shape))


def _reason(error: Exception) -> str:
    """An error's own words on one line, without its number and file name."""
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        error = error.reason
    if isinstance(error, FileExistsError):  # from mkdir, where "File exists" would be a riddle
        return f"`{error.filename}` is a file, not a folder"
    said = error.strerror if isinstance(error, OSError) else None
    return " ".join((said or str(error) or type(error).__name__).split()).rstrip(".")


def _independent(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
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


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    # The file is in place by now; Windows and some network disks cannot flush a folder.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _published(name: str) -> tuple[str, str]:
    """Address and name of torchvision's newest weights: IMAGENET1K_V2, else V1."""
    from torchvision import models  # slow to import, and needed for a download only

    known = set(models.list_models(module=models))
    if name not in known:
        having = ", ".join(row for row in VARIANTS if row in known)
        raise ModelError(f"`{name}` has no published ImageNet weights. These have: {having}.")
    weights = models.get_model_weights(name)["DEFAULT"]
    return weights.url, str(weights)


def _file_name(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).name


def _expected_hash(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ModelError(f"`{url}` is no http or https address.")
    found = re.search(r"-([0-9a-f]{8})\.pth$", _file_name(url))
    if found is None:
        raise ModelError(
            f"`{url}` cannot be checked: its file name does not end like `-f37072fd.pth`. "
            "Use the file's published name."
        )
    return found[1]


def _download(url: str, target: Path) -> Iterator[tuple[bytes, int]]:
    """Pieces of the file at `url`, each with the bytes in all, 0 where the server is silent."""
    done = 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            total: int = response.length or 0
            while chunk := response.read(CHUNK):
                done += len(chunk)
                if max(done, total) > LARGEST_DOWNLOAD:
                    raise ModelError(f"{url} has over {LARGEST_DOWNLOAD:,} bytes: refused.")
                yield chunk, total
        if done < total:  # read() does not mind
            raise http.client.HTTPException(f"the answer ended {total - done:,} bytes early")
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the answer too, and holds the connection open
        raise ResourceError(
            f"cannot fetch {url}: {_reason(error)} after {done:,} bytes. Try again, "
            f"or put the weights by hand, as safetensors, at `{target}`."
        ) from error


def _unpickle_tensors(file: IO[bytes], source: str) -> dict[str, Tensor]:
    """A state dict from a published file, read without running anything in it."""
    refusal = f"{source} is not a plain state dict: nothing in it was run, nothing is kept."
    try:
        content: object = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # given nonsense, an unpickler may raise anything
        # torch's own reason is left out: it advises to load the file without the check.
        raise ModelError(refusal) from error
    tensors: dict[str, Tensor] = {}
    for name, value in content.items() if isinstance(content, dict) else ():
        dense = isinstance(value, Tensor) and value.layout is torch.strided
        if not dense or value.is_quantized:
            raise ModelError(refusal)
        tensors[str(name)] = value
    if not tensors:
        raise ModelError(refusal)
    return tensors
