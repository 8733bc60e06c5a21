"""Every letter can be read: contrast of at least 4.5 with what lies behind it (WCAG 2.2, 1.4.3)."""

import re
from xml.etree import ElementTree as ET

import pytest
from tests.diagram.drawing import SVG, read_drawing

from shortcut.diagram import draw_diagram

RULE = re.compile(r"\s(?:text)?\.(?P<role>[\w-]+)\{fill:(?P<fill>#\w{6})")
TEXT = re.compile(r"text\.(?P<role>[\w-]+)\{fill:(?P<fill>#\w{6})")


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def weakest(file: bytes) -> tuple[float, str]:
    """The least contrast of any text with the last filled rectangle behind its middle."""
    root = ET.fromstring(file)
    style = root.findtext(f"{SVG}style") or ""
    inks = {found["role"]: found["fill"] for found in TEXT.finditer(style)}
    fills = {
        found["role"]: found["fill"]
        for found in RULE.finditer(style)
        if not found.group().strip().startswith("text")
    }
    grounds = [(box, fills[box.get("class")]) for box in root.iter(f"{SVG}rect")]
    found = []
    for element, place in zip(root.iter(f"{SVG}text"), read_drawing(file).texts, strict=True):
        x, y = (place.left + place.right) / 2, (place.top + place.bottom) / 2
        behind = [colour for box, colour in grounds if contains(box, x, y)]
        ink = inks[element.get("class", "").split()[0]]
        found.append((contrast(ink, behind[-1]), place.what))
    return min(found)


def contains(box: ET.Element, x: float, y: float) -> bool:
    left, top, width, height = (float(box.get(k, 0)) for k in ("x", "y", "width", "height"))
    return left <= x <= left + width and top <= y <= top + height


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("detail", ["stages", "blocks", "layers"])
def test_every_text_can_be_read(tmp_path, theme, detail):
    path = tmp_path / "a.svg"
    draw_diagram(["resnet50", "resnet34_tutorial"], path, theme=theme, detail=detail)
    least, text = weakest(path.read_bytes())
    assert least >= 4.5, text


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
