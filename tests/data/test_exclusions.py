"""Lists of pictures to do without."""

from pathlib import Path

import pytest
from tests.pictures import make_pictures

from shortcut.data.exclusions import exclusion_table, leave_out
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
    left, count = leave_out(source, file)
    assert count == len(NAMES)
    assert {s.path for s in source.parts["all"]} - {s.path for s in left.parts["all"]} == set(gone)


def test_a_person_may_write_it_by_hand(tmp_path: Path) -> None:
    source = read_source(make_pictures(tmp_path / "photos"))
    (tmp_path / "list.csv").write_text("path\nblue/photo-00.png\n\nred/photo-03.png\n", "utf-8")
    assert leave_out(source, tmp_path / "list.csv")[1] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no list of exclusions"),
        ("file,reason\na,b\n", "is no list of exclusions"),
        ("path\nblue/none.png\n", "1 of 1 pictures are not in .*blue/none.png"),
        ("path\n" + "".join(f"blue/photo-{n:02}.png\n" for n in range(12)), "no picture of blue"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_such_list_is_told(text: str | None, said: str, tmp_path: Path) -> None:
    source = read_source(make_pictures(tmp_path / "photos"))
    if text is not None:
        (tmp_path / "list.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match=said):
        leave_out(source, tmp_path / "list.csv")
