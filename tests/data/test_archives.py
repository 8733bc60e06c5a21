"""Zip and tar files as data sets: what is read, and its place in the cache."""

import gzip
import lzma
import os
import shutil
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from tests.packing import (
    PACKERS,
    TWO,
    everything,
    nothing_left,
    save,
    set_bits,
    tarred,
    unpack,
    written,
    zipped,
)

from shortcut.data import archives
from shortcut.data.folders import PICTURE_ENDINGS, read_folder
from shortcut.data.intake import Intake
from shortcut.data.sources import read_source, reading_source
from shortcut.errors import DataError, ResourceError
from shortcut.events import Progress

FORMATS = {"zip": "zip", "tar": "tar", "gztar": "tar.gz", "bztar": "tar.bz2", "xztar": "tar.xz"}
TABLE = b"path,label\nimages/1.jpg,cat\nimages/2.jpg,dog\n"
PARTS = ["x/val/cat/1.jpg", "x/val/dog/1.jpg", "x/Train/cat/1.jpg", "x/Train/dog/1.jpg"]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize("form", FORMATS)
def test_an_archive_is_read_as_its_folder(
    form: str, tiny_photos: Path, data: Path, cache: Path
) -> None:
    archive = Path(shutil.make_archive(str(data / "my"), form, tiny_photos))
    assert archive.name == f"my.{FORMATS[form]}"
    source, folder = read_source(archive, cache=cache), read_folder(tiny_photos)
    assert (source.name, source.kind, source.classes) == ("my", "folders", ("blue", "red"))
    assert source.root.is_relative_to(cache)
    for sample, original in zip(source.parts["all"], folder.parts["all"], strict=True):
        assert sample.label == original.label
        assert sample.path.read_bytes() == original.path.read_bytes()


@pytest.mark.parametrize(
    ("names", "kind", "parts"),
    [
        (["photos/cat/1.jpg", "photos/dog/1.jpg"], "folders", ["all"]),
        (["a/b/./cat/1.jpg", "a/b//dog/1.jpg"], "folders", ["all"]),
        (["train/cat/1.jpg", "train/dog/1.jpg"], "folders", ["train"]),
        (["x/train/cat/1.jpg", "x/train/dog/1.jpg"], "folders", ["train"]),
        (PARTS, "folders", ["train", "val"]),
        (["photos/cat.1.jpg", "photos/dog.1.jpg"], "flat names", ["all"]),
        (["cat.1.jpg", "dog.1.jpg"], "flat names", ["all"]),
        (["list.csv", "images/1.jpg", "images/2.jpg"], "csv", ["all"]),
        (["x/list.csv", "x/images/1.jpg", "x/images/2.jpg"], "csv", ["all"]),
        (["cat/1.jpg", "dog/1.jpg", "list.csv"], "folders", ["all"]),
    ],
)
def test_the_folder_inside_is_found(
    names: list[str], kind: str, parts: list[str], data: Path, cache: Path
) -> None:
    entries = [(name, TABLE if name.endswith("csv") else b"x") for name in names]
    for archive in (
        save(data / "my.photos.ZIP", zipped([*entries, ("read me.txt", b"x")])),
        save(data / "my.photos.tgz", gzip.compress(tarred(entries))),
    ):
        source = read_source(archive, cache=cache)
        assert (source.name, source.kind, list(source.parts)) == ("my.photos", kind, parts)
        assert source.classes == ("cat", "dog")


def test_the_first_bytes_tell_how_it_is_packed(data: Path, cache: Path) -> None:
    tar = tarred(TWO.items())
    assert written(save(data / "a.tar", zipped(TWO.items())), cache) == TWO
    assert written(save(data / "b.tar", gzip.compress(tar)), cache) == TWO
    assert written(save(data / "c.tgz", lzma.compress(tar)), cache) == TWO
    for name in ("PKLot/cat/1.jpg", "BZh9/cat/1.jpg"):  # as zip files and bzip2 begin
        assert list(written(save(data / "d.tar", tarred([(name, b"x")])), cache)) == [name]
    for number, pack in enumerate(PACKERS.values()):  # pigz and pbzip2 write in pieces
        pieces = save(data / f"{number}.tar", pack(tar[:1000]) + pack(tar[1000:]))
        assert written(pieces, cache) == TWO


