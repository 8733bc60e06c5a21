"""Decoded pictures on the disk: the same pixels, found again, never half a store, never stale."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.privileges import overrides_laid_down

from shortcut.data import cache, decode, store
from shortcut.data.cache import CacheMode, InMemory, Keeping, Read, Undecoded, read_pictures
from shortcut.data.samples import Sample
from shortcut.data.store import Mapped, StoreWriter, Unread, make_room, open_store, store_name
from shortcut.disk import SPARE
from shortcut.events import Event, Notice, heard, run_silently


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Seven pictures of several sizes, the third of them broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(7):
        shape = (20 + number, 30 - 2 * number, 3)
        Image.fromarray(noise.integers(0, 256, shape, np.uint8)).save(folder / f"{number}.png")
    (folder / "2.png").write_bytes(b"no picture")
    return [Sample(path, "ab"[i % 2]) for i, path in enumerate(sorted(folder.iterdir()))]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is decoded from now on."""
    opened: list[Path] = []
    decode = cache.decode_picture

    def watched(path: Path, **more: int) -> Image.Image:
        opened.append(path)
        return decode(path, **more)

    monkeypatch.setattr(cache, "decode_picture", watched)
    return opened


def read(samples: list[Sample], keeping: Keeping | None) -> tuple[Read, list[str]]:
    seen: list[Event] = []
    got = run_silently(heard(read_pictures(samples, 16, threads=2, keeping=keeping), seen.append))
    return got, [event.text for event in seen if isinstance(event, Notice)]


def assert_same(one: Read, other: Read) -> None:
    assert (one.samples, one.broken) == (other.samples, other.broken)
    assert len(one.pictures) == len(other.pictures) == len(one.samples)
    for index in range(len(one.pictures)):
        assert (one.pictures[index] == other.pictures[index]).all()


def test_every_mode_gives_the_same_pixels(samples, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "WORTH_STORING", 1)
    plain, _ = read(samples, None)
    kinds = {"off": Undecoded, "ram": InMemory, "disk": Mapped, "auto": InMemory}
    for mode, kind in kinds.items():
        got, _ = read(samples, Keeping(mode, tmp_path / mode))
        assert isinstance(got.pictures, kind)
        assert_same(got, plain)
        again, _ = read(samples, Keeping(mode, tmp_path / mode))
        assert_same(again, plain)
        assert isinstance(again.pictures, Mapped if mode == "auto" else kind)
    assert not (tmp_path / "off").exists() and not (tmp_path / "ram").exists()


def test_a_second_run_decodes_nothing_and_knows_what_is_broken(samples, tmp_path, decoded):
    first, told = read(samples, Keeping("disk", tmp_path / "kept"))
    assert len(decoded) == 7 and "decoded pictures are kept in" in told[0]
    decoded.clear()
    second, told = read(samples, Keeping("disk", tmp_path / "kept"))
    assert (decoded, told) == ([], [])
    assert_same(first, second)
    assert second.broken[0].startswith("2.png")


@pytest.mark.parametrize(
    "change", ["size", "time", "name", "fewer", "side", "limit", "version", "pillow"]
)
def test_whatever_decides_the_bytes_decides_the_name(change, samples, monkeypatch):
    paths, side, limit = [sample.path for sample in samples], 16, None
    before = store_name(paths, side)
    assert store_name(paths, side) == before
    if change == "size":
        with paths[0].open("ab") as file:
            file.write(b"x")
    elif change == "time":
        os.utime(paths[0], (1, 1))
    elif change == "name":
        paths[0] = paths[0].rename(paths[0].with_name("other.png"))
    elif change == "fewer":
        paths.pop()
    elif change == "side":
        side = 17
    elif change == "limit":
        limit = 100
    elif change == "pillow":
        monkeypatch.setattr(Image, "__version__", "99.0")
    else:
        monkeypatch.setattr(store, "DECODING", 99)
    assert store_name(paths, side, limit) != before


