"""From names, files or networks to a picture file."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from torch import nn

from shortcut.diagram.blocks import Detail
from shortcut.diagram.network import Network
from shortcut.diagram.page import lay_out
from shortcut.diagram.paint import Form, paint_scene
from shortcut.diagram.reading import read_network
from shortcut.diagram.svg import write_svg
from shortcut.diagram.theme import ThemeName, find_theme
from shortcut.disk import write_whole
from shortcut.errors import RecipeError
from shortcut.language import Lang, Say, speak
from shortcut.networks import find_network

PAINTED: dict[str, Form] = {".png": "png", ".pdf": "pdf"}
ENDINGS = (".svg", *PAINTED)
USUAL_SIZE = 224
"""Pixels, for a network that is handed over."""


def draw_diagram(
    networks: str | Path | Sequence[str | Path] | Mapping[str, nn.Module],
    path: str | Path,
    *,
    detail: Detail = "blocks",
    theme: ThemeName = "light",
    lang: Lang = "en",
    classes: int | None = None,
    image_size: int | None = None,
) -> None:
    """Draw networks side by side: every layer with kernel, stride, padding, channels and the size
    that leaves it.

    What is drawn is what happens to a picture on its way through the network; nothing is computed
    and no weights are needed.

    Args:
        networks: names from `list_models()` and `.safetensors` files of ours, or networks by the
            name to write above them; theirs must have the blocks of a stage in one `nn.Sequential`.
        path: ends in `.svg` (text that can be selected, opens in a browser), `.png` (2 pixels a
            pixel of the SVG) or `.pdf` (one page). Its folder is made if need be; an older file is
            replaced.
        detail: `blocks` draws equal blocks in a row once, `stages` a box a stage, `layers` every
            layer.
        theme: for light or dark ground.
        lang: of the words in the picture. Chinese needs an installed font, except in SVG.
        classes: size of the output of networks given by name; 1000, or 10 for those made for
            pictures of 32 pixels.
        image_size: side of the picture in pixels; by default the network's usual one.

    Raises:
        RecipeError: an ending, detail, theme or language that does not exist, no network, or
            `classes` where no name is given.
        ModelError: an unknown name, a file that is no model, a size that the network does not take,
            or a network without stages of blocks.
        ResourceError: the file cannot be written, or no font here has Chinese.
    """
    path = Path(path)
    for value, what, known in (
        (path.suffix.lower(), "ending of a diagram", ENDINGS),
        (detail, "detail", get_args(Detail)),
        (theme, "theme", get_args(ThemeName)),
        (lang, "language", get_args(Lang)),
    ):
        if value not in known:
            choice = f"{', '.join(known[:-1])} or {known[-1]}"
            raise RecipeError(f"`{value or path}`: no such {what}. Choose {choice}.")
    found = list(_read(networks, classes, image_size, speak(lang)))
    if not found:
        raise RecipeError("no network to draw: name one; `shortcut models` lists them.")
    scene, look = lay_out(found, detail, speak(lang)), find_theme(theme)
    form = PAINTED.get(path.suffix.lower())
    write_whole(path, write_svg(scene, look) if form is None else paint_scene(scene, look, form))


def _read(
    networks: str | Path | Sequence[str | Path] | Mapping[str, nn.Module],
    classes: int | None,
    image_size: int | None,
    say: Say,
) -> Iterator[Network]:
    if isinstance(networks, Mapping):
        if classes is not None:
            raise RecipeError(f"`classes` (={classes}) is for networks by name: these have theirs.")
        for name, model in networks.items():
            yield read_network(name, model, image_size or USUAL_SIZE)
        return
    for named in [networks] if isinstance(networks, str | Path) else networks:
        found = find_network(named, classes=classes, image_size=image_size)
        stem = say("small stem", "小图片用的主干") if found.small_stem else ""
        note = say(", ", "，").join(filter(None, [found.file, stem]))
        yield read_network(found.name, found.model, found.image_size, note)
