"""Links, pipes and devices among pictures: nothing is read twice, or without an end."""

import os
import socket
from pathlib import Path

import pytest
from tests.hostile.making import fill, labelled

from shortcut.data.decode import decode_picture
from shortcut.data.folders import list_pictures, read_folder
from shortcut.errors import DataError, DecodeError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


def test_links_inside_the_folder_show_nothing_twice(tmp_path: Path) -> None:
    root = fill(tmp_path / "data", "cat/1.png", "cat/deep/2.png", "dog/1.png", ".store/3.png")
    (root / "cat" / "to-file.png").symlink_to("1.png")
    (root / "dog" / "to-other.png").symlink_to("../cat/1.png")
    (root / "dog" / "to-folder").symlink_to("../cat/deep", target_is_directory=True)
    (root / "dog" / "dangling.png").symlink_to("nowhere.png")
    (root / "dog" / "itself.png").symlink_to("itself.png")
    (root / "dog" / "hidden").symlink_to("../.store", target_is_directory=True)
    (root / ".store" / "loop").symlink_to(".", target_is_directory=True)
    (root / ".store" / "up").symlink_to("../dog", target_is_directory=True)
    names = ["cat/1.png", "cat/deep/2.png", "dog/1.png", "dog/dangling.png", "dog/hidden/3.png"]
    assert [name for name, _ in labelled(read_folder(root))] == [*names, "dog/itself.png"]
    for name in ("dangling", "itself"):
        with pytest.raises(DecodeError, match=f"^{name}.png: "):
            decode_picture(root / "dog" / f"{name}.png")


def test_loops_of_links_are_read_once(tmp_path: Path) -> None:
    """Others walk each path through the loops: 98,192 samples of one file, and rising."""
    root = fill(tmp_path, "cat/1.png", "dog/1.png")
    for name in "abc":
        (root / "cat" / name).symlink_to(".", target_is_directory=True)
        (root / "dog" / name).symlink_to("..", target_is_directory=True)
    assert labelled(read_folder(root)) == [("cat/1.png", "cat"), ("dog/1.png", "dog")]
    assert len(list_pictures(root)) == 2


@pytest.mark.parametrize("target", ["/", ".."])
@pytest.mark.parametrize("place", ["cat/more", "emu", "train"])
def test_links_to_folders_around_are_refused(tmp_path: Path, target: str, place: str) -> None:
    """The whole disk would be read."""
    root = fill(tmp_path / "data", "cat/1.png", "dog/1.png")
    there = Path("/") if target == "/" else root / target
    (root / place).symlink_to(there, target_is_directory=True)
    with pytest.raises(DataError) as refusal:
        read_folder(root)
    message = str(refusal.value)
    assert message.startswith(f"{root / place}: is a link to {there.resolve()}, which holds {root}")
    with pytest.raises(DataError, match="is a link to"):
        list_pictures(root)


def test_links_to_folders_elsewhere_are_followed(tmp_path: Path) -> None:
    """`data/train` on a larger disk, say."""
    fill(tmp_path / "large", "cat/1.png", "dog/1.png")
    root = tmp_path / "data"
    root.mkdir()
    (root / "train").symlink_to("../large", target_is_directory=True)
    source = read_folder(root)
    assert [sample.path for sample in source.parts["train"]] == [
        root / "train" / "cat" / "1.png",
        root / "train" / "dog" / "1.png",
    ]


def test_links_to_pictures_outside_are_read(tmp_path: Path) -> None:
    """The usual way to make a smaller set of a large one."""
    away = fill(tmp_path / "away", "1.png", "2.png")
    root = fill(tmp_path / "data", "cat/0.png", "dog/0.png")
    for number in (1, 2):
        (root / "cat" / f"{number}.png").symlink_to(away / f"{number}.png")
    names = [name for name, _ in labelled(read_folder(root))]
    assert names == ["cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png"]


def test_pipes_sockets_and_devices_are_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fill(tmp_path, "cat/1.png", "dog/1.png")
    os.mkfifo(root / "cat" / "pipe.jpg")
    (root / "cat" / "to-pipe.jpg").symlink_to("pipe.jpg")
    (root / "cat" / "endless.jpg").symlink_to("/dev/zero")
    monkeypatch.chdir(root / "cat")  # the path of a socket may have 108 bytes
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
    strange = [path.name for path in sorted((root / "cat").iterdir()) if path.name != "1.png"]
    assert strange == ["endless.jpg", "pipe.jpg", "socket.jpg", "to-pipe.jpg"]
    assert labelled(read_folder(root)) == [("cat/1.png", "cat"), ("dog/1.png", "dog")]
    for name in strange:
        with pytest.raises(DecodeError, match="is a pipe, a socket or a device"):
            decode_picture(root / "cat" / name)
