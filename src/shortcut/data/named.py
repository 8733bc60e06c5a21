"""Data sets known by name: scikit-learn's embedded digits, and torchvision's, kept in the cache."""

import contextlib
import importlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shortcut.data.folders import Pair, assemble, read_folder
from shortcut.data.samples import Source
from shortcut.errors import DataError, ResourceError

DIGITS = 1797
"""Pictures in scikit-learn's digits."""


@dataclass(frozen=True)
class NamedSet:
    """How one data set is read through torchvision."""

    dataset: str
    """Name of the class in torchvision.datasets."""
    megabytes: int
    """Rough size of the download."""
    parts: Mapping[str, Mapping[str, object]]
    """Our part to the arguments of the class that select it."""
    files: str | None = None
    """Attribute with the paths of the pictures; None where the pictures are arrays."""


_TRAIN_TEST_FLAG = {"train": {"train": True}, "test": {"train": False}}
_TRAIN_TEST = {"train": {"split": "train"}, "test": {"split": "test"}}

NAMED: dict[str, NamedSet] = {
    "cifar10": NamedSet("CIFAR10", 170, _TRAIN_TEST_FLAG),
    "cifar100": NamedSet("CIFAR100", 169, _TRAIN_TEST_FLAG),
    "fashion-mnist": NamedSet("FashionMNIST", 31, _TRAIN_TEST_FLAG),
    "oxford-iiit-pet": NamedSet(
        "OxfordIIITPet",
        811,
        {"train": {"split": "trainval"}, "test": {"split": "test"}},
        files="_images",
    ),
    "food101": NamedSet("Food101", 4998, _TRAIN_TEST, files="_image_files"),
    # The copy with short sides of 320 px: enough for training at 224, a fifth of the full download.
    "imagenette": NamedSet(
        "Imagenette",
        342,
        {"train": {"split": "train", "size": "320px"}, "val": {"split": "val", "size": "320px"}},
        files="_samples",
    ),
    "flowers102": NamedSet(
        "Flowers102", 345, {**_TRAIN_TEST, "val": {"split": "val"}}, files="_image_files"
    ),
}


def read_named(name: str, *, cache: Path, download: bool) -> Source:
    """The data set `name` (a key of NAMED), from `cache/name`.

    Sets that come as arrays are written out once as PNG files in class folders; the others are
    used where torchvision unpacked them. A `/` in a class name becomes `-`, so that every class
    name can be the name of a folder.

    Raises DataError: not there and `download` not given, or the download failed or is not whole;
    ResourceError: the cache cannot be written.
    """
    row, home = NAMED[name], cache / name
    pictures = home / "pictures"
    if row.files is None and pictures.is_dir():
        return _renamed(read_folder(pictures), name)
    if not download and not home.is_dir():
        raise _not_here(name, home)  # said at once: importing torchvision takes seconds
    loaded = {part: _load(name, home, part, download) for part in row.parts}
    if row.files is None:
        _write_once(pictures, lambda folder: _save_arrays(loaded, folder))
        return _renamed(read_folder(pictures), name)
    parts = {part: list(_file_records(data, row.files)) for part, data in loaded.items()}
    files = [file for pairs in parts.values() for file, _ in pairs]
    if missing := sum(not file.is_file() for file in files):
        raise DataError(
            f"{name}: {missing:,} of {len(files):,} pictures are missing in {home}, as after an "
            "interrupted download. Remove that folder and run again with --download."
        )
    return assemble(name, home, name, parts)


def read_digits(cache: Path) -> Source:
    """scikit-learn's 1,797 handwritten digits as PNG files in `cache/digits`, written if not there.

    Raises DataError when pictures are missing in that folder; ResourceError when the cache cannot
    be written.
    """
    return write_digits(cache / "digits")


def write_digits(folder: Path) -> Source:
    """The digits as 8 x 8 px, 8-bit grey PNG files in `folder/{train,test}/{0..9}/digit-0001.png`.

    1,437 for train and 360 for test, stratified by class, the same ones every time. The folder
    appears whole or not at all; when it is there already, it is only read.

    Raises as `read_digits` does.
    """
    if not folder.exists():
        _write_once(folder, _save_digits)
    count = sum(1 for _ in folder.rglob("digit-*.png"))
    if count != DIGITS:
        raise DataError(
            f"{folder}: holds {count:,} of the {DIGITS:,} digits. "
            "Remove or rename that folder and run again."
        )
    return _renamed(read_folder(folder), "digits")


def _save_digits(folder: Path) -> None:
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch: Any = load_digits()
    order: Any = range(len(bunch.target))
    train, test = train_test_split(order, test_size=0.2, stratify=bunch.target, random_state=0)
    pixels = (bunch.images * (255 / 16)).round().astype("uint8")
    for part, chosen in (("train", train), ("test", test)):
        for digit in range(10):
            (folder / part / str(digit)).mkdir(parents=True)
        for index in chosen:
            file = folder / part / str(bunch.target[index]) / f"digit-{index + 1:04}.png"
            Image.fromarray(pixels[index]).save(file)


def _load(name: str, home: Path, part: str, download: bool) -> Any:
    """The torchvision data set object for one part."""
    row = NAMED[name]
    dataset = getattr(importlib.import_module("torchvision.datasets"), row.dataset)
    if download:
        with _writing(home):
            home.mkdir(parents=True, exist_ok=True)
    try:
        return dataset(str(home), **row.parts[part], download=download)
    # Downloads fail with errors of the network, of the archive and of torchvision's own checks.
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        if download:
            words = " ".join(str(error).split())
            raise DataError(f"{name}: the download failed ({words}). Try again.") from error
        raise _not_here(name, home) from error


def _not_here(name: str, home: Path) -> DataError:
    size = NAMED[name].megabytes
    return DataError(f"{name}: not in {home}. Add --download to fetch it (about {size:,} MB).")


def _file_records(data: Any, attribute: str) -> Iterator[Pair]:
    """The records that torchvision keeps, as (path, class name), without opening a picture."""
    records: Iterable[Any] = getattr(data, attribute)
    if attribute != "_samples":
        records = zip(records, data._labels, strict=True)
    for file, label in records:
        yield Path(file), _class_name(data, int(label))


def _class_name(data: Any, label: int) -> str:
    found = data.classes[label]
    # Imagenette gives each class a tuple of synonyms.
    return str(found if isinstance(found, str) else found[0]).replace("/", "-")


def _save_arrays(parts: Mapping[str, Any], folder: Path) -> None:
    for part, data in parts.items():
        counts: dict[str, int] = {}
        for image, label in data:
            name = _class_name(data, int(label))
            counts[name] = counts.get(name, 0) + 1
            if counts[name] == 1:
                (folder / part / name).mkdir(parents=True)
            image.save(folder / part / name / f"{counts[name]:05}.png")


def _write_once(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder beside `folder` and give it that name when it is whole."""
    with _writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            write(unfinished)
            unfinished.chmod(0o755)
            unfinished.replace(folder)
        except OSError:
            # Another process may have finished first; its folder is as good as ours.
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def _writing(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ResourceError(
            f"{folder}: cannot be written ({error.strerror or error}). "
            "Free some space, or set SHORTCUT_CACHE to a folder that can be written."
        ) from error


def _renamed(source: Source, name: str) -> Source:
    return replace(source, name=name, kind=name)
