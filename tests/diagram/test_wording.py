"""Labels, in both languages."""

from shortcut.diagram import wording
from shortcut.diagram.network import Layer
from shortcut.language import speak


def conv(**settings) -> Layer:
    shape = {"input": (64, 56, 56), "output": (128, 28, 28)}
    usual = {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1)}
    return Layer("a.conv1", "conv", "Conv2d", **shape, **usual | settings)


def test_a_layer_s_name_tells_kernel_kind_and_channels():
    assert wording.layer_name(conv(), speak("en")) == "3×3 conv, 128"
    assert wording.layer_name(conv(), speak("zh")) == "3×3 卷积, 128"


def test_settings_tell_only_what_is_not_usual():
    say = speak("en")
    assert wording.layer_settings(conv(), say) == "s 2, p 1"
    rare = conv(groups=32, dilation=(2, 2), bias=True, padding=(2, 1))
    assert wording.layer_settings(rare, say) == "s 2, p 2×1, g 32, d 2, bias"


def test_equal_blocks_in_a_row_share_a_name():
    assert wording.run_name(["layer1.0"]) == "layer1.0"
    assert wording.run_name(["net.layer1.1", "net.layer1.2"]) == "layer1.1–2"


def test_sizes_are_height_width_channels():
    assert wording.size((64, 56, 48)) == "56×48×64"
