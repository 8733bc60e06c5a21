"""Digits from scikit-learn, and torchvision's sets read from small copies in its own layouts."""

import hashlib
import io
import pickle
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shortcut.data import named
from shortcut.data.named import NAMED, read_digits, read_named, write_digits
from shortcut.data.samples import Source
from shortcut.errors import DataError, ResourceError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits(cache: Path) -> Source:
    return read_digits(cache)


def test_digits_are_all_there_and_stratified(digits: Source, cache: Path) -> None:
    assert (digits.name, digits.kind, digits.root) == ("digits", "digits", cache / "digits")
    assert digits.classes == tuple("0123456789")
    assert {part: len(samples) for part, samples in digits.parts.items()} == {
        "train": 1437,
        "test": 360,
    }
    assert set(Counter(s.label for s in digits.parts["test"]).values()) <= set(range(34, 39))
    assert [entry.name for entry in cache.iterdir()] == ["digits"]


def test_digits_keep_their_values(digits: Source) -> None:
    from sklearn.datasets import load_digits

    images = load_digits().images
    for sample in [*digits.parts["train"][:20], *digits.parts["test"][:20]]:
        with Image.open(sample.path) as image:
            assert (image.mode, image.size) == ("L", (8, 8))
            number = int(sample.path.stem.removeprefix("digit-"))
            assert np.abs(np.asarray(image) - images[number - 1] * 255 / 16).max() <= 0.5
    assert digits.root / "train" / "0" / "digit-0001.png" == digits.parts["train"][0].path


def test_digits_are_read_again_and_not_written_again(
    digits: Source, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "_save_digits", lambda _: pytest.fail("written a second time"))
    assert read_digits(cache) == digits


def test_a_folder_that_is_not_whole_digits_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    mine = tmp_path / "digits" / "digit-mine.png"
    mine.touch()
    with pytest.raises(DataError, match=r"holds 1 of the 1,797 digits\. Remove or rename"):
        write_digits(tmp_path / "digits")
    assert list((tmp_path / "digits").iterdir()) == [mine]


def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(named, "_save_digits", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read_digits(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_a_resource_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="SHORTCUT_CACHE"):
        read_digits(tmp_path / "file")


@pytest.mark.parametrize("name", NAMED)
def test_without_download_the_way_out_and_the_size_are_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^{name}: not in .* --download .*MB"):
        read_named(name, cache=tmp_path, download=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="--download"):
        read_named(name, cache=tmp_path, download=False)


def test_a_failed_download_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    def fail(*_: object, **__: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", fail)
    with pytest.raises(DataError, match=r"^cifar10: the download failed \(no route to host\)"):
        read_named("cifar10", cache=tmp_path, download=True)


def test_cifar10_is_written_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    home = tmp_path / "cifar10"
    folder = home / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, 3072), dtype=np.uint8)
    sums: dict[str, str] = {}
    for file, content in {
        "data_batch_1": {"data": pictures, "labels": [0, 1, 1, 0]},
        "test_batch": {"data": pictures[:2], "labels": [1, 0]},
        "batches.meta": {"label_names": ["airplane", "frog"]},
    }.items():
        buffer = io.BytesIO()
        pickle.dump(content, buffer)
        (folder / file).write_bytes(buffer.getvalue())
        sums[file] = hashlib.md5(buffer.getvalue()).hexdigest()
    dataset = torchvision.datasets.CIFAR10
    monkeypatch.setattr(dataset, "train_list", [["data_batch_1", sums["data_batch_1"]]])
    monkeypatch.setattr(dataset, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": sums["batches.meta"]})
    source = read_named("cifar10", cache=tmp_path, download=False)
    assert source.classes == ("airplane", "frog")
    assert (source.name, source.kind) == ("cifar10", "cifar10")
    files = [s.path.relative_to(home).as_posix() for s in source.parts["train"]]
    assert files == [
        f"pictures/train/{name}/{n:05}.png" for name in ("airplane", "frog") for n in (1, 2)
    ]
    expected = pictures[3].reshape(3, 32, 32).transpose(1, 2, 0)
    assert np.array_equal(np.asarray(Image.open(source.parts["train"][1].path)), expected)
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", None)
    assert read_named("cifar10", cache=tmp_path, download=False) == source


def test_fashion_mnist_has_class_names_that_folders_can_have(tmp_path: Path) -> None:
    raw = tmp_path / "fashion-mnist" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, labels in (("train", [0, 9, 0]), ("t10k", [9])):
        count = len(labels)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 0x0803, count, 28, 28) + bytes(28 * 28 * count)
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 0x0801, count) + bytes(labels)
        )
    source = read_named("fashion-mnist", cache=tmp_path, download=False)
    assert source.classes == ("Ankle boot", "T-shirt-top")
    assert [len(source.parts[part]) for part in ("train", "test")] == [3, 1]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_pets_are_used_where_they_lie(tmp_path: Path) -> None:
    home = tmp_path / "oxford-iiit-pet" / "oxford-iiit-pet"
    names = ["Abyssinian_1", "great_pyrenees_1", "Abyssinian_2", "great_pyrenees_2"]
    touch(home / "images", *(f"{name}.jpg" for name in names))
    lists = {"trainval": names[:2], "test": names[2:]}
    (home / "annotations").mkdir()
    for part, ids in lists.items():
        lines = [f"{name} {1 + name.startswith('great')} 1 1\n" for name in ids]
        (home / "annotations" / f"{part}.txt").write_text("".join(lines), encoding="utf-8")
    source = read_named("oxford-iiit-pet", cache=tmp_path, download=False)
    assert source.classes == ("Abyssinian", "Great Pyrenees")
    assert [s.path for s in source.parts["train"]] == [
        home / "images" / f"{name}.jpg" for name in names[:2]
    ]
    assert list(source.parts) == ["train", "test"]
    assert source.root == tmp_path / "oxford-iiit-pet"


