"""CSV files as people and spreadsheets write them; mistakes are named by row and column."""

from pathlib import Path

import pytest

from shortcut.data.tables import read_table
from shortcut.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "sub/c.jpg", "sub/d e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_paths_are_relative_to_the_file(folder: Path) -> None:
    path = table(folder, "path,label", "sub/d e.jpg,dog", "a.jpg, cat ", f"{folder / 'b.jpg'},dog")
    source = read_table(path)
    assert (source.name, source.kind, source.root) == ("labels", "csv", path)
    assert source.classes == ("cat", "dog")
    assert [(s.path, s.label) for s in source.parts["all"]] == [
        (folder / "a.jpg", "cat"),
        (folder / "b.jpg", "dog"),
        (folder / "sub" / "d e.jpg", "dog"),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ("file,class", "a.jpg,cat", "b.jpg,dog"),
        ("Image,id,Label", "a.jpg,1,cat", "", "b.jpg,2,dog"),
        ("filename;label", "a.jpg;cat", "b.jpg;dog"),
        ("path\tlabel", "a.jpg\tcat", "b.jpg\tdog"),
        ("path,label", "a.jpg,cat", "b.jpg,dog", "a.jpg,cat"),
    ],
)
def test_other_headers_separators_and_repeated_rows(folder: Path, lines: tuple[str, ...]) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        source = read_table(table(folder, *lines, encoding=encoding))
        assert [s.label for s in source.parts["all"]] == ["cat", "dog"]


def test_a_split_column_gives_parts(folder: Path) -> None:
    rows = ("a.jpg,cat,Training", "b.jpg,dog,train", "sub\\c.jpg,cat,test")
    source = read_table(table(folder, "path,label,split", *rows))
    assert {part: len(samples) for part, samples in source.parts.items()} == {"train": 2, "test": 1}
    assert source.parts["test"][0].path == folder / "sub" / "c.jpg"


def test_missing_columns_offer_the_nearest(folder: Path) -> None:
    message = refused(table(folder, "pth,label", "a.jpg,cat"))
    assert "no column 'path'" in message
    assert "the columns are pth, label" in message
    assert "Did you mean 'path'?" in message
    assert "no column 'label' (or class)" in refused(table(folder, "path,x", "a.jpg,cat"))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (("a.jpg,cat", "nope.jpg,dog", "no.jpg,dog"), "2 of 3 files are missing; the first is 'no"),
        (("a.jpg,cat", "gone.jpg,dog"), "in row 3"),
        (("a.jpg,cat", "b.jpg, "), "row 3 has no label"),
        (("a.jpg,cat", "b.jpg"), "row 3 has 1 fields, the header 2"),
        (("a.jpg,cat", "a.jpg,dog"), "row 3 lists 'a.jpg' a second time"),
        (("a.jpg,cat", "b.jpg,cat"), "only one class ('cat')"),
        ((), "has no rows"),
    ],
)
def test_bad_rows_are_named(folder: Path, rows: tuple[str, ...], reason: str) -> None:
    assert reason in refused(table(folder, "path,label", *rows))


def test_bad_parts_are_named(folder: Path) -> None:
    rows = ("a.jpg,cat,train", "b.jpg,dog,")
    assert "row 3 has the split ''" in refused(table(folder, "path,label,split", *rows))
    rows = ("a.jpg,cat,train", "b.jpg,dog,train", "a.jpg,cat,test")
    assert "row 4 lists 'a.jpg' a second" in refused(table(folder, "path,label,split", *rows))
    rows = ("a.jpg,cat,train", "b.jpg,dog,train", "sub/c.jpg,cat,val")
    assert "class missing in val" in refused(table(folder, "path,label,split", *rows))


def test_unreadable_files(folder: Path) -> None:
    assert "is not UTF-8" in refused(table(folder, "path,label", "a.jpg,crème", encoding="latin-1"))
    assert "has no rows" in refused(table(folder, ""))
    assert "cannot be read" in refused(folder / "none.csv")
