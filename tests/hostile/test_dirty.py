"""82 real files that a folder of pictures may hold, beside what is noted of each."""

import csv
from pathlib import Path

import numpy as np
import pytest

from shortcut.data.decode import decode_picture
from shortcut.errors import DecodeError

REFUSED = {
    "16bit.cropped.jp2": "is a JPEG 2000 picture",
    "10ct_32bit_128.tiff": "has pixels of mode F",
}
"""What Pillow would read and this decoder does not, on purpose."""

REASONS = {
    "zero-bytes.jpg": "the file is empty",
    "text-file.jpg": "is a text file",
    "html-page.jpg": "is a web page",
    "lfs-pointer.jpg": "is a Git LFS pointer",
    "zPug_3.heic": "is a HEIC picture",
    "truncated.heic": "is a HEIC picture",
    "heif-inside.jpg": "is a HEIC picture",
    "bomb-65536.png": "has 4,294.97 Mpx, limit 100 Mpx",
    "giant-image.jpg": "has 280 Mpx, limit 100 Mpx",
    "truncated-10000.jpg": "is cut off before its end",
    "truncated-10000.png": "is cut off before its end",
    "cat-4001-half.jpg": "is cut off before its end",
    "cat-4002-no-eoi.jpg": "is cut off before its end",
    "decompression_bomb.gif": " Mpx, limit 100 Mpx",
} | REFUSED


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    """Of the real files."""
    return shared_data / "dirty"


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, str]]:
    """What is known of each file."""
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def fault(folder: Path, row: dict[str, str]) -> str | None:
    """How the decoder's verdict differs from the noted one."""
    name = row["file"]
    loads = row["pillow_13.0.0"] == "opens and loads" and name not in REFUSED
    try:
        image = decode_picture(folder / name, max_pixels=100_000_000)
    except DecodeError as error:
        # AVIF depends on how Pillow was built.
        if loads and row["format"] != "AVIF":
            return str(error)
        named = str(error).startswith(f"{name}: ") and str(error).isprintable()
        return None if named and REASONS.get(name, "") in str(error) else str(error)
    width, height = map(int, row["size"].split("x"))
    turned = (row["exif_orientation"] or "1") in "5678"
    size = (height, width) if turned else (width, height)
    right = loads and (image.mode, image.size) == ("RGB", size)
    return None if right else f"{name}: was read as {image.mode} {image.size}"


def test_every_verdict_is_the_noted_one(
    folder: Path, rows: list[dict[str, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(rows) == 82
    assert {row["file"] for row in rows} >= REASONS.keys()
    assert [found for row in rows if (found := fault(folder, row))] == []
    capfd.readouterr()  # libtiff itself writes to standard error about the fuzzed file


def test_deep_and_transparent_pictures_keep_their_content(folder: Path) -> None:
    for name in ("16bit.cropped.tif", "i_trns.png", "basn2c16.png", "basn6a16.png"):
        assert len(np.unique(np.asarray(decode_picture(folder / name)))) > 10, name
    assert np.asarray(decode_picture(folder / "full-transparent.png")).min() == 255
