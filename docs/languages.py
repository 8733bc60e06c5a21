"""A hook of mkdocs: pages under zh/ are Chinese to the last button, and each page knows its twin.

The theme asks the configuration for its language and for the links of its language button. Pages
are rendered one after the other, so both can be set before each.
"""

from typing import Any

CHINESE = "zh/"


def on_page_context(context: dict[str, Any], page: Any, config: Any, nav: Any) -> dict[str, Any]:
    """Set language, home and the links to both languages for the page that comes next."""
    name: str = page.file.src_uri
    here = name.startswith(CHINESE)
    sources = {one.file.src_uri for one in nav.pages}
    english = name.removeprefix(CHINESE)
    chinese = CHINESE + english
    if chinese not in sources:
        chinese = CHINESE + "index.md"
    config.theme["language"] = "zh" if here else "en"
    config.extra["homepage"] = CHINESE + "index.html" if here else "index.html"
    config.extra["alternate"] = [
        {"name": word, "lang": lang, "link": source.removesuffix(".md") + ".html"}
        for word, lang, source in (("English", "en", english), ("中文", "zh", chinese))
    ]
    return context