@pytest.mark.parametrize("damage", ["no index", "half an index", "half the pixels", "no pixels"])
def test_a_damaged_store_is_as_good_as_none(damage, samples, tmp_path, decoded):
    kept = tmp_path / "kept"
    first, _ = read(samples, Keeping("disk", kept))
    pictures = [first.pictures[i].copy() for i in range(6)]
    (place,) = kept.iterdir()
    index, pixels = place / "index.json", place / "pixels"
    if damage == "no index":
        index.unlink()
    elif damage == "half an index":
        index.write_text(index.read_text("utf-8")[:20], "utf-8")
    elif damage == "half the pixels":
        os.truncate(pixels, pixels.stat().st_size // 2)
    else:
        pixels.unlink()
    assert open_store(kept, place.name) is None
    decoded.clear()
    second, _ = read(samples, Keeping("disk", kept))
    assert len(decoded) == 7
    assert (second.samples, second.broken) == (first.samples, first.broken)
    assert all((pictures[i] == second.pictures[i]).all() for i in range(6))
    assert open_store(kept, place.name) is not None  # mended


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), StoreWriter(tmp_path, "a" * 32) as writer:
        writer.add(np.zeros((4, 4, 3), np.uint8))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_the_pictures_are_read_all_the_same(samples, tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("in the way", "utf-8")
    got, told = read(samples, Keeping("disk", blocked / "kept"))
    assert_same(got, read(samples, None)[0])
    assert len(told) == 1 and "kept" in told[0] and "\n" not in told[0]


def test_a_full_disk_is_said_and_the_rest_goes_on(samples, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(StoreWriter, "add", full)
    got, told = read(samples, Keeping("disk", tmp_path / "kept"))
    assert_same(got, read(samples, None)[0])
    assert told[-1] == "decoded pictures are not stored (No space left on device)"
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.fixture
def withheld(samples: list[Sample]) -> Iterator[Path]:
    """One of the pictures, which may not be read until its mode is changed."""
    if sys.platform != "linux":
        pytest.skip("root obeys permissions on Linux alone")
    file = samples[4].path
    with overrides_laid_down():
        file.chmod(0)
        yield file


@pytest.mark.parametrize("mode", ["disk", "auto"])
def test_what_the_system_withheld_is_tried_again(
    mode: CacheMode,
    samples: list[Sample],
    withheld: Path,
    tmp_path: Path,
    decoded: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, "WORTH_STORING", 1)
    keeping = Keeping(mode, tmp_path / "kept")
    first, _ = read(samples, keeping)
    assert "4.png: cannot be read (Permission denied)" in first.broken[1]
    decoded.clear()
    second, told = read(samples, keeping)  # from the store, but for the one
    assert (decoded, told) == ([withheld], [])
    assert isinstance(second.pictures, Mapped)
    assert_same(second, first)

    withheld.chmod(0o600)  # neither size nor time of change are others
    third, _ = read(samples, keeping)
    assert len(third.samples) == 6 and len(third.broken) == 1
    assert_same(third, read(samples, None)[0])
    decoded.clear()
    assert_same(read(samples, keeping)[0], third)
    assert decoded == []


@pytest.mark.parametrize("change", ["gone", "too large for the memory"])
def test_a_disk_that_was_away_and_memory_that_was_short_are_tried_again(
    change: str, samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping, file = Keeping("disk", tmp_path / "kept"), samples[4].path
    name = store_name([sample.path for sample in samples], 16)

    def interfered(*_: object) -> str:  # between naming and reading
        if change == "gone":
            file.rename(file.with_suffix(".away"))
        else:
            monkeypatch.setattr(decode, "_to_rgb", short_of_memory)
        return name

    def short_of_memory(_: Image.Image) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(cache, "store_name", interfered)
    first, _ = read(samples, keeping)
    assert len(first.broken) >= 2
    monkeypatch.undo()
    if change == "gone":
        file.with_suffix(".away").rename(file)
    second, _ = read(samples, keeping)
    assert (len(second.samples), len(second.broken)) == (6, 1)


def test_what_another_process_stored_meanwhile_is_not_mistaken(
    samples: list[Sample], withheld: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may read what this one may not; then a position in its store means another picture."""
    kept = tmp_path / "kept"
    finish = StoreWriter.finish

    def beaten(writer: StoreWriter, broken: dict[int, Unread]) -> None:
        monkeypatch.setattr(StoreWriter, "finish", finish)
        withheld.chmod(0o600)
        read(samples, Keeping("disk", kept))
        monkeypatch.setattr(store.shutil, "rmtree", lambda *_, **__: None)  # as where it is mapped
        finish(writer, broken)

    monkeypatch.setattr(StoreWriter, "finish", beaten)
    got, _ = read(samples, Keeping("disk", kept))
    assert len(got.samples) == len(got.pictures) == 5
    plain, _ = read(list(got.samples), None)
    assert all((got.pictures[i] == plain.pictures[i]).all() for i in range(5))


def test_mapped_pixels_cannot_reach_the_file(samples, tmp_path):
    got, _ = read(samples, Keeping("disk", tmp_path / "kept"))
    before = got.pictures[0].copy()
    with pytest.raises(ValueError, match="read-only"):
        got.pictures[0][:] = 7
    again, _ = read(samples, Keeping("disk", tmp_path / "kept"))
    assert (again.pictures[0] == before).all()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux counts memory so")
def test_a_store_may_be_larger_than_memory(tmp_path):
    told = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    memory = sum(int(told[name].split()[0]) << 10 for name in ("MemTotal", "SwapTotal"))
    side = 20_000
    count = memory // (3 * side**2) + 2
    with (tmp_path / "pixels").open("wb") as file:
        file.truncate(count * 3 * side**2)  # of nothing but a hole
    mapped = Mapped(tmp_path / "pixels", [(side, side)] * count)
    assert mapped[count - 1][-1, -1].tolist() == [0, 0, 0]


def test_the_longest_unused_store_makes_room(tmp_path, monkeypatch):
    for age, name in enumerate("abc"):
        with StoreWriter(tmp_path, name) as writer:
            writer.add(np.zeros((10, 10, 3), np.uint8))
            writer.finish({})
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    usage = shutil._ntuple_diskusage(10_000, 0, SPARE + 10_000)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage)
    each = sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    assert make_room(tmp_path, 1000 - 2 * each)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["a", "b"]
    assert open_store(tmp_path, "a") and open_store(tmp_path, "b")
    assert not make_room(tmp_path, 1001)
    usage = shutil._ntuple_diskusage(10_000, 0, SPARE + 500)
    assert make_room(tmp_path, 500 - 2 * each) and not make_room(tmp_path, 501)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["a", "b"]


def test_the_data_folder_is_left_alone(samples, tmp_path):
    folder = samples[0].path.parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    read(samples, Keeping("disk", tmp_path / "kept"))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
