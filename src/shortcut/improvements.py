"""The models that a run keeps: the best, those before it, and the best of each state that it may go
back to."""

import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Literal

from shortcut.disk import HALF, write_whole
from shortcut.errors import ResourceError
from shortcut.events import EpochEnd

REMEMBERED = 2
"""Best models of older states; so many states are there (`checkpoint.KEEP`)."""


def keep_improvement(folder: Path, best: Path, epoch: EpochEnd, keep: int | Literal["all"]) -> None:
    """Copy `best` into `kept/` under a name that tells its figures; only the newest `keep` stay.

    Raises:
        ResourceError: if it cannot be written.
    """
    name = (
        f"epoch{epoch.epoch}+loss{epoch.train_loss:.3f}"
        f"+acc{epoch.val_accuracy:.3f}+lr{epoch.lr:.5f}.safetensors"
    )
    kept = folder / "kept"
    try:
        kept.mkdir(exist_ok=True)
        # A second name for the same bytes costs nothing; `best` is replaced, never written into.
        (kept / name).unlink(missing_ok=True)
        try:
            os.link(best, kept / name)
        except OSError:
            shutil.copyfile(best, kept / name)
        if keep != "all":
            for old in sorted(kept.glob("epoch*+*.safetensors"), key=_epoch_of, reverse=True)[
                keep:
            ]:
                old.unlink()
    except OSError as error:
        raise ResourceError(f"{kept}: cannot be written ({error.strerror}).") from error


def remember_best(folder: Path, epoch: int) -> None:
    """Keep `best.safetensors`, which is of that epoch, for the state that is about to be saved: a
    later epoch will replace it, and be lost if the training has to go on from this state.

    Raises:
        ResourceError: if it cannot be written.
    """
    place = folder / "resume" / f"best-{epoch:04d}.safetensors"
    if place.exists():
        return
    try:
        place.parent.mkdir(exist_ok=True)
        _name_again(folder / "best.safetensors", place)
        for old in _remembered(folder)[:-REMEMBERED]:
            old.unlink()
    except OSError as error:
        raise ResourceError(f"{place}: cannot be written ({error.strerror}).") from error


def forget_improvements(folder: Path, epochs: int, best: int) -> None:
    """Make the models those of a training that is `epochs` epochs old: later ones are removed, and
    that of epoch `best` is the best again.

    Raises:
        ResourceError: if that cannot be written.
    """
    try:
        for path in [*(folder / "kept").glob("epoch*+*.safetensors"), *_remembered(folder)]:
            if _epoch_of(path) > epochs:
                path.unlink()
        for path in _remembered(folder):
            if _epoch_of(path) == best:
                _name_again(path, folder / "best.safetensors")
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be written ({error.strerror}).") from error


def _remembered(folder: Path) -> list[Path]:
    return sorted((folder / "resume").glob("best-*.safetensors"), key=_epoch_of)


def _name_again(file: Path, place: Path) -> None:
    """The same bytes under another name, whole or not at all; it costs nothing where the file
    system has links. Models are replaced, never written into."""
    beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}{HALF}")
    try:
        os.link(file, beside)
    except OSError:
        write_whole(beside, file.read_bytes())
    beside.replace(place)
    beside.unlink(missing_ok=True)  # to rename one name of a file to another of it does nothing


def _epoch_of(path: Path) -> int:
    """Of a file's name; 0 where somebody else's file has one like it."""
    found = re.match(r"(?:epoch|best-)(\d+)", path.name)
    return int(found[1]) if found else 0
