"""A browser: these tests are part of `make nightly`, which brings what drives one."""

import importlib.util
import shutil
from collections.abc import Iterator

import pytest

# `make test` does without a browser, and must not fail for that.
if importlib.util.find_spec("playwright") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium, of the system or of playwright."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()