def test_only_pictures_and_tables_are_written(data: Path, cache: Path) -> None:
    kept = {f"cat/1.{ending}": b"x" for ending in (*PICTURE_ENDINGS, "CSV")} | {"2.JPG": b""}
    idle = (
        *("train.cache", "x.npy", "x.pkl", "conftest.py", "inner.zip", "inner.tar.gz", "jpg"),
        *("__MACOSX/cat/._1.jpg", "cat/.2.jpg", ".hidden/3.jpg", ".jpg", "cat/5.jpg.py"),
    )
    entries = [*kept.items(), *((name, b"import os") for name in idle)]
    assert written(save(data / "a.zip", zipped(entries)), cache) == kept
    assert written(save(data / "a.tar", tarred(entries)), cache) == kept


def test_names_of_macos_and_of_dos(data: Path, cache: Path) -> None:
    file = bytearray(zipped([("猫/é.jpg", b"x")]))
    set_bits(file, 0x800, 0)  # macOS does not say that names are UTF-8
    assert list(written(save(data / "a.zip", bytes(file)), cache)) == ["猫/é.jpg"]
    file = file.replace("猫/é".encode(), b"\xc3/caf\x82")  # code page 437
    assert list(written(save(data / "b.zip", bytes(file)), cache)) == ["├/café.jpg"]


def test_permissions_owners_and_times_stay_behind(data: Path, cache: Path) -> None:
    one, two = zipfile.ZipInfo("cat/1.jpg"), tarfile.TarInfo("cat/1.jpg")
    one.external_attr, two.mode, two.uid, two.mtime = 0o104777 << 16, 0o4777, 12345, 5
    usual = save(data / "usual", b"").stat()
    for archive in (
        save(data / "a.zip", zipped([(one, b"x")])),
        save(data / "a.tar", tarred([(two, b"x")])),
    ):
        place = unpack(archive, cache)
        assert place.stat().st_mode == stat.S_IFDIR | 0o755
        facts = (place / "cat" / "1.jpg").stat()
        assert (facts.st_mode, facts.st_uid) == (usual.st_mode, usual.st_uid)
        assert facts.st_mtime > usual.st_mtime - 1000


# The place in the cache -------------------------------------------------------------------


