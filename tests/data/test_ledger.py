"""Looks at test pictures are counted by what the pictures are."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.pictures import make_pictures

from shortcut.data.ledger import count_look, describe_looks
from shortcut.data.samples import Sample
from shortcut.data.sources import read_source


def samples(folder: Path) -> tuple[Sample, ...]:
    return read_source(folder).parts["all"]


def test_the_same_pictures_are_known_wherever_they_lie(tmp_path: Path) -> None:
    root = make_pictures(tmp_path / "photos")
    cache = tmp_path / "cache"
    assert count_look(samples(root), cache, "train") == 1
    shutil.copytree(root, tmp_path / "elsewhere" / "photos")
    assert count_look(samples(tmp_path / "elsewhere" / "photos"), cache, "a\nb") == 2
    next(iter((root / "red").iterdir())).unlink()
    assert count_look(samples(root), cache, "train") == 1
    assert "2 times" in describe_looks(2)[0]


def test_looks_at_once_are_all_counted(tmp_path: Path) -> None:
    chosen = samples(make_pictures(tmp_path / "photos"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: count_look(chosen, tmp_path / "cache", "x"), range(40)))
    assert max(found) == 40 and count_look(chosen, tmp_path / "cache", "x") == 41


def test_where_nothing_can_be_written_measuring_goes_on(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, no folder")
    assert count_look(samples(make_pictures(tmp_path / "photos")), tmp_path / "cache", "x") == 0


def test_pictures_of_the_same_names_are_not_the_same(tmp_path: Path) -> None:
    root, cache = make_pictures(tmp_path / "photos"), tmp_path / "cache"
    assert count_look(samples(root), cache, "x") == 1
    other = make_pictures(tmp_path / "others" / "photos")
    first = next(iter((other / "red").iterdir()))
    first.write_bytes(first.read_bytes() + b"longer")
    assert count_look(samples(other), cache, "x") == 1
