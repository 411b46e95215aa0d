"""The script of a form on somebody else's page: under a strict policy, and where it cannot run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.browser.conftest import IN_A_BROWSER, Site, open_site
from tests.browser.test_journey import ADA, visit
from tests.support.ports import free_port

pytestmark = IN_A_BROWSER


@asynccontextmanager
async def host_page(site: Site, port: int, html: str) -> AsyncIterator[str]:
    """A page that allows what the documentation says is needed, and nothing else."""
    policy = (
        f"default-src 'none'; script-src {site.gateway}; connect-src {site.gateway}; "
        f"form-action {site.gateway}; require-trusted-types-for 'script'"
    )

    async def page(_request: web.Request) -> web.Response:
        text = f'<!doctype html><html lang="en"><title>Host</title><main><h1>Host</h1>{html}</main>'
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=text, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}/"
    finally:
        await runner.cleanup()


async def test_the_snippet_works_under_a_strict_policy_and_without_the_script(
    tmp_path: Path, chromium: Any
) -> None:
    port = free_port()
    async with open_site(tmp_path, origin=f"http://127.0.0.1:{port}") as site:
        html = site.command("forms", "snippet", "newsletter")
        async with host_page(site, port, html) as url, visit(chromium, site) as person:
            await person.page.route(
                re.compile(r"\.js$"), lambda route: route.abort(), times=1
            )  # the first time the script does not arrive
            person.allow(url)
            await person.page.goto(url)
            assert await person.page.locator("form").count() == 1
            assert await person.page.locator("consent-form-newsletter").count() == 0

            await person.page.reload()
            form = person.page.locator("consent-form-newsletter")
            await form.wait_for()
            await person.check()
            await person.page.get_by_label("Email address").fill("ada@")
            await person.press("Sign up")
            await person.sees("We cannot mail this address")
            focused = "document.activeElement.shadowRoot.activeElement.id"
            assert await person.page.evaluate(focused) == "email"
            await person.page.get_by_label("Email address").fill(ADA)
            await person.page.get_by_role("checkbox").check()
            await person.press("Sign up")
            await person.sees("Please look into your mailbox")
            assert await person.page.context.cookies() == []
            assert await person.page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert ADA in (await site.mail(1)).summary.recipient


async def test_a_theme_reaches_the_form_and_typed_words_survive_the_change(
    tmp_path: Path, chromium: Any
) -> None:
    async with open_site(tmp_path) as site, visit(chromium, site) as person:
        await person.page.route(re.compile(r"\.js$"), _late(person))
        await person.page.goto(site.landing, wait_until="commit")
        await person.page.get_by_label("First name").fill("Ada")
        person.release.set()
        await person.page.locator("consent-form-newsletter").wait_for()

        assert await person.page.get_by_label("First name").input_value() == "Ada"
        button = person.page.get_by_role("button", name="Sign up")
        colour = await button.evaluate("one => getComputedStyle(one).backgroundColor")
        assert colour == "rgb(13, 92, 75)"


def _late(person: Any) -> Any:
    """Hold the script back until the person has typed something."""

    async def hold(route: Any) -> None:
        await person.release.wait()
        await route.continue_()

    return hold
