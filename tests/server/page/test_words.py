"""What the model is, in two languages, and names that are no names."""

import pytest
from playwright.sync_api import Browser, expect
from tests.server.page.acting import choose, opened, says
from tests.server.page.stub import HOSTILE, Stub

pytestmark = pytest.mark.nightly

# ---- The model's card


def test_the_card_of_the_model(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        aside = page.get_by_role("complementary", name="The model")
        told = aside.inner_text()
        for words in (
            "best",
            "resnet18_pool32, sees 144\u00a0×\u00a0144 pixels",
            "94.3\u00a0% right on 1,998 pictures of the test part",
            "(95\u00a0% interval 93.2 to 95.2)",
            "29 November 2026",
            "OpenVINO, fp32",
            "Not sure: the score is below 80.0\u00a0%",
            "Unlike: the picture is farther",
        ):
            assert words in told
        expect(page.locator("#knows")).to_have_text("Tells cat and dog apart.")


def test_a_model_of_which_little_is_known(browser: Browser) -> None:
    little = {"accuracy": None, "interval": None, "images": None, "part": None, "created": ""}
    never = {
        "sure_from": 0.0,
        "tells_unlike": False,
        "classes": [f"kind {at}" for at in range(1000)],
    }
    with Stub(little | never) as stub, opened(browser, stub) as page:
        told = page.locator("aside").inner_text()
        for words in ("Not measured.", "Unknown", "Not sure: never said", "Unlike: never said"):
            assert words in told
        assert "kind 999" not in told
        page.locator("aside").get_by_text("1,000 classes").click()
        expect(page.locator("aside").get_by_text("kind 999")).to_be_visible()
        expect(page.locator("#knows")).to_have_text(
            "Tells 1,000 classes, among them kind 0, kind 1, kind 2 and kind 3."
        )


# ---- Words from elsewhere


def test_hostile_names_do_nothing(browser: Browser) -> None:
    facts = {"classes": [HOSTILE, "cat"], "name": HOSTILE, "network": HOSTILE, "version": HOSTILE}
    with Stub(facts) as stub, opened(browser, stub, failing=True) as page:
        choose(page, f"hostile-{HOSTILE}.png", "evil.png")
        shown = says(page, f"hostile-{HOSTILE}.png", HOSTILE)
        shown.get_by_role("button", name="Where?").click()
        expect(shown.get_by_role("slider")).to_be_visible()
        shown.get_by_text("JSON and curl").click()
        expect(page.locator("#said")).to_contain_text(HOSTILE)
        expect(says(page, "evil.png", "Cannot be read").locator(".message")).to_contain_text(
            HOSTILE
        )
        page.locator("#language").click()
        assert page.locator("img[src=x]").count() == 0
        assert page.locator("#knows").inner_text().count(HOSTILE) == 1


# ---- Languages


def test_the_language_is_switched_and_remembered(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub, failing=True) as page:
        choose(page, "unsure.png", "unreadable.png")
        says(page, "unsure.png", "not sure (perhaps dog)")
        says(page, "unreadable.png", "Cannot be read")
        page.get_by_role("button", name="中文").click()
        assert (
            page.locator("html").get_attribute("lang") == "zh-Hans" and page.title() == "图像分类"
        )
        says(page, "unsure.png", "不确定（可能是 dog）")
        says(page, "unreadable.png", "无法读取")
        told = page.locator("aside").inner_text()
        assert "在测试集的 1,998 张图片上答对 94.3%（95% 置信区间 93.2 至 95.2）" in told
        assert "2026年11月29日" in told
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("图像分类")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Image classifier")
        assert page.locator("html").get_attribute("lang") == "en"


def test_the_language_is_that_of_the_browser(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub, locale="zh-CN") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("图像分类")


def test_a_browser_that_keeps_nothing_will_do(browser: Browser) -> None:
    with Stub() as stub, browser.new_context(locale="en-GB") as held:
        page = held.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
        )
        page.goto(stub.address)
        page.get_by_role("button", name="中文").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("图像分类")
        assert faults == []


def test_every_text_is_there_in_both_languages(browser: Browser) -> None:
    with Stub() as stub, opened(browser, stub) as page:
        pairs = page.evaluate(
            """async () => {
                const source = await (await fetch("static/words.js")).text();
                const pairs = source.matchAll(/^  (\\w+): \\["(.*)", "(.*)"\\],$/gm);
                return [...pairs].map((pair) => pair.slice(1));
            }"""
        )
        assert len(pairs) > 80
        holes = [key for key, en, zh in pairs if sorted(_holes(en)) != sorted(_holes(zh))]
        assert holes == [] and all(en and zh for _, en, zh in pairs)


def _holes(text: str) -> list[str]:
    return [piece.partition("}")[0] for piece in text.split("{")[1:]]
