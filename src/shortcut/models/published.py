"""The weights that torchvision has published: download, check, convert once, keep."""

import hashlib
import http.client
import re
import tempfile
import urllib.request
from collections.abc import Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit

from torch import Tensor

from shortcut.disk import reason_of
from shortcut.errors import ModelError, ResourceError
from shortcut.events import Notice, Progress
from shortcut.models.pickles import open_pickle
from shortcut.models.resnet import ResNet
from shortcut.models.tensorfiles import read_tensors, write_tensors
from shortcut.models.variants import VARIANTS, find_variant
from shortcut.models.weights import load_matching

CHUNK = 1 << 20
LARGEST_DOWNLOAD = 1 << 30
"""Bytes. Every published file has less than half; an endless answer must not fill the disk."""
TIMEOUT = 30.0
"""Seconds without a byte from the server."""

Bytes = tuple[int, int]
"""(bytes done, bytes in all); the second is 0 where the server does not say."""


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
            file.flush()  # here, so that a full disk is named as what it is
            tensors = _unpickled(file, source)
    except OSError as error:
        raise ResourceError(
            f"cannot write in `{target.parent}`: {reason_of(error)}. "
            "Free space or choose another cache folder."
        ) from error
    facts = {"source": source, "sha256": digest.hexdigest(), "weights": weights}
    write_tensors(target, tensors, facts)
    return target


def _unpickled(file: IO[bytes], source: str) -> dict[str, Tensor]:
    try:
        return open_pickle(file, source)[0]
    except ModelError as error:
        raise ModelError(f"{error} Nothing is kept.") from error


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
            f"cannot fetch {url}: {reason_of(error)} after {done:,} bytes. Try again, "
            f"or put the weights by hand, as safetensors, at `{target}`."
        ) from error


def load_imagenet(
    model: ResNet, name: str, cache: Path
) -> Generator[Progress | Notice, None, None]:
    """Fetch the weights of network `name` and fill `model` with them; where it has other classes,
    its last layer stays as it is.

    Raises:
        ModelError, ResourceError: as `fetch_imagenet` raises them.
    """
    download = fetch_imagenet(name, cache)
    while True:
        try:
            done, total = next(download)
        except StopIteration as end:
            path: Path = end.value
            break
        yield Progress(f"fetching ImageNet weights for {name}", done, total)
    tensors, facts = read_tensors(path)
    yield Notice(f"weights: ImageNet for {name}, SHA-256 {facts.get('sha256', 'unknown')}")
    fresh = load_matching(model, tensors, new_head=True)
    if fresh:
        yield Notice(f"new last layer for these classes: {', '.join(fresh)}")
