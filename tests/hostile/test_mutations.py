"""Damaged pictures, decoded in a process of their own with little memory and time: each is read or
refused, and nothing else happens."""

import sys
from pathlib import Path

import pytest
from tests.hostile.apart import SECONDS, decode_apart
from tests.hostile.making import mutated, seeds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")

PIXELS = 10_000_000
ADDRESS_SPACE = 2 * 2**30
MOST_MEGABYTES = 500
"""Of memory in all: Python, NumPy, Pillow, and ten million pixels in several forms."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Whole pictures of every format, as files."""
    folder = tmp_path_factory.mktemp("seeds")
    for name, data in seeds().items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


def check(folder: Path, originals: list[Path], numbers: range) -> None:
    """Fails with the number and name of the first picture that ends or holds up the process."""
    ended = decode_apart(
        folder, originals, numbers=numbers, max_pixels=PIXELS, address_space=ADDRESS_SPACE
    )
    assert (ended.code, ended.unfinished) == (0, None), ended.said[-2000:]
    assert len(ended.decoded) == len(numbers)
    assert max(one.seconds for one in ended.decoded) < SECONDS
    assert ended.decoded[-1].peak < MOST_MEGABYTES * 1024
    read = sum(one.error is None for one in ended.decoded)
    refused = [one.error for one in ended.decoded if one.error is not None]
    # The damages are neither too mild nor too hard to try the decoder.
    assert min(read, len(refused)) >= len(numbers) // 10
    assert all(error.startswith("the picture: ") and error.isprintable() for error in refused)


def test_the_originals_are_read(tmp_path: Path, originals: list[Path]) -> None:
    ended = decode_apart(tmp_path, originals, max_pixels=PIXELS, address_space=ADDRESS_SPACE)
    assert len(ended.decoded) == len(originals) > 20
    assert [one for one in ended.decoded if one.error or one.seconds > 1] == []


def test_five_hundred_damaged_pictures(tmp_path: Path, originals: list[Path]) -> None:
    check(tmp_path, originals, range(500))


@pytest.mark.nightly
def test_ten_thousand_damaged_pictures(tmp_path: Path, originals: list[Path]) -> None:
    check(tmp_path, originals, range(10_000))


@pytest.mark.nightly
def test_ten_thousand_damaged_photos(tmp_path: Path, shared_data: Path) -> None:
    photos = [sorted(shared_data.glob(f"{part}/**/*.jpg")) for part in ("cats-dogs", "hotdog")]
    some = [photo for part in photos for photo in part[:: len(part) // 30]]
    check(tmp_path, list({photo.name: photo for photo in some}.values()), range(10_000))


def test_a_number_always_means_the_same_damage(originals: list[Path]) -> None:
    data, other = originals[0].read_bytes(), originals[1].read_bytes()
    assert mutated(data, 7, other) == mutated(data, 7, other) != data
    assert len({mutated(data, number, other) for number in range(50)}) > 45
