"""Folders of files that are whole or not there: sealed by a manifest of sizes and SHA-256.

A folder is filled under another name, every file is flushed to the disk, the manifest is written
last, and then the folder gets its name. So a crash at any point leaves the folders that were
there before, and one that half exists has no manifest. Reading checks every byte: safetensors by
themselves would not notice a flipped one.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shortcut.disk import flush_folder, write_through
from shortcut.errors import ModelError, ResourceError

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"
"""Ends the name of a folder that is being filled, or was when its process died."""


def seal(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write `files`, name and content each, as a new folder; they are asked for one at a time.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    unfinished = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        manifest: dict[str, dict[str, int | str]] = {}
        for name, content in files:
            write_through(unfinished / name, content)
            digest = hashlib.sha256(content).hexdigest()
            manifest[name] = {"bytes": len(content), "sha256": digest}
        write_through(unfinished / MANIFEST, _as_bytes(manifest))
        flush_folder(unfinished)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    flush_folder(folder.parent)


def unseal(folder: Path) -> dict[str, bytes]:
    """The content of every file that the manifest names, by file name.

    Raises:
        ModelError: a file is missing, or is not what was written; the first such is named.
        ResourceError: a file cannot be read: the disk, the network or permissions fail, which says
            nothing of the file.
    """
    try:
        written = (folder / MANIFEST).read_bytes()
        manifest: dict[str, Any] = json.loads(written)
        if written != _as_bytes(manifest) or any(name != Path(name).name for name in manifest):
            raise ValueError(MANIFEST)
        wanted = {name: (int(at["bytes"]), str(at["sha256"])) for name, at in manifest.items()}
    except FileNotFoundError as error:
        raise ModelError(f"{MANIFEST} is missing") from error
    except OSError as error:
        raise _unreadable(folder / MANIFEST, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{MANIFEST} is damaged") from error
    return {name: _checked(folder / name, *facts) for name, facts in wanted.items()}


def _checked(path: Path, size: int, digest: str) -> bytes:
    try:
        found = path.stat().st_size
        if found != size:
            raise ModelError(f"{path.name} has {found:,} of {size:,} bytes")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path.name} is missing") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ModelError(f"{path.name} is not what was written")
    return content


def _unreadable(path: Path, error: OSError) -> ResourceError:
    return ResourceError(f"{path}: cannot be read ({error.strerror}).")


def _as_bytes(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1).encode()
