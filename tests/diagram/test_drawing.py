"""Whole pictures, read back from their files: nothing overlaps, every arc and size is there."""

from itertools import product
from xml.etree import ElementTree as ET

import pytest
from tests.diagram.drawing import SVG, overlaps, read_drawing

from shortcut.diagram import draw_diagram
from shortcut.diagram.scene import Arc, Box, Scene, Text
from shortcut.diagram.svg import write_svg
from shortcut.diagram.theme import find_theme

PICTURES = {
    "resnet18-resnet50": ["resnet18", "resnet50"],
    "resnet34": ["resnet34"],
    "resnet152": ["resnet152"],
    "resnext50_32x4d": ["resnext50_32x4d"],
    "resnet34_tutorial": ["resnet34_tutorial"],
    "resnet56": ["resnet56"],
    "plain56": ["plain56"],
}
DETAILS = ("stages", "blocks", "layers")
LARGEST = 200_000
"""Bytes of a file."""


def draw(path, networks, **settings) -> bytes:
    draw_diagram(networks, path, **settings)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("picture", "detail", "lang"),
    list(product(PICTURES, DETAILS, ("en", "zh"))),
    ids=lambda value: value,
)
def test_no_text_overlaps_anything(tmp_path, picture, detail, lang):
    file = draw(tmp_path / "a.svg", PICTURES[picture], detail=detail, lang=lang)
    drawing = read_drawing(file)
    assert len(drawing.texts) > 20
    assert overlaps(drawing) == []
    assert len(file) < LARGEST


@pytest.mark.parametrize(
    ("network", "identities", "projections"),
    [
        ("resnet18", 5, 3),
        ("resnet34", 13, 3),
        ("resnet50", 12, 4),
        ("resnet152", 46, 4),
        ("resnext50_32x4d", 12, 4),
        ("resnet56", 25, 2),
        ("plain56", 0, 0),
    ],
)
def test_each_residual_block_has_its_arc(tmp_path, network, identities, projections):
    drawing = read_drawing(draw(tmp_path / "a.svg", network, detail="layers"))
    counts = [drawing.block_arcs.count(f"arc-{what}") for what in ("none", "size", "channels")]
    assert counts[0] == identities
    assert counts[1] + counts[2] == projections
    assert counts[2] == (network in ("resnet50", "resnet152", "resnext50_32x4d"))


def test_the_stages_picture_says_what_the_paper_says(tmp_path):
    file = draw(tmp_path / "a.svg", ["resnet18", "resnet50"], detail="stages")
    texts = [element.text for element in ET.fromstring(file).iter(f"{SVG}text")]
    for wanted in ("resnet18", "resnet50", "conv2_x", "conv5_x", "11,689,512", "25,557,032"):
        assert wanted in texts
    assert {"3×3, 64", "1×1, 256"} <= set(texts)
    assert "2 + 2 + 2 + 2 residual blocks" in texts and "3 + 4 + 6 + 3 residual blocks" in texts


def test_sizes_after_each_stage_are_drawn(tmp_path):
    file = draw(tmp_path / "a.svg", "resnet34")
    texts = {element.text for element in ET.fromstring(file).iter(f"{SVG}text")}
    assert {"56×56×64", "28×28×128", "14×14×256", "7×7×512"} <= texts


def test_the_softmax_of_the_tutorial_is_drawn(tmp_path):
    file = draw(tmp_path / "a.svg", "resnet34_tutorial")
    texts = [element.text for element in ET.fromstring(file).iter(f"{SVG}text")]
    assert "softmax" in texts
    assert "softmax" not in draw(tmp_path / "b.svg", "resnet34").decode()


def test_the_same_picture_is_the_same_file(tmp_path):
    one, two = (draw(tmp_path / name, "resnet18", lang="zh") for name in ("a.svg", "b.svg"))
    assert one == two


def test_chinese_pictures_have_no_english_words(tmp_path):
    file = draw(tmp_path / "a.svg", "resnet50", lang="zh").decode()
    for word in ("conv,", "shortcut", "stride", "padding", "blocks", "parameters", "depth"):
        assert word not in file.partition("</style>")[2], word


# Planted faults: the check can fail -------------------------------------------------------


def planted(*texts: Text) -> list[str]:
    ground = Box(0, 0, 200, 100, "page")
    frame = Box(100, 40, 60, 40, "frame")
    arc = Arc((10, 50), (10, 90), 60, 5, "arc-none")
    scene = Scene(200, 100, "t", "d", (ground, frame, arc, *texts))
    return overlaps(read_drawing(write_svg(scene, find_theme("light"))))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([Text(5, 20, "one", "layer"), Text(20, 24, "two", "layer")], "`one` and `two`"),
        ([Text(5, 20, "一二三", "layer"), Text(40, 20, "two", "layer")], "`一二三` and `two`"),
        ([Text(190, 20, "too far", "layer")], "`too far` leaves the page"),
        ([Text(150, 60, "across", "layer")], "`across` crosses a side of frame"),
        ([Text(50, 70, "on it", "layer")], "`on it` lies on arc-none"),
    ],
)
def test_an_overlap_is_caught(texts, said):
    assert said in planted(*texts)


def test_texts_that_keep_apart_are_fine():
    apart = [Text(5, 20, "one", "layer"), Text(45, 20, "two", "layer")]
    inside = Text(110, 65, "in", "layer")
    assert planted(*apart, inside) == []
