"""What no archive may bring in: each case is refused in one line and leaves not a byte."""

import shutil
import stat
import tarfile
import unicodedata
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.packing import (
    TWO,
    everything,
    nothing_left,
    refused,
    save,
    set_bits,
    tar_name,
    tarred,
    unpack,
    written,
    zip_name,
    zipped,
)

from shortcut.data import intake
from shortcut.errors import DataError, ResourceError

NAMES = {
    **{"../x.jpg": "leads out", "cat/../../x.jpg": "leads out", "cat/..": "leads out"},
    **{"/x.jpg": "absolute path", "//x.jpg": "absolute path", "cat\\x.jpg": "a backslash"},
    **{"..\\x.jpg": "a backslash", "C:/x.jpg": "of a drive", "c:x.jpg": "of a drive"},
    **{"cat/d:x.jpg": "of a drive", "x" * 252 + ".jpg": "too long", "漢" * 84 + ".jpg": "too long"},
    **{"/".join(["x" * 250] * 5): "too long", "d/" * 32 + "x.jpg": "more than 32 folders deep"},
    **{"cat/x.png\0.jpg": "a NUL", ".": "no name for a file"},
}
NFC, NFD = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
TWINS = {
    "case of folders": (["Cat/1.jpg", "cat/2.jpg"], "'Cat' and 'cat' differ only in case"),
    "case of files": (["cat/A.JPG", "cat/a.jpg"], "'A.JPG' and 'a.jpg' differ only in case"),
    "form of folders": ([f"{NFC}/1.jpg", f"{NFD}/1.jpg"], "in the form of accents"),
    "form of files": ([f"{NFD}.jpg", f"{NFC}.jpg"], "in the form of accents"),
    "form and case": ([f"{NFD}.jpg", f"{NFC}.jpg".upper()], "in the form of accents"),
    "the same": (["cat/1.jpg", "dog/1.jpg", "cat/1.jpg"], "'cat/1.jpg' is in it twice"),
    "the same by detours": (["cat/1.jpg", "./cat//1.jpg"], "'cat/1.jpg' is in it twice"),
    "files, then folders": (["x/cat", "x/cat/1.jpg"], "'x/cat' is a file and a folder"),
    "folders, then files": (["x/cat/1.jpg", "x/cat"], "'x/cat' is a file and a folder"),
    "of no interest": (["READ.me", "read.ME"], "differ only in case"),
}
TAR_KINDS = {
    **{tarfile.SYMTYPE: "is a symbolic link", tarfile.LNKTYPE: "is a hard link"},
    **{tarfile.CHRTYPE: "is a device", tarfile.BLKTYPE: "is a device"},
    **{tarfile.FIFOTYPE: "is a pipe", b"M": "is neither a plain", b"Z": "is neither a plain"},
}
ZIP_KINDS = {
    **{stat.S_IFLNK: "is a symbolic link", stat.S_IFIFO: "is a pipe", stat.S_IFCHR: "is a device"},
    **{stat.S_IFBLK: "is a device", stat.S_IFSOCK: "is a socket"},
    stat.S_IFDIR: "is a file and a folder",
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_names(name: str, tmp_path: Path, cache: Path) -> None:
    archive = save(tmp_path / "a.zip", zipped([*TWO.items(), (zip_name(name), b"x")]))
    message = refused(archive, cache)
    assert NAMES[name] in message
    assert message.endswith(". If you trust it, unpack it yourself and give the folder.")
    archive = save(tmp_path / "a.tar", tarred([*TWO.items(), (tar_name(name), b"x")]))
    assert NAMES[name] in refused(archive, cache)


def test_a_name_that_is_not_unicode(tmp_path: Path, cache: Path) -> None:
    archive = save(tmp_path / "a.tar", tarred([*TWO.items(), ("cat/\udcff.jpg", b"x")]))
    assert r"'cat/\udcff.jpg' is not a name in UTF-8" in refused(archive, cache)


@pytest.mark.parametrize("twins", TWINS)
def test_names_that_are_one_somewhere(twins: str, tmp_path: Path, cache: Path) -> None:
    names, reason = TWINS[twins]
    entries = [(name, b"x") for name in names]
    assert reason in refused(save(tmp_path / "a.zip", zipped(entries)), cache)
    assert reason in refused(save(tmp_path / "a.tar", tarred(entries)), cache)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("kind", TAR_KINDS, ids=ascii)
def test_kinds_in_tars(kind: bytes, form: int, tmp_path: Path, cache: Path) -> None:
    info = tarfile.TarInfo("cat/9.jpg")
    info.type, info.linkname = kind, "/etc/passwd"
    archive = save(tmp_path / "a.tar", tarred([*TWO.items(), (info, b"")], form))
    assert f"'cat/9.jpg' {TAR_KINDS[kind]}" in refused(archive, cache)


@pytest.mark.parametrize("kind", ZIP_KINDS, ids=oct)
def test_kinds_in_zips(kind: int, tmp_path: Path, cache: Path) -> None:
    info = zipfile.ZipInfo("cat/9.jpg")
    info.external_attr = (kind | 0o777) << 16
    archive = save(tmp_path / "a.zip", zipped([*TWO.items(), (info, b"/etc/passwd")]))
    assert f"'cat/9.jpg' {ZIP_KINDS[kind]}" in refused(archive, cache)


def test_folders_with_content(tmp_path: Path, cache: Path) -> None:
    archive = save(tmp_path / "a.zip", zipped([*TWO.items(), ("cow/", b"moo")]))
    assert "'cow/' is a file and a folder" in refused(archive, cache)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE], ids=ascii)
