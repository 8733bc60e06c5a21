"""Where the network saw it, and the command that gives the same."""

import pytest
from playwright.sync_api import Browser, expect
from tests.server.page.acting import choose, opened, posts, says
from tests.server.page.stub import Stub

pytestmark = pytest.mark.nightly

# ---- Where


def test_where_the_network_saw_it(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        choose(page, "cat.png")
        shown = says(page, "cat.png", "cat")
        where = shown.get_by_role("button", name="Where?")
        assert where.get_attribute("aria-expanded") == "false"
        where.click()
        slider = shown.get_by_role("slider", name="From picture to heat map")
        expect(slider).to_have_attribute("aria-valuetext", "70\u00a0% heat map")
        seen = shown.get_by_role("img", name="Heat map over cat.png: what speaks for cat")
        expect(seen).to_have_css("opacity", "0.7")
        expect(shown.locator(".picture")).to_be_hidden()
        slider.fill("25")
        expect(seen).to_have_css("opacity", "0.25")
        assert posts(stub)[-1] == "/explain?class=cat"
        shown.get_by_label("What speaks for").select_option("dog")
        expect(shown.get_by_role("img", name="what speaks for dog")).to_be_visible()
        assert posts(stub)[-1] == "/explain?class=dog"
        whole = shown.get_by_role("button", name="Whole picture")
        assert whole.get_attribute("aria-expanded") == "true"
        whole.click()
        expect(slider).to_be_hidden()
        expect(shown.locator(".picture")).to_be_visible()
        where.click()
        expect(slider).to_be_visible()
        assert len(posts(stub)) == 3


def test_a_heat_map_that_does_not_come_leaves_the_answer(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub, failing=True) as page:
        choose(page, "unexplained.png")
        shown = says(page, "unexplained.png", "cat")
        shown.get_by_role("button", name="Where?").click()
        expect(shown.get_by_text("the answer took longer than 10 s.")).to_be_visible()
        expect(shown.get_by_role("button", name="Where?")).to_be_visible()
        says(page, "unexplained.png", "cat")


def test_a_model_that_explains_nothing_offers_nothing(browser: Browser) -> None:
    with Stub({"explains": False}) as stub, opened(browser, stub) as page:
        choose(page, "cat.png")
        shown = says(page, "cat.png", "cat")
        expect(shown.get_by_role("button", name="Where?")).to_be_hidden()


# ---- By command


def test_the_command_is_one_that_shells_read_and_is_copied(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        choose(page, "it's; $(a) cat.png")
        shown = says(page, "it's; $(a) cat.png", "cat")
        shown.get_by_text("JSON and curl").click()
        shown.get_by_role("button", name="Copy the command").click()
        expect(shown.get_by_role("button", name="Copied")).to_be_visible()
        told = page.evaluate("() => navigator.clipboard.readText()")
        assert told == (
            "curl -H 'Content-Type: image/png' \\\n  --data-binary '@it'\\''s; $(a) cat.png' "
            f"\\\n  '{stub.address}predict'"
        )
        expect(shown.get_by_role("button", name="Copy the command")).to_be_visible()


def test_without_a_clipboard_the_command_is_copied_the_old_way(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        choose(page, "cat.png")
        shown = says(page, "cat.png", "cat")
        shown.get_by_text("JSON and curl").click()
        shown.get_by_role("button", name="Copy the command").click()
        expect(shown.get_by_role("button", name="Copied")).to_be_visible()
