"""The folder of a run: making it, saying what was used and where."""

import contextlib
import importlib.metadata
import itertools
import os
import platform
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from shortcut.errors import DataError, ModelError, ResourceError
from shortcut.settings import Settings

PACKAGES = ("shortcut", "torch", "torchvision", "numpy", "pillow", "scikit-learn")
MARK = Path("resume") / "launch"
"""The launch that made a run folder, in it."""

BEST = "best.safetensors"
BEGUN = ("log.txt", "recipe.yaml", "environment.json", "split.csv", "findings.json")
"""Files that stand there before the first step."""


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
    asked: str = ""
    """A digest of what the training was asked to do."""
    location: str = ""
    """The data as it was given: an absolute path, or a name. `data_root` may lie in a cache."""
    download: bool = False
    """Whether the data may be fetched from the network."""
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
    asked: str = "",
    location: str = "",
    download: bool = False,
) -> Facts:
    """Facts about the data as given, and about this machine, its packages and this command.

    Raises:
        DataError: if the data's path is not Unicode, as JSON must be.
    """
    root = str(data_root.absolute())
    for path in (root, location):
        if not path.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in path):
            raise DataError(f"{path!a}: the path is not valid Unicode; rename the folder.")
    return Facts(
        data_name=data_name,
        data_kind=data_kind,
        data_root=root,
        measured_on=measured_on,
        lang=lang,
        log_interval=log_interval,
        launch=launch,
        asked=asked,
        location=location,
        download=download,
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=tuple(sys.argv),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpus=os.cpu_count() or 1,
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
    )


def changed_since(facts: Facts) -> list[str]:
    """A line for each thing that decides the last bits and is another now than in `facts`."""
    pairs = {
        "torch": (facts.versions.get("torch"), importlib.metadata.version("torch")),
        "the number of processors": (facts.cpus, os.cpu_count() or 1),
    }
    return [
        f"{name} was {then} and is {now}: the last bits may be others than without an interruption"
        for name, (then, now) in pairs.items()
        if then != now
    ]


def make_run_folder(wanted: Path | None, name: str, launch: str = "") -> Path:
    """Create the folder of a new run: `wanted` itself, or `runs/NAME`, `runs/NAME-2`, ...

    One that an earlier start of `launch` created, and did not come to use, is taken over.

    Raises:
        ResourceError: if `wanted` exists and is not empty (runs are never overwritten), or nothing
            can be written there.
    """
    try:
        if wanted is not None:
            occupied = wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir()))
            if occupied and not _left_by(launch, wanted):
                raise _occupied(wanted)
            wanted.mkdir(parents=True, exist_ok=True)
            _mark(wanted, launch)
            (wanted / "log.txt").touch()
            return wanted
        Path("runs").mkdir(exist_ok=True)
        for number in itertools.count(1):
            folder = Path("runs") / (name if number == 1 else f"{name}-{number}")
            if _left_by(launch, folder):
                return folder
            # Making it is the claim: of two runs started at once, one gets the next number.
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                _mark(folder, launch)
                return folder
        raise AssertionError("numbers do not end")
    except OSError as error:
        place = wanted or Path("runs") / name
        raise ResourceError(f"{place}: cannot be written ({error.strerror}).") from error


def _occupied(folder: Path) -> ResourceError:
    other = f"`shortcut resume {folder}` goes on with the run in it, or " if is_run(folder) else ""
    return ResourceError(
        f"{folder}: exists and is not empty; runs are never overwritten: {other}give `--output` "
        "another place."
    )


def _mark(folder: Path, launch: str) -> None:
    """Say whose folder it is, first of all."""
    if launch:
        (folder / "resume").mkdir(exist_ok=True)
        (folder / MARK).write_text(launch, "utf-8")


def _left_by(launch: str, folder: Path) -> bool:
    if not launch or is_run(folder):
        return False
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (folder / MARK).read_text("utf-8") == launch
    return False


def find_launched(output: Path | None, launch: str, asked: str) -> Path | None:
    """The run folder in which an earlier start of this launch began a training that was asked to do
    the same: `output`, or the newest in `runs/`.

    A person may give another launch the same name. Its run is taken only from `output`, where the
    person says that it is, and only if it is not finished: a machine was replaced, then, or all of
    them.
    """
    name, found = launch.rpartition(" ")[0], list[tuple[str, Path]]()
    for folder in [output] if output is not None else Path("runs").glob("*"):
        with contextlib.suppress(ModelError):
            facts = read_facts(folder)
            named = name and facts.launch.rpartition(" ")[0] == name
            open_ = output is not None and not (folder / "record.md").exists()
            same = facts.launch == launch or (named and open_)
            if launch and same and facts.asked == asked:
                found.append((facts.started, folder))
    return max(found)[1] if found else None


def clear_run_folder(folder: Path) -> None:
    """Take back what a run that never began wrote; a folder with anything else in it stays."""
    with contextlib.suppress(OSError):
        for name in (*BEGUN, "resume/lock", MARK):
            (folder / name).unlink(missing_ok=True)
        (folder / "resume").rmdir()
        folder.rmdir()


def is_run(folder: Path) -> bool:
    """Whether a run has begun there."""
    return (folder / "environment.json").is_file()


def find_model(place: Path) -> Path:
    """The model file at a place, or the best one of the run whose folder it is.

    Raises:
        ModelError: the run has none yet, or it is a folder of something else.
    """
    if not is_run(place):
        if place.is_dir():
            raise ModelError(f"{place}: not a run folder; name one, or a model file.")
        return place
    if not (place / BEST).is_file():
        raise ModelError(f"{place}: holds no {BEST} yet; train on: `shortcut resume {place}`.")
    return place / BEST


def read_facts(folder: Path) -> Facts:
    """The facts of a run.

    Raises:
        ModelError: if `folder` is not a run's.
    """
    path = folder / "environment.json"
    try:
        return Facts.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{folder}: {_what_instead(folder)}") from error
    except ValidationError as error:
        raise ModelError(f"{path}: is damaged ({error.errors()[0]['msg']}).") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: is damaged (not text).") from error


def _what_instead(folder: Path) -> str:
    """Of a run folder; and where one may be."""
    inside = sorted(path.parent for path in folder.glob("*/environment.json"))
    if inside:
        return f"not a run folder, but it holds some: give one, such as {inside[-1]}."
    said = "not a run folder (no environment.json in it)" if folder.exists() else "does not exist"
    return f"{said}; give the folder that `train` named first, such as runs/resnet18-photos."
