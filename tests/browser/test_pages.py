"""Every page in a real browser: accessible by axe's rules, nothing wider than a small phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from gateway.http import pages
from tests.support.page_samples import samples

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.wide
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="module", params=["light", "dark"])
def page(request: pytest.FixtureRequest) -> Iterator[object]:
    """A small phone's screen."""
    if _CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, args=_QUIET)
        yield browser.new_page(viewport={"width": 320, "height": 640}, color_scheme=request.param)
        browser.close()


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("state", sorted(samples("en")))
def test_a_page_is_accessible_and_fits(page, state: str, locale: str) -> None:  # type: ignore[no-untyped-def]  # an optional package's class
    name, facts = samples(locale)[state]

    page.set_content(pages.render(name, locale, **facts))

    found = axe.Axe().run(page, options=_RULES).response["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
