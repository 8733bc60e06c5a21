"""Widths of texts, and which letters can be written."""

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from shortcut.fonts import LATIN, drawable, families, text_width


@pytest.mark.parametrize("text", ["3×3 conv, 64", "56×56×64", "11,689,512", "layer1.1–2"])
@pytest.mark.parametrize("bold", [False, True])
def test_a_text_is_as_wide_as_its_outlines(text, bold):
    look = FontProperties(family=LATIN, weight="bold" if bold else "normal")
    ink = TextPath((0, 0), text, size=20, prop=look).get_extents()
    # Ink ends before the pen does, by the space that each letter brings along.
    assert ink.x1 <= text_width(text, 20, bold=bold) <= ink.x1 + 4


def test_a_chinese_letter_is_an_em_wide():
    assert text_width("卷积", 15) == 30


def test_width_goes_with_size():
    assert text_width("conv", 30) == pytest.approx(3 * text_width("conv", 10))


def test_a_letter_that_no_font_has_becomes_a_box():
    assert drawable("conv 卷\n积", (LATIN,)) == "conv □ □"
    assert drawable("conv×", families()) == "conv×"
