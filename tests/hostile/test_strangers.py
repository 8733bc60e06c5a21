"""The contents decide what a file is; formats that are not on the list are told by name, and no
program is started for them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features
from tests.hostile.apart import decode_apart
from tests.hostile.making import encoded, photo, strangers

from shortcut.data import decode
from shortcut.data.decode import decode_picture
from shortcut.errors import DecodeError


@pytest.mark.parametrize("kind", strangers())
def test_other_formats_named_as_jpeg_are_refused(tmp_path: Path, kind: str) -> None:
    data, reason = strangers()[kind]
    file = tmp_path / "photo.jpg"
    file.write_bytes(data)
    with pytest.raises(DecodeError, match=rf"^photo\.jpg: .*{reason}"):
        decode_picture(file)


@pytest.mark.skipif(sys.platform != "linux", reason="the child measures as Linux does")
def test_no_program_is_started_for_any_of_them(tmp_path: Path) -> None:
    """Pillow would hand EPS to Ghostscript."""
    files = []
    for kind, (data, _) in strangers().items():
        for ending in ("jpg", kind.split("-")[0]):
            files.append(tmp_path / f"{kind}.{ending}")
            files[-1].write_bytes(data)
    ended = decode_apart(tmp_path, files)
    assert (ended.code, ended.programs) == (0, ()), ended.said
    read = {one.name for one in ended.decoded if one.error is None}
    assert read == {"tiff.tiff"}


def test_a_raw_photo_is_not_mistaken_for_its_thumbnail(tmp_path: Path) -> None:
    for ending in ("dng", "nef", "arw"):
        (tmp_path / f"photo.{ending}").write_bytes(encoded(photo(), "TIFF"))
        with pytest.raises(DecodeError, match="is a TIFF under another ending; rename"):
            decode_picture(tmp_path / f"photo.{ending}")


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        *(("a.jpg", "MPO"), ("a.jfif", "JPEG"), ("a.JPG", "JPEG"), ("a.jpeg", "JPEG")),
        *(("a", "JPEG"), ("a", "TIFF"), ("a.tif", "TIFF"), ("a.TIFF", "TIFF")),
        *(("a.jpg", "PNG"), ("a.png", "WEBP"), ("a.webp", "GIF"), ("a.tif", "JPEG")),
    ],
)
def test_the_contents_decide(tmp_path: Path, name: str, file_format: str) -> None:
    image = photo()
    more = {"save_all": True, "append_images": [image]} if file_format == "MPO" else {}
    (tmp_path / name).write_bytes(encoded(image, file_format, **more))
    found = np.asarray(decode_picture(tmp_path / name)).astype(int)
    assert np.abs(found - np.asarray(image)).mean() < 20


def test_heic_is_told_and_nothing_is_installed_for_it(tmp_path: Path) -> None:
    for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"):
        (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(40))
        with pytest.raises(DecodeError, match=r"^a\.jpg: is a HEIC picture; convert it to JPEG"):
            decode_picture(tmp_path / "a.jpg")


def test_avif_is_told_where_pillow_cannot_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow cannot write any")
    data = encoded(photo(), "AVIF", speed=10)
    assert decode_picture(data).size == photo().size
    monkeypatch.setattr(decode, "_formats", lambda: ("JPEG", "PNG"))
    with pytest.raises(DecodeError, match="is an AVIF picture, damaged or not supported here"):
        decode_picture(data)


def test_only_the_listed_formats_are_ever_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, ...]] = []
    original = Image.open

    def watched(*arguments: object, formats: tuple[str, ...]) -> Image.Image:
        tried.append(formats)
        return original(*arguments, formats=formats)

    data = encoded(photo(), "PNG")
    monkeypatch.setattr(Image, "open", watched)
    decode_picture(data)
    allowed = {"JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF"}
    assert len(tried) == 1 and set(tried[0]) <= allowed
