"""A browser: these tests are part of `make nightly`, which brings what drives one."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make test` does without a browser, and must not fail for that; a night that lacks what
    drives one fails, and does not pass as if all had been looked at."""
    by_day = config.option.markexpr == "not nightly"
    lacking = importlib.util.find_spec("playwright") is None
    return True if by_day and lacking and collection_path.name.startswith("test_") else None


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium, of the system or of playwright."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()
