"""Every page in a real browser: accessible by axe's rules, nothing wider than its screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.http import pages
from gateway.look.translations import SOURCE, languages
from tests.support.page_samples import samples

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.wide
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
# In the dark only colours differ, and only what looks at them is asked again: which is a third.
_OF_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}
_MORE_THAN_COLOURS = """() => {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  const dark = rules.filter((one) => one.conditionText?.includes("prefers-color-scheme"));
  const set = dark.flatMap((one) => [...one.cssRules]).flatMap((one) => [...one.style]);
  return dark.length ? set.filter((name) => !name.startsWith("--")) : ["no dark"];
}"""
# What sticks out of the column that its page has; what nobody sees is put far to the left.
_STICKS_OUT = """() => {
  const main = document.querySelector("main");
  const edge = main.getBoundingClientRect().right - parseFloat(getComputedStyle(main).paddingRight);
  const far = (one) => one.getBoundingClientRect().right > edge + 1;
  return [...main.querySelectorAll("*")].filter(far).map((one) => one.outerHTML.slice(0, 80));
}"""
SCREENS = {"phone": {"width": 320, "height": 640}, "desktop": {"width": 1280, "height": 800}}
SCHEMES: dict[str, Any] = {"light": _RULES, "dark": _OF_COLOURS}


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A screen that changes its size and its light: a page is opened once for all of them."""
    if _CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, args=_QUIET)
        # A colour on its way from light to dark is neither.
        opened = browser.new_page(reduced_motion="reduce")
        opened.evaluate(axe.Axe().axe_script)  # it stays: each page is written into the same window
        yield opened
        browser.close()


# The markup is the same in each; English, whose words are the shortest, fits where these do.
LOCALES = [one for one in languages() if one != SOURCE]


# Nor do colours depend on words: in the dark a page is looked at in one of them.
def schemes(locale: str) -> dict[str, Any]:
    return SCHEMES if locale == LOCALES[0] else {"light": _RULES}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("state", sorted(samples("en")))
def test_a_page_is_accessible_and_fits(page: Any, state: str, locale: str) -> None:
    name, facts = samples(locale)[state]

    page.set_content(pages.render(name, locale, **facts))

    assert page.evaluate(_MORE_THAN_COLOURS) == []
    for screen, size in SCREENS.items():
        page.set_viewport_size(size)
        for scheme, rules in schemes(locale).items():
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate("(rules) => axe.run(document, rules)", rules)["violations"]
            wrong = [(v["id"], [n["html"] for n in v["nodes"]]) for v in found]
            assert (screen, scheme, wrong) == (screen, scheme, [])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), screen
        assert (screen, page.evaluate(_STICKS_OUT)) == (screen, [])


def test_what_a_receipt_says_last_stands_apart_from_its_checksum(page: Any) -> None:
    (facts,) = [
        one
        for name, one in samples("en").values()
        if name == "confirm_done" and one.get("receipts")
    ][:1]

    page.set_content(pages.render("confirm_done", "en", **facts))

    receipt = page.locator(".facts").last.bounding_box()
    after = page.locator(".facts + p").last.bounding_box()
    assert after["y"] - receipt["y"] - receipt["height"] >= 12