def test_a_second_run_finds_it(data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = save(data / "a.zip", zipped(TWO.items()))
    place, before = unpack(archive, cache), everything(data)
    with monkeypatch.context() as patch:
        patch.setattr(archives, "_fill", lambda *_: pytest.fail("unpacked a second time"))
        assert unpack(archive, cache) == place
        assert read_source(archive, cache=cache).classes == ("cat", "dog")
    os.utime(archive, (1, 1))
    assert unpack(archive, cache) != place  # for all one knows it has changed
    assert everything(data) == before


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
def test_unpacking_tells_how_far_it_is(ending: str, data: Path, cache: Path) -> None:
    entries = {f"{kind}/{number}.jpg": b"x" * 50_000 for kind in "ab" for number in range(20)}
    content = (
        zipped(entries.items()) if ending == "zip" else PACKERS[ending](tarred(entries.items()))
    )
    archive = save(data / f"a.{ending}", content)
    seen = list(reading_source(archive, cache=cache))
    assert len(seen) == 40 and {event.what for event in seen} == {"unpacking"}
    done = [event.done for event in seen]
    assert done == sorted(done)
    assert 0 < done[0] <= done[-1] <= seen[-1].total == (40 if ending == "zip" else len(content))
    assert not list(reading_source(archive, cache=cache))


def test_what_was_tidied_away_is_unpacked_again(data: Path, cache: Path) -> None:
    archive = save(data / "a.tar", tarred(TWO.items()))
    for damage in (
        lambda place: (place / "cat" / "1.jpg").unlink(),
        lambda place: (place / "dog" / "2.png").write_bytes(b""),
        lambda place: (place / ".whole").write_bytes(b"\xff"),
        lambda place: (place / ".whole").unlink(),
        shutil.rmtree,
    ):
        damage(unpack(archive, cache))
        assert written(archive, cache) == TWO
        assert len(list((cache / "unpacked").iterdir())) == 1


def test_another_process_may_be_faster(
    data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, fill = save(data / "a.zip", zipped(TWO.items())), archives._fill
    inodes: list[int] = []

    def slow(intake: Intake, file: IO[bytes]) -> Iterator[Progress]:
        yield from fill(intake, file)
        monkeypatch.undo()
        inodes.append((unpack(archive, cache) / "cat" / "1.jpg").stat().st_ino)

    monkeypatch.setattr(archives, "_fill", slow)
    place = unpack(archive, cache)
    assert [(place / "cat" / "1.jpg").stat().st_ino] == inodes  # it may be reading them
    assert list((cache / "unpacked").iterdir()) == [place]


def test_an_interruption_leaves_nothing(
    data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    archive = save(data / "a.tar", tarred(TWO.items()))
    monkeypatch.setattr(Intake, "check_room", interrupt)
    with nothing_left(cache), pytest.raises(KeyboardInterrupt):
        unpack(archive, cache)


def test_what_a_killed_process_left_goes_after_a_day(data: Path, cache: Path) -> None:
    for name, age in (("0.partial-old", 90_000), ("0.partial-new", 80_000)):
        (cache / "unpacked" / name / "cat").mkdir(parents=True)
        then = (cache / "unpacked" / name).stat().st_mtime - age
        os.utime(cache / "unpacked" / name, (then, then))
    place = unpack(save(data / "a.zip", zipped(TWO.items())), cache)
    assert {path.name for path in place.parent.iterdir()} == {place.name, "0.partial-new"}


def test_the_longest_unused_goes_where_all_take_too_much(
    data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = [save(data / f"{number}.zip", zipped(TWO.items())) for number in range(4)]
    places, day = [unpack(archive, cache) for archive in packed[:3]], 24 * 60 * 60
    for place, days in zip(places, (8, 9, 6), strict=True):
        os.utime(place, (time.time() - days * day,) * 2)
    unpack(packed[3], cache)
    assert all(place.exists() for place in places)  # the disk is large
    monkeypatch.setattr(archives, "_DISK_SHARE", 0.0)
    shutil.rmtree(unpack(packed[3], cache))
    assert unpack(packed[0], cache) == places[0]  # that is to use it
    unpack(packed[3], cache)
    assert [place.exists() for place in places] == [True, False, True]


def test_what_cannot_be_read_or_written(data: Path, cache: Path, permissions_bind: None) -> None:
    archive = save(data / "a.zip", zipped(TWO.items()))
    data.chmod(0o555)
    assert read_source(archive, cache=cache).classes == ("cat", "dog")
    archive.chmod(0)
    with pytest.raises(DataError, match=r"a\.zip: cannot be read \(Permission denied\)"):
        unpack(archive, cache)
    archive.chmod(0o444)
    os.utime(archive, (1, 1))
    (cache / "unpacked").chmod(0o555)
    with pytest.raises(ResourceError, match=r"cannot be unpacked into .* set SHORTCUT_CACHE"):
        unpack(archive, cache)
    for folder in (cache / "unpacked", data):
        folder.chmod(0o755)


# What is said -----------------------------------------------------------------------------


def test_faults_of_the_data_are_told_of_the_archive(data: Path, cache: Path) -> None:
    def told(names: list[str], table: bytes = b"x") -> str:
        archive = save(
            data / f"{len(list(data.iterdir()))}.zip", zipped([(n, table) for n in names])
        )
        with pytest.raises(DataError) as caught:
            read_source(archive, cache=cache)
        assert str(cache) not in str(caught.value)
        return str(caught.value).replace(str(archive), "A")

    assert told(["photos/x/cat/1.jpg"]).startswith("A/photos/x/cat: found 1 pictures but no class")
    assert "A/x: pictures ('1.jpg' ...) and class folders" in told(["x/1.jpg", "x/cat/2.jpg"])
    message = told(["images/1.jpg", "list.csv"], b"name,kind\n1,2\n")
    assert "A: only one class ('images')" in message
    assert "Nor by its table: A/list.csv: no column 'path'" in message


def test_kinds_that_are_not_read(data: Path, cache: Path) -> None:
    for name in ("a.rar", "a.7z", "a.csv.gz"):
        with pytest.raises(DataError, match=r"of a kind that is not read\. Unpack it and give"):
            read_source(save(data / name, b"x"), cache=cache)
    assert not cache.exists()
