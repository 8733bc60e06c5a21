"""Reading pictures once: in memory or on disk the same pixels; what is broken is named."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shortcut.data import cache
from shortcut.data.cache import (
    InMemory,
    Read,
    Undecoded,
    check_broken,
    memory_bytes,
    read_pictures,
    shrunk,
)
from shortcut.data.samples import Sample
from shortcut.errors import DataError, DecodeError
from shortcut.events import Event, Progress, heard, run_silently


@pytest.fixture
def samples(tmp_path) -> list[Sample]:
    made = []
    noise = np.random.default_rng(0)
    for number, (width, height) in enumerate([(40, 30), (9, 12), (200, 20), (64, 64), (30, 90)]):
        path = tmp_path / f"{number}.png"
        Image.fromarray(noise.integers(0, 256, (height, width, 3), np.uint8)).save(path)
        made.append(Sample(path, "even" if number % 2 == 0 else "odd"))
    return made


def broken(folder: Path, count: int) -> list[Sample]:
    made = []
    for number in range(count):
        path = folder / f"bad{number}.jpg"
        path.write_text("this is a shopping list", "utf-8")
        made.append(Sample(path, "odd"))
    return made


def pixels(read: Read) -> list[np.ndarray]:
    return [read.pictures[i] for i in range(len(read.pictures))]


def a_read(good: int, bad: Sequence[str]) -> Read:
    samples = tuple(Sample(Path(str(i)), "a") for i in range(good))
    return Read(InMemory([]), samples, tuple(bad))


def test_pictures_are_made_smaller_never_larger(samples):
    for sample in samples:
        with Image.open(sample.path) as image:
            width, height = image.size
        small = shrunk(sample.path, 24)
        assert small.mode == "RGB"
        assert min(small.size) == min(24, width, height)
        if min(width, height) <= 24:
            assert small.size == (width, height)


def test_memory_and_disk_give_the_same_pixels(samples, monkeypatch):
    in_memory = run_silently(read_pictures(samples, 24, threads=2))
    monkeypatch.setattr(cache, "memory_bytes", lambda: 0)
    on_disk = run_silently(read_pictures(samples, 24, threads=2))
    assert isinstance(in_memory.pictures, InMemory) and isinstance(on_disk.pictures, Undecoded)
    assert in_memory.samples == on_disk.samples == tuple(samples)
    for one, other in zip(pixels(in_memory), pixels(on_disk), strict=True):
        assert (one == other).all()


@pytest.mark.parametrize(("over", "kind"), [(0, InMemory), (1, Undecoded)])
def test_the_limit_is_the_share_of_memory(over, kind, samples, monkeypatch):
    size = sum(np.asarray(shrunk(sample.path, 24)).nbytes for sample in samples)
    monkeypatch.setattr(cache, "memory_bytes", lambda: (size - over) / cache.MEMORY_SHARE)
    read = run_silently(read_pictures(samples, 24, threads=1))
    assert isinstance(read.pictures, kind)
    assert len(read.pictures) == len(samples)


@pytest.mark.parametrize("memory", [0, 2**30])
def test_what_is_broken_is_named_and_left_out(memory, samples, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "memory_bytes", lambda: memory)
    mixed = [samples[0], *broken(tmp_path, 2), *samples[1:], Sample(tmp_path / "no.png", "odd")]
    read = run_silently(read_pictures(mixed, 24, threads=2))
    assert read.samples == tuple(samples)
    assert len(read.pictures) == len(samples)
    assert [line.split(":")[0] for line in read.broken] == ["bad0.jpg", "bad1.jpg", "no.png"]
    assert all("\n" not in line for line in read.broken)
    for sample, found in zip(read.samples, pixels(read), strict=True):
        assert (found == np.asarray(shrunk(sample.path, 24))).all()


def test_progress_comes_before_the_end(samples):
    many = samples * 60  # 300: more than one slice
    seen: list[Event] = []
    read = run_silently(heard(read_pictures(many, 8, threads=2), seen.append))
    assert [(event.done, event.total) for event in seen if isinstance(event, Progress)] == [
        (256, 300),
        (300, 300),
    ]
    assert len(read.samples) == 300


def test_nothing_to_read():
    read = run_silently(read_pictures([], 24, threads=1))
    assert (read.samples, read.broken, len(read.pictures)) == ((), (), 0)
    check_broken(read, 0.01)


def test_a_picture_that_vanished_since_is_named(samples, monkeypatch):
    monkeypatch.setattr(cache, "memory_bytes", lambda: 0)
    read = run_silently(read_pictures(samples, 24, threads=1))
    samples[2].path.unlink()
    with pytest.raises(DecodeError, match=r"2\.png: there is no such file"):
        read.pictures[2]


@pytest.mark.parametrize(
    ("good", "bad", "limit"), [(100, 0, 0.01), (100, 1, 0.01), (0, 0, 0.5), (5, 4, 0.5), (3, 0, 0)]
)
def test_a_few_broken_files_are_no_reason_to_stop(good, bad, limit):
    check_broken(a_read(good, ["x"] * bad), limit)


@pytest.mark.parametrize(("good", "bad", "limit"), [(99, 1, 0.01), (0, 1, 0.99), (1, 1, 0)])
def test_too_many_broken_files_stop(good, bad, limit):
    with pytest.raises(DataError, match=rf"^{bad} of {good + bad} pictures cannot be read"):
        check_broken(a_read(good, ["x"] * bad), limit)


def test_the_first_three_are_named_and_the_way_out():
    lines = [f"{name}.jpg: is a text file, not a picture (in p)." for name in "abcde"]
    with pytest.raises(DataError) as refusal:
        check_broken(a_read(5, lines), 0.01)
    assert str(refusal.value) == (
        "5 of 10 pictures cannot be read (the limit is 1%): "
        "a.jpg: is a text file, not a picture (in p); b.jpg: is a text file, not a picture (in p); "
        "c.jpg: is a text file, not a picture (in p); and 2 more. "
        "Replace or remove them, or raise the limit: `--set data.max_broken=0.05` to train, "
        "`--max-broken 0.05` to evaluate."
    )


def test_this_machine_has_memory(monkeypatch, tmp_path):
    assert memory_bytes() > 2**28
    monkeypatch.setattr(cache, "CONTAINER", (tmp_path / "limit", tmp_path / "none"))
    whole = memory_bytes()
    for told, expected in (("max\n", whole), (f"{2**27}\n", 2**27), (f"{2**62}\n", whole)):
        (tmp_path / "limit").write_text(told)
        assert memory_bytes() == expected
    monkeypatch.delattr(cache.os, "sysconf")
    assert memory_bytes() == 8 * 2**30
