"""What is seen of a picture: how it is stored, and how it looks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tests.scenes import make_scene

from shortcut.data.looks import ENDS, Look, finding_copies, finding_equal, look_at, looking
from shortcut.data.samples import Sample
from shortcut.events import Progress, run_silently


def seen(path: Path) -> Look:
    return look_at(Sample(path, "a"))


def test_a_photo_has_no_traits(tmp_path: Path) -> None:
    make_scene(0).save(tmp_path / "a.jpg", quality=90)
    look = seen(tmp_path / "a.jpg")
    assert (look.problem, look.traits, look.width, look.height) == ("", frozenset(), 192, 144)
    assert look.thumb.shape == (64, 64)
    assert look.contrast > 15 and look.colours > 4


def test_each_way_of_storing_is_told(tmp_path: Path) -> None:
    scene = make_scene(0)
    deep = Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 256)
    exif = Image.Exif()
    exif[0x0112] = 6
    scene.save(tmp_path / "turned.jpg", exif=exif)
    scene.save(tmp_path / "renamed.jpg", "PNG")
    deep.save(tmp_path / "deep.png")
    scene.convert("CMYK").save(tmp_path / "cmyk.jpg")
    scene.convert("RGBA").save(tmp_path / "transparent.png")
    scene.save(tmp_path / "animated.gif", save_all=True, append_images=[make_scene(1)])
    scene.convert("L").save(tmp_path / "grey.jpg")
    scene.save(tmp_path / "none", "PNG")
    for path in tmp_path.iterdir():
        expected = {path.stem} - {"none"}
        assert seen(path).traits >= expected, path
        assert seen(path).traits <= expected | ({"grey"} if path.stem == "deep" else set()), path
    turned = seen(tmp_path / "turned.jpg")
    assert (turned.width, turned.height) == (144, 192)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.jpeg", "JPEG"), ("a.JPG", "JPEG"), ("a.tif", "TIFF"), ("a.bmp", "BMP"), ("a.ppm", "PPM")],
)
def test_an_ending_may_have_many_names(name: str, kind: str, tmp_path: Path) -> None:
    make_scene(0).save(tmp_path / name, kind)
    assert seen(tmp_path / name).traits == frozenset()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("buy milk")
    look = seen(tmp_path / "a.jpg")
    assert "is a text file" in look.problem and look.thumb.size == 0
    assert "no such file" in seen(tmp_path / "none.jpg").problem
    make_scene(0).save(tmp_path / "b.png")
    assert "limit" in look_at(Sample(tmp_path / "b.png", "a"), max_pixels=100).problem


def test_an_animation_that_is_cut_off_behind_its_first_frame_is_looked_at(tmp_path: Path) -> None:
    frames = [make_scene(n, (64, 48)) for n in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    whole = (tmp_path / "a.gif").read_bytes()
    for length in range(len(whole) // 3, len(whole), 97):
        (tmp_path / "b.gif").write_bytes(whole[:length])
        look = seen(tmp_path / "b.gif")
        assert look.problem or (look.width, look.height) == (64, 48)


def test_blur_darkness_and_drawings_show(tmp_path: Path) -> None:
    scene = make_scene(5, (400, 300))
    scene.filter(ImageFilter.GaussianBlur(8)).save(tmp_path / "blurred.jpg")
    scene.point(lambda value: value // 12).save(tmp_path / "dark.jpg")
    Image.new("RGB", (300, 300), "white").save(tmp_path / "blank.png")
    drawing = Image.new("RGB", (300, 300), "white")
    drawing.paste((0, 0, 0), (50, 50, 250, 60))
    drawing.save(tmp_path / "drawing.png")
    scene.save(tmp_path / "photo.jpg")
    look = {path.stem: seen(path) for path in tmp_path.iterdir()}
    assert look["blurred"].sharpness < 0.6 * look["photo"].sharpness
    assert look["dark"].brightness < 30 < look["photo"].brightness
    assert look["blank"].contrast == 0 < look["photo"].contrast
    assert look["drawing"].colours < 1 < 4 < look["photo"].colours


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (3, 3)])
def test_tiny_and_narrow_pictures_are_looked_at(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "a.png")
    look = seen(tmp_path / "a.png")
    assert (look.width, look.height, look.problem) == (*size, "")


def test_looks_come_in_order_with_progress(tmp_path: Path) -> None:
    samples = []
    for seed in range(9):
        path = tmp_path / f"{seed}.png"
        make_scene(seed, (20, 20 + seed)).save(path)
        samples.append(Sample(path, "a"))
    story = looking(samples, threads=3)
    assert [event.done for event in story if isinstance(event, Progress)] == list(range(1, 10))
    looks = run_silently(looking(samples, threads=3))
    assert [look.height for look in looks] == list(range(20, 29))


def test_equal_files_are_grouped_and_a_file_that_went_is_equal_to_none(tmp_path: Path) -> None:
    for name in "abcd":
        make_scene(0 if name in "ab" else 1, (8, 8)).save(tmp_path / f"{name}.bmp")  # of one size
    looks = [seen(tmp_path / f"{name}.bmp") for name in "abcd"]
    (tmp_path / "d.bmp").unlink()
    assert run_silently(finding_equal(looks)) == [(0, 1)]


def test_files_with_equal_ends_are_read_whole(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    ends = draw.bytes(ENDS), draw.bytes(ENDS)
    middles = [draw.bytes(100), draw.bytes(100)]
    for name, middle in zip("abcd", [*middles, middles[1], b""], strict=True):
        (tmp_path / name).write_bytes(ends[0] + middle + ends[1])
    looks = [Look(Sample(tmp_path / name, "x")) for name in "abcd"]
    story = finding_equal(looks)
    told = [event.total for event in story if isinstance(event, Progress)]
    assert told == [3, 3, 3] * 2  # of the fourth the size alone says enough
    assert run_silently(finding_equal(looks)) == [(1, 2)]


def test_tiny_pictures_are_copies_only_where_their_files_are_equal(tmp_path: Path) -> None:
    for name, side in (("a", 8), ("b", 8), ("c", 8), ("d", 40), ("e", 40)):
        make_scene(0, (40, 40)).resize((side, side)).save(tmp_path / f"{name}.bmp")
    (tmp_path / "b.bmp").write_bytes((tmp_path / "a.bmp").read_bytes() + b"other")
    (tmp_path / "d.bmp").write_bytes((tmp_path / "e.bmp").read_bytes() + b"other")
    looks = [seen(tmp_path / f"{name}.bmp") for name in "abcde"]
    pairs = run_silently(finding_copies(looks))
    assert {(pair.first, pair.second) for pair in pairs} == {(0, 2), (3, 4)}