def test_files_with_holes(kind: bytes, tmp_path: Path, cache: Path) -> None:
    info = tarfile.TarInfo("cat/1.jpg")
    info.type = kind
    if kind == tarfile.REGTYPE:
        info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}
    archive = save(tmp_path / "a.tar", tarred([(info, b"x")]))
    assert "neither a plain file nor a folder" in refused(archive, cache)


@pytest.mark.parametrize("bit", [0x1, 0x40, 0x2000])
def test_encrypted_entries(bit: int, tmp_path: Path, cache: Path) -> None:
    file = bytearray(zipped(TWO.items()))
    set_bits(file, 0, bit)
    assert "'cat/1.jpg' is encrypted" in refused(save(tmp_path / "a.zip", bytes(file)), cache)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(method: int, tmp_path: Path, cache: Path) -> None:
    archive = save(tmp_path / "a.zip", zipped(TWO.items(), method))
    assert f"is packed by method {method}, and only 0 and 8" in refused(archive, cache)


@pytest.mark.parametrize("packing", ["zip", "tar"])
def test_more_than_there_is_room_for(
    packing: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {"cat/1.jpg": bytes(70_000), "dog/1.jpg": bytes(70_000)}
    pack = zipped if packing == "zip" else tarred
    archive = save(tmp_path / f"a.{packing}", pack(entries.items()))
    with monkeypatch.context() as patch:
        patch.setattr(intake, "MAX_BYTES", 100_000)
        assert "it unpacks to more than 0 GB" in refused(archive, cache)
    with monkeypatch.context() as patch:
        free = SimpleNamespace(free=intake.SPARE + 100_000, total=10**12)
        patch.setattr(shutil, "disk_usage", lambda _: free)
        text = r"unpacks to more than the 0\.0 GB that may be written in .* set SHORTCUT_CACHE"
        with nothing_left(cache), pytest.raises(ResourceError, match=text):
            unpack(archive, cache)
    assert written(archive, cache) == entries


@settings(max_examples=200)
@given(names=st.lists(st.text(st.sampled_from("./\\:aAéÉ\0c\u0302e 猫"), max_size=9), max_size=4))
def test_any_names(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("names")
    files = [f"{name}.jpg" for name in names]
    save(home / "a.zip", zipped([(zip_name(name), b"x") for name in files]))
    save(home / "a.tar", tarred([(tar_name(name), b"x") for name in files]))
    before = everything(home)
    steps = [[step for step in name.split("/") if step not in ("", ".")] for name in files]
    seen = {"/".join(path): b"x" for path in steps if not any(x.startswith(".") for x in path)}
    for archive in (home / "a.zip", home / "a.tar"):
        try:
            assert written(archive, home / "cache") == seen
            shutil.rmtree(unpack(archive, home / "cache"))
        except DataError:
            pass
        assert everything(home) == before | {"cache": None, "cache/unpacked": None}
