"""From values to one HTML file. The only door to Jinja2."""

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shortcut.errors import RecipeError
from shortcut.language import Lang, speak

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, values: Mapping[str, object], lang: Lang) -> str:
    """The page that `template`, a file beside this one, makes of `values`.

    In templates `say(en, zh)` chooses the language; all text is escaped.
    """
    page = _environment().get_template(template)
    return page.render(**values, lang=lang, say=speak(lang))


def picture_address(content: bytes, kind: str = "jpeg") -> str:
    """A picture as an address that holds it whole."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,  # a misspelt name is an error, not a gap in a page
        trim_blocks=True,
        lstrip_blocks=True,
    )


def check_ending(page: Path | None) -> None:
    """Refuse a name that no browser would take for a page, before any work is done for it.

    Raises:
        RecipeError: it does not end in .html.
    """
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise RecipeError(f"`--output` (={page}) must end in .html: it is a page.")
