"""What the system does not give, or never stops giving, is told from what is damaged."""

from pathlib import Path

import pytest
from PIL import Image
from tests.hostile.making import encoded, photo

from shortcut.data.decode import MAX_PIXELS, decode_picture, decoder_version, largest_file
from shortcut.errors import DecodeError

JPEG = encoded(photo(), "JPEG")


def test_only_what_the_system_withholds_may_be_there_another_time(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "list.jpg").write_text("a shopping list", "utf-8")
    (tmp_path / "cut.jpg").write_bytes(JPEG[:700])  # Pillow says OSError
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    for name, passing in [
        ("folder.jpg", False),
        ("list.jpg", False),
        ("cut.jpg", False),
        ("circle.jpg", True),
        ("gone.jpg", True),
    ]:
        with pytest.raises(DecodeError) as caught:
            decode_picture(tmp_path / name)
        assert caught.value.passing == passing, name


def test_more_bytes_than_a_picture_can_have_are_refused() -> None:
    assert largest_file(None) == largest_file(MAX_PIXELS) == 8 * MAX_PIXELS + 2**26
    width, height = photo().size
    limit = width * height
    data = JPEG + bytes(largest_file(limit) - len(JPEG))
    assert decode_picture(data, max_pixels=limit).size == (width, height)
    with pytest.raises(DecodeError, match=r"^the picture: has more than 0\.1 GB, too many for one"):
        decode_picture(data + b"\0", max_pixels=limit)


def test_the_decoders_version_names_pillow_its_libraries_and_formats() -> None:
    version = decoder_version()
    assert Image.__version__ in version
    assert all(f"'{name}'" in version for name in ("jpg", "libtiff", "JPEG", "TIFF"))
    assert version == decoder_version()
