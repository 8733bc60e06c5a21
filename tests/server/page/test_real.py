"""The page and the real server, together."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.server.conftest import Server, jpeg, started

from shortcut import load

pytestmark = pytest.mark.nightly


def test_a_picture_is_answered_and_explained(browser: Browser, model: Path) -> None:
    with started(model) as server:
        ask(browser, server, load(model).predict(jpeg()).label)


def ask(browser: Browser, server: Server, label: str) -> None:
    told: list[str] = []
    with browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        page.on("console", lambda line: told.append(line.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(server.address)
        expect(page.locator("#facts")).to_be_visible()
        expect(page.locator("#accuracy")).to_contain_text("90.0 % right on 50 pictures")
        file = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()}
        page.set_input_files("#files", files=[file])
        expect(page.locator("#cards")).to_contain_text(label)
        page.locator(".where:visible").first.click()
        expect(page.locator("input[type=range]:visible")).to_be_visible()
        assert told == []
