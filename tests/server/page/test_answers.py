"""Answers, and what is said where there are none."""

import json

import pytest
from playwright.sync_api import Browser, expect
from tests.server.page.acting import card, choose, opened, posts, says
from tests.server.page.stub import Stub

pytestmark = pytest.mark.nightly

# ---- Answers


def test_not_sure_and_unlike_are_said(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        choose(page, "unsure.png", "unlike.png")
        says(page, "unsure.png", "not sure (perhaps dog)")
        says(page, "unlike.png", "unlike anything seen in training (perhaps dog)")


def test_five_classes_are_shown_and_the_rest_behind_a_fold_likeliest_first(
    browser: Browser,
) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        choose(page, "digits.png")
        shown = says(page, "digits.png", "not sure (perhaps 7)")
        names = shown.locator(".bars:visible .class")
        expect(names).to_have_text(["7", "1", "9", "4", "0"])
        shown.get_by_text("5 more").click()
        expect(names).to_have_text(["7", "1", "9", "4", "0", "2", "3", "5", "6", "8"])
        shown.get_by_text("JSON and curl").click()
        told = shown.locator(".json").inner_text()
        assert told.index('"7": 0.61') < told.index('"0": 0.02') < told.index('"2": 0.004')
        assert json.loads(told)["label"] == "7"


def test_an_unreadable_file_shows_the_words_of_the_server(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub, failing=True) as page:
        choose(page, "unreadable.txt")
        shown = says(page, "unreadable.txt", "Cannot be read")
        expect(shown.get_by_text("the file is not a picture of a known format.")).to_be_visible()
        expect(shown.get_by_text("Request 5f0c2a9be417")).to_be_visible()
        for name in ("Try again", "Where?"):
            expect(shown.get_by_role("button", name=name)).to_be_hidden()
        assert shown.locator(".message").get_attribute("lang") == "en"


@pytest.mark.parametrize(("name", "words"), [("busy", "busy"), ("starting", "not ready yet")])
def test_a_busy_server_is_asked_again(browser: Browser, name: str, words: str) -> None:
    with Stub(refusals=2) as stub, opened(browser, stub, failing=True) as page:
        choose(page, f"{name}.png")
        says(page, f"{name}.png", f"The server is {words}; trying again in 1 s.")
        says(page, f"{name}.png", "cat")
        assert len(posts(stub)) == 3


def test_a_server_that_stays_busy_is_asked_a_few_times_and_then_by_hand(browser: Browser) -> None:
    with Stub(refusals=5) as stub, opened(browser, stub, failing=True) as page:
        choose(page, "busy.png")
        shown = says(page, "busy.png", "Server busy")
        expect(shown.get_by_text("too many pictures are waiting.")).to_be_visible()
        assert len(posts(stub)) == 5
        shown.get_by_role("button", name="Try again").click()
        expect(shown.get_by_role("button", name="Remove")).to_be_focused()
        says(page, "busy.png", "cat")
        expect(shown.get_by_text("too many pictures are waiting.")).to_be_hidden()


def test_pictures_that_the_worker_died_over_are_asked_about_twice(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub, failing=True) as page:
        choose(page, "lost.png")
        shown = says(page, "lost.png", "Server not ready")
        expect(shown.get_by_text("the worker died over this picture")).to_be_visible()
        assert len(posts(stub)) == 2


def test_faults_are_told_and_can_be_tried_again(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub, failing=True) as page:
        choose(page, "fault.png", "slow.png", "garbled.png")
        for name, answer in (("fault", "No answer"), ("slow", "Too slow")):
            shown = says(page, f"{name}.png", answer)
            expect(shown.get_by_role("button", name="Try again")).to_be_visible()
        shown = says(page, "garbled.png", "No answer")
        expect(shown.get_by_text("The answer of the server cannot be read.")).to_be_visible()


def test_a_server_that_is_gone_is_told(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub, failing=True) as page:
        page.route("**/predict", lambda route: route.abort())
        page.clock.install()
        choose(page, "cat.png")
        for _ in range(4):
            says(page, "cat.png", "The server cannot be reached; trying again in 1 s.")
            page.clock.run_for(1100)
        shown = says(page, "cat.png", "Server not reached")
        page.unroute("**/predict")
        shown.get_by_role("button", name="Try again").click()
        says(page, "cat.png", "cat")


def test_the_model_is_waited_for(browser: Browser) -> None:
    with Stub(starting=1) as stub, opened(browser, stub, failing=True) as page:
        expect(page.locator("#name")).to_have_text("best")


def test_a_model_that_never_comes_can_be_asked_for_again(browser: Browser) -> None:
    with Stub(starting=5) as stub, browser.new_context(locale="en-GB") as held:
        page = held.new_page()
        page.goto(stub.address)
        expect(page.locator("#state")).to_have_text(
            "The server is not ready yet; trying again in 1 s."
        )
        again = page.locator("aside").get_by_role("button", name="Try again")
        expect(again).to_be_visible(timeout=8000)
        expect(page.locator("#state")).to_have_text("the model is being loaded.")
        again.click()
        expect(page.locator("#name")).to_have_text("best")
        expect(again).to_be_hidden()


# ---- The token


def test_the_token_is_asked_for_once_and_sent(browser: Browser) -> None:
    with Stub(token="open-sesame") as stub, opened(browser, stub, failing=True) as page:
        choose(page, *[f"{at}.png" for at in range(6)])
        door = page.get_by_role("dialog", name="Token")
        expect(door.get_by_role("textbox", name="Token")).to_be_focused()
        assert posts(stub) == []
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(door.get_by_role("alert")).to_have_text("That token was not accepted.")
        page.keyboard.type(" open-sesame ")
        page.keyboard.press("Enter")
        expect(door).to_be_hidden()
        expect(page.locator("[data-state=sure]")).to_have_count(6)
        kept = page.evaluate(
            "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        )
        assert "sesame" not in kept and page.locator("#token").input_value() == ""
        card(page, "0.png").get_by_text("JSON and curl").click()
        told = card(page, "0.png").locator(".curl").inner_text()
        assert '-H "Authorization: Bearer $TOKEN"' in told and "sesame" not in told


def test_without_a_token_pictures_say_so_and_can_be_tried_again(browser: Browser) -> None:
    with Stub(token="open-sesame") as stub, opened(browser, stub, failing=True) as page:
        choose(page, *[f"{at}.png" for at in range(6)])
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.locator("[data-state=failed]")).to_have_count(6)
        expect(page.get_by_role("dialog")).to_be_hidden()
        shown = says(page, "3.png", "Token needed")
        expect(shown.get_by_text("the token is missing or wrong.")).to_be_visible()
        shown.get_by_role("button", name="Try again").click()
        page.get_by_role("textbox", name="Token").fill("open-sesame")
        page.get_by_role("button", name="Send").click()
        says(page, "3.png", "cat")
