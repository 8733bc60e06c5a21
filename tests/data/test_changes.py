"""Lists of changes: pictures to do without, and labels to change."""

from pathlib import Path

import pytest
from tests.pictures import make_pictures

from shortcut.data.changes import apply_changes, describe_changes, exclusion_table
from shortcut.data.sources import read_source
from shortcut.errors import DataError

NAMES = ["photo-00.png", 'ein "Bild", zwei.png', "\n.png", "\udcff.png"]


def test_what_is_written_is_left_out_whatever_it_is_called(tmp_path: Path) -> None:
    root = make_pictures(tmp_path / "photos")
    first = root / "red" / "photo-01.png"
    for name in NAMES[1:]:
        (root / "red" / name).write_bytes(first.read_bytes())
    source = read_source(root)
    gone = {root / "red" / name: "copies" for name in NAMES}
    file = tmp_path / "list.csv"
    file.write_bytes(exclusion_table(gone, root))
    left, counts = apply_changes(source, file)
    assert counts == {"drop": len(NAMES), "move": 0}
    assert {s.path for s in source.parts["all"]} - {s.path for s in left.parts["all"]} == set(gone)


def test_a_person_may_write_it_by_hand(tmp_path: Path) -> None:
    source = read_source(make_pictures(tmp_path / "photos"))
    (tmp_path / "list.csv").write_text("path\nblue/photo-00.png\n\nred/photo-03.png\n", "utf-8")
    counts = apply_changes(source, tmp_path / "list.csv")[1]
    assert counts == {"drop": 2, "move": 0}


def test_a_label_is_changed_and_the_picture_stays_where_it_is(tmp_path: Path) -> None:
    source = read_source(make_pictures(tmp_path / "photos"))
    rows = "blue/photo-00.png,move,red,x\nblue/photo-01.png,keep,red,x\ngone.png,keep,red,x\n"
    rows += "red/photo-00.png,DROP,blue,x\nred/photo-01.png,move,red,x\n"
    (tmp_path / "list.csv").write_text(f"path,action,class,score\n{rows}", "utf-8")
    changed, counts = apply_changes(source, tmp_path / "list.csv")
    assert counts == {"drop": 1, "move": 1}
    before = {s.path: s.label for s in source.parts["all"]}
    after = {s.path: s.label for s in changed.parts["all"]}
    assert {p.name for p in before.keys() - after.keys()} == {"photo-00.png"}
    moved = [p for p in after if after[p] != before[p]]
    assert [p.parent.name for p in moved] == ["blue"] and after[moved[0]] == "red"
    assert "1 pictures are left out, 1 have another label" in describe_changes(counts, Path("x"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no list of changes"),
        ("file,reason\na,b\n", "is no list of changes"),
        ("path\nblue/none.png\n", "1 of 1 pictures are not in .*blue/none.png"),
        ("path\n" + "".join(f"blue/photo-{n:02}.png\n" for n in range(12)), "no picture of blue"),
        ("path,action,class\nblue/photo-00.png,move,green\n", "moves pictures to green, which is"),
        ("path,action,class\nblue/photo-00.png,mvoe,red\n", "row 2 does not say"),
        ("path,action\nblue/photo-00.png,move\n", "row 2 does not say"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_such_list_is_told(text: str | None, said: str, tmp_path: Path) -> None:
    source = read_source(make_pictures(tmp_path / "photos"))
    if text is not None:
        (tmp_path / "list.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match=said):
        apply_changes(source, tmp_path / "list.csv")


def test_a_list_of_a_folder_serves_a_table_that_lies_elsewhere(tmp_path: Path) -> None:
    make_pictures(tmp_path / "photos")
    (tmp_path / "tables").mkdir()
    names = [f"{c}/photo-{n:02}.png" for c in ("blue", "red") for n in range(12)]
    rows = "".join(f"../photos/{name},{name.partition('/')[0]}\n" for name in names)
    (tmp_path / "tables" / "set.csv").write_text(f"path,class\n{rows}", "utf-8")
    (tmp_path / "list.csv").write_text("path\nblue/photo-00.png\nred/photo-03.png\n", "utf-8")
    source = read_source(tmp_path / "tables" / "set.csv")
    left, counts = apply_changes(source, tmp_path / "list.csv")
    assert counts["drop"] == 2 and len(left.parts["all"]) == 22
    (tmp_path / "list.csv").write_text("path\nphoto-00.png\n", "utf-8")  # of two classes
    with pytest.raises(DataError, match="1 of 1 pictures are not in"):
        apply_changes(source, tmp_path / "list.csv")
