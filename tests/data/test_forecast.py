"""How long reading will take: told from a few pictures, by a clock that goes as the test says."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from shortcut.data import forecast
from shortcut.data.cache import Keeping, read_pictures
from shortcut.data.folders import read_folder
from shortcut.data.forecast import seconds_to_read
from shortcut.data.samples import Sample
from shortcut.events import run_silently


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What has been opened, each picture in `each` seconds."""
    told = SimpleNamespace(now=0.0, each=0.01, paths=[])

    def shrink(path: Path, *_: object) -> None:
        told.now += told.each
        told.paths.append(path)

    monkeypatch.setattr(forecast, "shrunk", shrink)
    monkeypatch.setattr(forecast, "time", SimpleNamespace(perf_counter=lambda: told.now))
    return told


def samples_of(count: int) -> list[Sample]:
    return [Sample(Path(f"{number}.jpg"), "cat") for number in range(count)]


def test_some_tell_of_all(opened: SimpleNamespace):
    assert seconds_to_read(samples_of(10_000), 64, threads=1) == pytest.approx(100)
    assert len(opened.paths) == 1 + forecast.SOME


def test_they_are_from_everywhere(opened: SimpleNamespace):
    """Not the first class alone."""
    seconds_to_read(samples_of(10_000), 64, threads=1)
    numbers = [int(path.stem) for path in opened.paths]
    assert max(numbers) - min(numbers) > 5000  # by chance less once in 200 million


def test_of_large_ones_few_are_opened(opened: SimpleNamespace):
    opened.each = 0.6
    assert seconds_to_read(samples_of(1000), 64, threads=1) == pytest.approx(600)
    assert len(opened.paths) == 1 + 1


def test_none_take_no_time(opened: SimpleNamespace):
    assert seconds_to_read([], 64, threads=2) == 0 and not opened.paths


def test_stored_ones_take_none_as_they_are_stored(tiny_photos: Path, tmp_path: Path):
    samples = read_folder(tiny_photos).parts["all"]
    keeping = Keeping("disk", tmp_path)
    assert seconds_to_read(samples, 24, threads=1, keeping=keeping) > 0
    run_silently(read_pictures(samples, 24, threads=1, keeping=keeping))
    assert seconds_to_read(samples, 24, threads=1, keeping=keeping) == 0
    assert seconds_to_read(samples, 25, threads=1, keeping=keeping) > 0
    assert seconds_to_read(samples, 24, threads=1) > 0


def test_what_cannot_be_read_takes_its_time_too(tmp_path: Path):
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    assert seconds_to_read([Sample(tmp_path / "bad.jpg", "cat")], 24, threads=1) > 0
