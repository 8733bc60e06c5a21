"""By keyboard alone, by screen reader, on a phone, in the dark."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tests.server.page.acting import PHONE, choose, files, opened, says, settled, tab
from tests.server.page.stub import FACTS, HOSTILE, Stub

pytestmark = pytest.mark.nightly
STATES = [
    *["cat.png", "unsure.png", "unlike.png", "unreadable.png", "digits.png"],
    *[f"hostile-{HOSTILE}.png", f"{'very-long-name' * 12}.png", "old.tiff"],
]

# ---- By keyboard alone


def test_from_load_to_answer_and_slider_by_keyboard(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        tab(page, "#language")
        tab(page, "#files")
        expect(page.locator("#zone")).to_have_css("outline-style", "solid")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(files("cat.png"))
        says(page, "cat.png", "cat")
        tab(page, "#clear")
        tab(page, ".where")
        page.keyboard.press("Enter")
        slider = page.get_by_role("slider")
        expect(slider).to_be_visible()
        expect(page.locator(".where")).to_be_focused()
        tab(page, "article input")
        expect(slider).to_have_css("outline-style", "solid")
        page.keyboard.press("ArrowLeft")
        expect(slider).to_have_value("69")
        page.keyboard.press("Home")
        expect(page.locator(".map")).to_have_css("opacity", "0")
        tab(page, "article select")
        tab(page, ".remove")
        tab(page, ".raw summary")
        page.keyboard.press("Enter")
        for place in (".json", ".curl", ".copy"):
            tab(page, place)
        for _ in range(4):
            page.keyboard.press("Shift+Tab")
        expect(page.locator(".remove")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#files")).to_be_focused()


# ---- Fit for everybody

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1200, "height": 900}},
    "dark": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True},
    "dark phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True, "color_scheme": "dark"},
    "Chinese": {"viewport": {"width": 1200, "height": 900}, "locale": "zh-CN"},
}


def unfold(page: Page) -> None:
    """Every state and everything that can be opened."""
    choose(page, *STATES)
    settled(page)
    for button in page.locator(".where:visible").all()[:2]:
        button.click()
    expect(page.get_by_role("slider")).to_have_count(2)
    for summary in page.locator("summary:visible").all():
        summary.click()


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_that_axe_knows_is_wrong(browser: Browser, look: str) -> None:
    # axe is a script from elsewhere, which the policy of the page would rightly refuse.
    context = LOOKS[look] | {"bypass_csp": True}
    with Stub() as stub, opened(browser, stub, failing=True, **context) as page:
        assert not violations(page)
        unfold(page)
        assert not violations(page)


def test_nothing_that_axe_knows_is_wrong_with_the_dialog(browser: Browser) -> None:
    with Stub(token="a") as stub, opened(browser, stub, failing=True, bypass_csp=True) as page:
        choose(page, "cat.png")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert not violations(page)
        page.get_by_role("textbox", name="Token").fill("b")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        assert not violations(page)


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response
    print(f"axe: {len(found['passes'])} rules pass, {len(found['incomplete'])} undecided")
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found["violations"]
    ]


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_phone_needs_no_scrolling_sideways_and_a_finger_hits(
    browser: Browser, locale: str
) -> None:
    facts = {"classes": ["Schneeglöckchen" * 8, *FACTS["classes"], *map(str, range(30))]}
    phone = LOOKS["phone"] | {"locale": locale}
    with Stub(facts) as stub, opened(browser, stub, failing=True, **phone) as page:
        unfold(page)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390
        touched = page.locator(
            "button:visible, summary:visible, select:visible, .heat input:visible, "
            "main label.button, #zone"
        )
        boxes = [one.bounding_box() for one in touched.all()]
        assert len(boxes) > 20
        small = [box for box in boxes if box and (box["height"] < 44 or box["width"] < 44)]
        assert small == []


def test_who_wants_no_motion_has_none(browser: Browser) -> None:
    for wish, moves in (("reduce", "none"), ("no-preference", "breathe")):
        with Stub(delay=1) as stub, opened(browser, stub, reduced_motion=wish) as page:
            choose(page, "cat.png")
            shown = page.locator("[data-state=waiting] .answer")
            expect(shown).to_have_css("animation-name", moves)
