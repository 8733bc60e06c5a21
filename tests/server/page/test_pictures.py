"""Pictures come, and go again."""

import base64

import pytest
from playwright.sync_api import Browser, expect
from tests.server.page.acting import (
    PHONE,
    card,
    choose,
    drop,
    files,
    opened,
    posts,
    says,
    settled,
)
from tests.server.page.stub import Stub, picture

pytestmark = pytest.mark.nightly

# ---- Pictures come


def test_a_dropped_picture_is_answered(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        drop(page, "cat.png")
        shown = says(page, "cat.png", "cat")
        expect(shown.locator(".bars").first.locator("li")).to_have_text(
            ["cat97.0\u00a0%", "dog3.0\u00a0%"]
        )
        expect(shown.get_by_role("img", name="The picture cat.png")).to_be_visible()
        width = shown.locator(".picture").evaluate("(node) => node.naturalWidth")
        assert width == 48
        expect(page.get_by_role("status")).to_have_text("cat.png: cat, 97.0\u00a0%")
        assert page.locator("#said").get_attribute("aria-live") == "polite"


def test_a_drop_anywhere_on_the_page_counts_and_text_is_let_pass(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        text = page.evaluate_handle(
            "() => { const t = new DataTransfer(); t.setData('text/plain', 'x'); return t; }"
        )
        page.dispatch_event("#zone", "dragover", {"dataTransfer": text})
        page.dispatch_event("#zone", "drop", {"dataTransfer": text})
        expect(page.locator("article")).to_have_count(0)
        drop(page, "cat.png", "unsure.png", on="aside")
        says(page, "cat.png", "cat")
        says(page, "unsure.png", "not sure (perhaps dog)")


def test_one_chosen_file_and_the_same_again(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        choose(page, "cat.png")
        says(page, "cat.png", "cat")
        choose(page, "cat.png")
        expect(page.locator("article")).to_have_count(2)
        expect(page.locator("#progress")).to_have_text("2 of 2 done")


def test_twenty_files_are_asked_four_at_a_time_in_their_order(browser: Browser) -> None:
    names = [f"{at:02}.png" for at in range(20)]
    with Stub(delay=0.1) as stub, opened(browser, stub) as page:
        choose(page, *names)
        expect(page.locator("article h3")).to_have_text(names)
        expect(page.locator("#progress")).to_have_text("20 of 20 done")
        expect(page.locator("[data-state=sure]")).to_have_count(20)
        assert stub.most_running == 4 and len(posts(stub)) == 20


def test_a_photograph_is_taken_by_the_camera(browser: Browser) -> None:
    phone = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    with Stub() as stub, opened(browser, stub, **phone) as page:
        camera = page.locator("#camera")
        expect(camera).to_be_visible()
        assert camera.locator("input").get_attribute("capture") == "environment"
        camera.locator("input").set_input_files(files("image.png"))
        says(page, "image.png", "cat")


def test_a_pasted_picture_is_answered(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.evaluate(
            """async (data) => {
                const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
                const blob = new Blob([bytes], { type: "image/png" });
                await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
            }""",
            base64.b64encode(picture("cat.png", 48)).decode(),
        )
        page.keyboard.press("Control+V")
        says(page, "image.png", "cat")


def test_a_file_that_no_browser_shows_has_a_placeholder_and_an_answer(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        choose(page, "old.tiff")
        shown = says(page, "old.tiff", "cat")
        expect(shown.get_by_text("This browser cannot show this file.")).to_be_visible()
        expect(shown.locator(".picture")).to_be_hidden()
        shown.get_by_role("button", name="Where?").click()
        expect(shown.get_by_role("slider")).to_be_visible()
        expect(shown.locator(".blank")).to_be_hidden()


def test_a_file_that_is_too_large_is_not_sent(browser: Browser) -> None:
    with Stub({"largest_body": 1 << 10}) as stub, opened(browser, stub) as page:
        page.set_input_files("#files", {**files("cat.png")[0], "buffer": bytes(3 << 20)})
        shown = says(page, "cat.png", "Too large")
        expect(
            shown.get_by_text("The file has 3.0 MiB; the server takes at most 0.0 MiB.")
        ).to_be_visible()
        expect(shown.get_by_role("button", name="Try again")).to_be_hidden()
        assert posts(stub) == []


def test_what_cannot_be_opened_is_told(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        # As browsers do with a folder, or a file that has moved.
        page.evaluate("() => { Blob.prototype.arrayBuffer = () => Promise.reject(new Error()); }")
        choose(page, "photos")
        shown = says(page, "photos", "No answer")
        expect(shown.get_by_text("This file cannot be opened")).to_be_visible()
        assert posts(stub) == []


# ---- Gone


def test_removing_and_clearing_let_pictures_go(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        page.evaluate(
            """() => {
                globalThis.revoked = [];
                const revoke = URL.revokeObjectURL.bind(URL);
                URL.revokeObjectURL = (address) => {
                    globalThis.revoked.push(address);
                    revoke(address);
                };
            }"""
        )
        choose(page, "a.png", "b.png", "c.png")
        settled(page)
        addresses = page.locator(".picture").evaluate_all("(all) => all.map((one) => one.src)")
        card(page, "b.png").get_by_role("button", name="Remove").click()
        expect(page.locator("article h3")).to_have_text(["a.png", "c.png"])
        expect(card(page, "c.png").get_by_role("button", name="Remove")).to_be_focused()
        expect(page.locator("#progress")).to_have_text("2 of 2 done")
        page.get_by_role("button", name="Clear all").click()
        expect(page.locator("article")).to_have_count(0)
        expect(page.locator("#work")).to_be_hidden()
        expect(page.locator("#files")).to_be_focused()
        assert sorted(page.evaluate("() => globalThis.revoked")) == sorted(addresses)


def test_what_is_cleared_is_not_asked_any_more(browser: Browser) -> None:
    with Stub(refusals=9) as stub, opened(browser, stub, failing=True) as page:
        choose(page, *[f"busy{at}.png" for at in range(12)])
        says(page, "busy3.png", "The server is busy; trying again in 1 s.")
        page.get_by_role("button", name="Clear all").click()
        choose(page, "cat.png")
        says(page, "cat.png", "cat")
        page.wait_for_timeout(1500)
        assert len(posts(stub)) == 5