def test_food101_and_an_interrupted_download(tmp_path: Path) -> None:
    home = tmp_path / "food101" / "food-101"
    touch(home / "images", *(f"{c}/{n}.jpg" for c in ("apple_pie", "waffles") for n in (1, 2)))
    (home / "meta").mkdir()
    for part, n in (("train", 1), ("test", 2)):
        text = f'{{"apple_pie": ["apple_pie/{n}"], "waffles": ["waffles/{n}"]}}'
        (home / "meta" / f"{part}.json").write_text(text, encoding="utf-8")
    source = read_named("food101", cache=tmp_path, download=False)
    assert source.classes == ("apple_pie", "waffles")
    assert [len(samples) for samples in source.parts.values()] == [2, 2]
    (home / "images" / "waffles" / "2.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 4 pictures are missing .* Remove that folder"):
        read_named("food101", cache=tmp_path, download=False)


def test_imagenette_has_names_in_place_of_numbers(tmp_path: Path) -> None:
    home = tmp_path / "imagenette" / "imagenette2-320"
    wnids = ("n01440764", "n02102040")
    touch(home, *(f"{part}/{wnid}/1.jpeg" for part in ("train", "val") for wnid in wnids))
    source = read_named("imagenette", cache=tmp_path, download=False)
    assert source.classes == ("English springer", "tench")
    assert list(source.parts) == ["train", "val"]


def test_flowers_have_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets
    from scipy.io import savemat

    home = tmp_path / "flowers102" / "flowers-102"
    touch(home / "jpg", *(f"image_{n:05}.jpg" for n in range(1, 7)))
    savemat(home / "imagelabels.mat", {"labels": [[1, 2, 1, 2, 1, 2]]})
    savemat(home / "setid.mat", {"trnid": [[1, 2]], "valid": [[3, 4]], "tstid": [[5, 6]]})
    monkeypatch.setattr(torchvision.datasets.Flowers102, "_check_integrity", lambda _: True)
    source = read_named("flowers102", cache=tmp_path, download=False)
    assert source.classes == ("hard-leaved pocket orchid", "pink primrose")
    assert list(source.parts) == ["train", "val", "test"]
