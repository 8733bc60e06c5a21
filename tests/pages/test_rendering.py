"""Pages are made of values and nothing else."""

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from shortcut import pages
from shortcut.pages import picture_address, render

VALUES: dict[str, object] = {
    **{"title": "A < B", "place": "/x", "verdict": "Well.", "colour": "good", "footer": "f"},
    **{"parts": ["all"], "rows": [("a&b", [1000])], "findings": []},
}


def test_text_is_escaped_and_numbers_are_grouped() -> None:
    page = render("check.html", VALUES, "en")
    assert "<title>A &lt; B</title>" in page and "a&amp;b" in page and "1,000" in page
    assert "No findings." in page and "没有发现" in render("check.html", VALUES, "zh")


def test_a_value_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="verdict"):
        render("check.html", {k: v for k, v in VALUES.items() if k != "verdict"}, "en")


def test_no_page_runs_or_fetches_anything() -> None:
    folder = Path(pages.__file__).parent
    # The gallery of labels has one script, which its own test knows by its digest.
    chosen = [path for path in folder.glob("*.html") if path.name != "suspects.html"]
    texts = [path.read_text("utf-8") for path in chosen]
    assert len(texts) >= 2
    for text in [*texts, (folder / "style.css").read_text("utf-8")]:
        assert not re.search(r"<script|https?://|@import|url\(| on\w+=", text)
    assert "default-src 'none'" in render("check.html", VALUES, "en")


def test_a_picture_is_an_address() -> None:
    assert picture_address(b"\xff\xd8") == "data:image/jpeg;base64,/9g="
    assert picture_address(b"x", "png").startswith("data:image/png;base64,")
