"""What each role looks like: colours on light and on dark ground, sizes of letters.

Down-sampling is orange and a change of dimension purple, after Okabe and Ito (2008): told apart by
every kind of colour vision. Layers are blue, and bluer with depth.
"""

from dataclasses import dataclass
from typing import Literal

ThemeName = Literal["light", "dark"]
FONTS = "'DejaVu Sans', Verdana, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
"""For viewers that choose fonts themselves. The first two are equally wide, the last narrower."""


@dataclass(frozen=True)
class Paint:
    """How a shape is filled and outlined; empty for not at all."""

    fill: str = ""
    stroke: str = ""
    width: float = 1.0


@dataclass(frozen=True)
class Lettering:
    """How a text is set; `size` is the em in pixels."""

    size: float
    colour: str
    bold: bool = False


@dataclass(frozen=True)
class Theme:
    """Every role's look."""

    name: str
    """Class of the picture in SVG."""
    paints: dict[str, Paint]
    letters: dict[str, Lettering]


SIZES: dict[str, tuple[float, bool]] = {
    "network": (23.0, True),
    "note": (13.0, False),
    "stage": (15.0, True),
    "module": (12.5, False),
    "layer": (15.0, False),
    "settings": (13.0, False),
    "settings-size": (13.0, False),
    "thin": (12.5, False),
    "across": (13.0, False),
    "pill": (12.5, False),
    "pill-size": (12.5, False),
    "pill-channels": (12.5, False),
    "block": (11.5, False),
    "badge": (13.0, True),
    "bracket": (15.0, False),
    "times": (16.0, True),
    "words": (12.5, False),
    "words-none": (12.5, False),
    "words-size": (12.5, False),
    "words-channels": (12.5, False),
    "figure": (14.0, False),
    "legend": (13.0, False),
}

_LIGHT = {
    "page": "#ffffff",
    "band": "#f3f6f9",
    "frame": "#ffffff",
    "edge": "#ccd6e0",
    "ink": "#1d2939",
    "soft": "#566576",
    "settings": "#445261",
    "line": "#7d8c9d",
    "conv0": "#dde6ee",
    "conv1": "#e1eef8",
    "conv2": "#d2e5f5",
    "conv3": "#c0daf0",
    "conv4": "#abcdea",
    "thin": "#e9edf2",
    "pool": "#e2efe6",
    "head": "#efece3",
    "pill": "#ffffff",
    "identity": "#2b7a78",
    "none-ink": "#1a5654",
    "size": "#d97b16",
    "size-fill": "#fde9cf",
    "size-ink": "#813e00",
    "channels": "#a65bb0",
    "channels-fill": "#f5e3f7",
    "channels-ink": "#7a2a86",
    "badge": "#1d3f5e",
    "badge-ink": "#ffffff",
}
_DARK = {
    "page": "#0f151b",
    "band": "#151d26",
    "frame": "#1b2530",
    "edge": "#344353",
    "ink": "#e8eef4",
    "soft": "#a9b7c5",
    "settings": "#bdc9d5",
    "line": "#71839a",
    "conv0": "#2a3541",
    "conv1": "#20384e",
    "conv2": "#23415d",
    "conv3": "#274a6c",
    "conv4": "#2b537b",
    "thin": "#222d39",
    "pool": "#24403a",
    "head": "#3b372c",
    "pill": "#0f151b",
    "identity": "#57b8b0",
    "none-ink": "#9fe0da",
    "size": "#e39a3f",
    "size-fill": "#4a3115",
    "size-ink": "#ffc98a",
    "channels": "#c583cf",
    "channels-fill": "#412547",
    "channels-ink": "#eab6f2",
    "badge": "#bcd7ee",
    "badge-ink": "#10202f",
}

THEMES: dict[ThemeName, dict[str, str]] = {"light": _LIGHT, "dark": _DARK}


def find_theme(name: ThemeName) -> Theme:
    """The look called `name`."""
    colours = THEMES[name]
    return Theme(f"shortcut-{name}", _paints(colours), _letters(colours))


def _paints(c: dict[str, str]) -> dict[str, Paint]:
    plain = {name: Paint(c[name]) for name in ("page", "band", "thin", "pool", "head", "badge")}
    stages = {f"conv{i}": Paint(c[f"conv{i}"]) for i in range(5)}
    arcs = {
        "arc-none": Paint(stroke=c["identity"], width=1.8),
        "arc-size": Paint(stroke=c["size"], width=1.8),
        "arc-channels": Paint(stroke=c["channels"], width=1.8),
        "tip-none": Paint(c["identity"]),
        "tip-size": Paint(c["size"]),
        "tip-channels": Paint(c["channels"]),
    }
    marked = {
        f"{what}-{change}": Paint(c[f"{change}-fill"], c[change], 1.2)
        for what in ("conv", "pill", "across")
        for change in ("size", "channels")
    }
    return {
        **plain,
        **stages,
        **arcs,
        **marked,
        "across-none": Paint(c["frame"], c["identity"], 1.2),
        "frame": Paint(c["frame"], c["edge"], 1.0),
        "pill": Paint(c["pill"], c["edge"], 1.0),
        "spine": Paint(stroke=c["line"], width=1.6),
        "tip": Paint(c["line"]),
        "dot": Paint(c["line"]),
        "plus": Paint(c["frame"], c["ink"], 1.5),
        "sign": Paint(stroke=c["ink"], width=1.5),
        "hook": Paint(stroke=c["soft"], width=1.5),
        "rule": Paint(stroke=c["edge"], width=1.0),
    }


def _letters(c: dict[str, str]) -> dict[str, Lettering]:
    soft = {"note", "module", "block", "legend", "thin"}
    special = {"badge": c["badge-ink"], "words-none": c["none-ink"], "settings": c["settings"]}
    for change in ("size", "channels"):
        for role in (f"pill-{change}", f"words-{change}", f"settings-{change}"):
            special[role] = c[f"{change}-ink"]
    return {
        role: Lettering(size, special.get(role, c["soft"] if role in soft else c["ink"]), bold)
        for role, (size, bold) in SIZES.items()
    }
