"""What a person does on the page, and the page watched while it is done."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect
from tests.server.page.stub import Stub, picture

PHONE = {"width": 390, "height": 844}


@contextmanager
def opened(
    browser: Browser, stub: Stub, *, failing: bool = False, **context: Any
) -> Iterator[Page]:
    """The page, watched: nothing may reach the console, nor any request another server.

    Args:
        failing: refusals are meant to come; browsers note each in the console.
    """
    told: list[str] = []
    with browser.new_context(**{"locale": "en-GB", **context}) as held:
        page = held.new_page()
        page.set_default_timeout(8000)
        expect.set_options(timeout=8000)
        page.on("console", lambda line: told.append(f"{line.type}: {line.text}"))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda box: (told.append(f"dialog: {box.message}"), box.dismiss()))
        page.on("request", lambda one: told.append(one.url) if strays(one.url, stub) else None)
        page.goto(stub.address)
        expect(page.locator("#facts, #reload").locator("visible=true").first).to_be_visible()
        yield page
        expected = "error: Failed to load resource"
        assert [line for line in told if not (failing and line.startswith(expected))] == []


def strays(url: str, stub: Stub) -> bool:
    return not url.startswith((stub.address, "blob:", "data:"))


def files(*names: str) -> list[dict[str, Any]]:
    """As Playwright gives them to a file input."""
    kinds = {"tiff": "image/tiff", "txt": "text/plain"}
    return [
        {"name": name, "mimeType": kinds.get(name.rpartition(".")[2], "image/png"), "buffer": data}
        for name, data in ((name, bytes_of(name)) for name in names)
    ]


def bytes_of(name: str) -> bytes:
    data = picture(name, 48)
    return b"II*\0" + data[8:] if name.endswith("tiff") else data


def choose(page: Page, *names: str) -> None:
    page.set_input_files("#files", files(*names))


def drop(page: Page, *names: str, on: str = "#zone") -> None:
    given = [
        {
            "name": one["name"],
            "type": one["mimeType"],
            "data": base64.b64encode(one["buffer"]).decode(),
        }
        for one in files(*names)
    ]
    moved = page.evaluate_handle(
        """(given) => {
            const moved = new DataTransfer();
            for (const { name, type, data } of given) {
                const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
                moved.items.add(new File([bytes], name, { type }));
            }
            return moved;
        }""",
        given,
    )
    page.dispatch_event(on, "dragover", {"dataTransfer": moved})
    expect(page.locator("#zone")).to_have_class("over")
    page.dispatch_event(on, "drop", {"dataTransfer": moved})
    expect(page.locator("#zone")).not_to_have_class("over")


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name, exact=True)


def says(page: Page, name: str, answer: str) -> Locator:
    """The card of a picture, once it has that answer."""
    found = card(page, name)
    expect(found.locator(".answer")).to_have_text(answer)
    return found


def settled(page: Page) -> None:
    """No picture waits any more."""
    expect(page.locator("article").first).to_be_visible()
    expect(page.locator("[data-state=waiting]")).to_have_count(0)


def posts(stub: Stub) -> list[str]:
    return [path for path in stub.asked if path.startswith(("/predict", "/explain"))]


def tab(page: Page, place: str) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(place)).to_be_focused()
