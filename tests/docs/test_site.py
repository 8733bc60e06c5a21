"""The site is built with warnings as errors, and nothing in it comes from elsewhere."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.docs.fences import ROOT, pages

LOADING = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
}
"""Tags that make a browser fetch something, and where they say what."""
READ_ONLY_LINKS = {"canonical", "alternate", "next", "prev"}


class Fetched(HTMLParser):
    """Collects what a browser would fetch for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the address, but for links that only say how pages belong together."""
        values = dict(attrs)
        where = values.get(LOADING.get(tag, ""))
        if where and not (tag == "link" and values.get("rel") in READ_ONLY_LINKS):
            self.found.append(where)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    command += ["--site-dir", str(folder)]
    # The theme's advertisement for another program would stand among the warnings.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return folder


def foreign(folder: Path) -> list[str]:
    """Addresses on other machines that the built pages and styles would fetch."""
    found = []
    for page in sorted(folder.rglob("*.html")):
        parser = Fetched()
        parser.feed(page.read_text("utf-8"))
        found += [
            f"{page.name}: {a}" for a in parser.found if a.startswith(("http:", "https:", "//"))
        ]
    for style in sorted(folder.rglob("*.css")):
        text = style.read_text("utf-8")
        found += [f"{style.name}: {w}" for w in ("url(http", "url(//", "@import") if w in text]
    return found


def test_every_page_is_built(site: Path):
    wanted = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in pages()}
    built = {page.relative_to(site) for page in site.rglob("*.html")}
    assert wanted <= built


def test_nothing_is_fetched_from_elsewhere(site: Path):
    assert foreign(site) == []


def test_pages_speak_their_language_and_know_their_twin(site: Path):
    english = (site / "learn" / "resnet.html").read_text("utf-8")
    chinese = (site / "zh" / "learn" / "resnet.html").read_text("utf-8")
    assert '<html lang="en"' in english
    assert '<html lang="zh"' in chinese
    assert 'href="../zh/learn/resnet.html" hreflang="zh"' in english
    assert 'href="../../learn/resnet.html" hreflang="en"' in chinese


def test_the_hook_is_not_a_page(site: Path):
    assert not list(site.rglob("languages.py"))


def test_a_foreign_address_is_caught(tmp_path: Path):
    (tmp_path / "a.html").write_text(
        '<link rel="stylesheet" href="https://fonts.example/css"><script src="//cdn.example/a.js">'
        '</script><img src="b.png"><a href="https://example.org">fine</a>',
        "utf-8",
    )
    (tmp_path / "a.css").write_text("p { background: url(https://example.org/a.png) }", "utf-8")
    assert len(foreign(tmp_path)) == 3
