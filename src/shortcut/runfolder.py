"""The folder of a run: making it, saying what was used and where, keeping the improvements."""

import contextlib
import importlib.metadata
import itertools
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from shortcut.errors import DataError, ModelError, ResourceError
from shortcut.events import EpochEnd
from shortcut.settings import Settings

PACKAGES = ("shortcut", "torch", "torchvision", "numpy", "pillow", "scikit-learn")


class Facts(Settings):
    """`environment.json`: what the run was made of, besides its recipe and its split."""

    data_name: str
    data_kind: str
    data_root: str
    measured_on: Literal["val", "test"]
    """The part of the data that is measured each epoch."""
    lang: Literal["en", "zh"] = "en"
    log_interval: Annotated[int, Field(ge=1)] = 20
    launch: str = ""
    """See `World`."""
    started: str
    command: tuple[str, ...]
    python: str
    system: str
    cpus: int
    versions: Mapping[str, str]


def gather_facts(
    data_name: str,
    data_kind: str,
    data_root: Path,
    *,
    measured_on: Literal["val", "test"],
    lang: Literal["en", "zh"],
    log_interval: int,
    launch: str = "",
) -> Facts:
    """Facts about the data as given, and about this machine, its packages and this command.

    Raises:
        DataError: if the data's path is not Unicode, as JSON must be.
    """
    root = str(data_root.absolute())
    if not root.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in root):
        raise DataError(f"{root!a}: the path is not valid Unicode; rename the folder.")
    return Facts(
        data_name=data_name,
        data_kind=data_kind,
        data_root=root,
        measured_on=measured_on,
        lang=lang,
        log_interval=log_interval,
        launch=launch,
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=tuple(sys.argv),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpus=os.cpu_count() or 1,
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
    )


def make_run_folder(wanted: Path | None, name: str) -> Path:
    """Create the folder of a new run: `wanted` itself, or `runs/NAME`, `runs/NAME-2`, ...

    Raises:
        ResourceError: if `wanted` exists and is not empty (runs are never overwritten), or nothing
            can be written there.
    """
    try:
        if wanted is not None:
            if wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
                raise ResourceError(
                    f"{wanted}: exists and is not empty; runs are never overwritten."
                )
            wanted.mkdir(parents=True, exist_ok=True)
            (wanted / "log.txt").touch()
            return wanted
        Path("runs").mkdir(exist_ok=True)
        for number in itertools.count(1):
            folder = Path("runs") / (name if number == 1 else f"{name}-{number}")
            # Making it is the claim: of two runs started at once, one gets the next number.
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
        raise AssertionError("numbers do not end")
    except OSError as error:
        place = wanted or Path("runs") / name
        raise ResourceError(f"{place}: cannot be written ({error.strerror}).") from error


def find_launched(output: Path | None, launch: str) -> Path | None:
    """The run folder that an earlier start of this launch made: `output`, or one in `runs/`."""
    if output is not None and output.is_dir() and not (output / "environment.json").exists():
        clear_run_folder(output)  # it ended before it began
    for folder in [output] if output is not None else sorted(Path("runs").glob("*")):
        with contextlib.suppress(ModelError):
            if read_facts(folder).launch == launch:
                return folder
    return None


def clear_run_folder(folder: Path) -> None:
    """Take back what a run that never began wrote; a folder with anything else in it stays."""
    with contextlib.suppress(OSError):
        for name in ("log.txt", "recipe.yaml", "environment.json", "split.csv", "resume/lock"):
            (folder / name).unlink(missing_ok=True)
        (folder / "resume").rmdir()
        folder.rmdir()


def read_facts(folder: Path) -> Facts:
    """The facts of a run.

    Raises:
        ModelError: if `folder` is not a run's.
    """
    path = folder / "environment.json"
    try:
        return Facts.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{folder}: not a run folder (no environment.json in it).") from error
    except ValidationError as error:
        raise ModelError(f"{path}: is damaged ({error.errors()[0]['msg']}).") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: is damaged (not text).") from error


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


def forget_improvements(folder: Path, epochs: int) -> None:
    """Remove what later epochs than the first `epochs` left in `kept/`; the newest that stays is
    the best again. Where none stays, `best.safetensors` is left: it was measured, after all."""
    kept = sorted((folder / "kept").glob("epoch*+*.safetensors"), key=_epoch_of)
    before = [path for path in kept if _epoch_of(path) <= epochs]
    for path in kept[len(before) :]:
        path.unlink()
    if before:
        shutil.copyfile(before[-1], folder / "best.unfinished")
        (folder / "best.unfinished").replace(folder / "best.safetensors")


def _epoch_of(path: Path) -> int:
    return int(path.name.removeprefix("epoch").partition("+")[0])
