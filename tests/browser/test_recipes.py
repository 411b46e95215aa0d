"""The recipes of docs/landing-pages.md, in the HTML that each system makes of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from tests.browser.conftest import IN_A_BROWSER, Site, open_site
from tests.browser.test_journey import visit
from tests.support.ports import free_port

pytestmark = IN_A_BROWSER
_RECIPES: Final = Path(__file__).parents[2] / "docs" / "landing-pages.md"
_NODE: Final = Path("/usr/share/nodejs")
_KINDS: Final = """
[forms.newsletter.fields.role]
kind = "choice"
required = true
label = { en = "Your role", de = "Ihre Rolle", fr = "Votre rôle" }
help = { en = "What you do most.", de = "Was Sie meistens tun.", fr = "Votre activité." }
options = ["developer", "owner"]
[forms.newsletter.fields.topics]
kind = "multiple_choice"
options = ["tools", "wood"]
[forms.newsletter.fields.team]
kind = "number"
min = 1
max = 500
[forms.newsletter.fields.since]
kind = "date"
[forms.newsletter.fields.partner]
kind = "checkbox"
[forms.newsletter.fields.source]
kind = "hidden"
options = ["elsewhere", "website", "fair"]
"""
# As any page around it: nothing of it is ours.
_APP: Final = """
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { Newsletter } from "./newsletter";
function App() {
  const [times, again] = useState(0);
  const [shown, show] = useState(false);
  const [thanks, thank] = useState(false);
  return <main><h1>React</h1>
    <button onClick={() => again(times + 1)}>Rendered {times}</button>
    <button onClick={() => show(!shown)}>Show or hide</button>
    {shown && <Newsletter locale="de" onAccepted={() => thank(true)} />}
    {thanks && <p>Danke, sagt React.</p>}
  </main>;
}
createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>);
"""


def recipe(language: str, gateway: str, number: int = 0) -> str:
    """A piece of the document, for this gateway."""
    found = re.findall(rf"```{language}\n(.*?)```", _RECIPES.read_text("utf-8"), re.DOTALL)
    assert len(found) > number, language
    return str(found[number]).replace("https://mail.example.org", gateway)


def built(directory: Path, gateway: str) -> str:
    """The React recipe, bundled as its developer would."""
    esbuild = shutil.which("esbuild")
    if esbuild is None or not (_NODE / "react-dom").exists():
        pytest.skip("there is no esbuild, or no node-react and node-react-dom")
    (directory / "newsletter.jsx").write_text(recipe("jsx", gateway))
    (directory / "app.jsx").write_text(_APP)
    done = subprocess.run(
        [esbuild, "app.jsx", "--bundle", "--minify", "--jsx=automatic", "--outfile=app.js"],
        cwd=directory,
        env={"NODE_PATH": str(_NODE), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return (directory / "app.js").read_text("utf-8")


@asynccontextmanager
async def pages(site: Site, port: int, content: Mapping[str, str]) -> AsyncIterator[str]:
    """Somebody's site under a strict policy; a path that ends in .js is a script of theirs."""
    ours = site.gateway
    policy = (
        f"default-src 'none'; script-src 'self' {ours}; connect-src {ours}; form-action {ours}; "
        "require-trusted-types-for 'script'"
    )

    async def page(request: web.Request) -> web.Response:
        if request.path.endswith(".js"):
            return web.Response(text=content[request.path], content_type="text/javascript")
        text = f'<!doctype html><html lang="en"><title>Host</title>{content[request.path]}'
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=text, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_react_inserts_the_element_whenever_it_likes(tmp_path: Path, chromium: Any) -> None:
    port = free_port()
    async with open_site(tmp_path, f"http://127.0.0.1:{port}", _KINDS) as site:
        app = built(tmp_path, site.gateway)
        script = f'<script src="{site.gateway}/forms/newsletter.js" async></script>'
        root = f'{script}<div id="root"></div><script src="/app.js"></script>'
        content = {"/": root, "/app.js": app}
        async with pages(site, port, content) as host, visit(chromium, site) as person:
            person.allow(host)
            page = person.page
            await page.goto(host)
            await person.press("Show or hide")
            await page.get_by_label("E-Mail-Adresse").fill("ada@example.org")
            await page.get_by_role("button", name="Rendered 0").click()
            await page.get_by_role("button", name="Rendered 1").wait_for()
            assert await page.get_by_label("E-Mail-Adresse").input_value() == "ada@example.org"
            await person.check()
            await person.press("Show or hide")
            await page.get_by_label("E-Mail-Adresse").wait_for(state="detached")
            await person.press("Show or hide")

            await page.get_by_label("E-Mail-Adresse").fill("ada@example.org")
            await page.get_by_label("Ihre Rolle").select_option("owner")
            await page.get_by_label("Tools").check()
            await page.get_by_label("Team").fill("7")
            await page.get_by_label("Since").fill("2024-02-29")
            await page.get_by_label("Partner").check()
            await page.get_by_role("checkbox", name="Ja, ich möchte").check()
            await person.press("Anmelden")
            await person.sees("Danke, sagt React.")

            told = await entered(site, person)
        assert told == {
            "role": "owner",
            "topics": "tools",
            "team": "7",
            "since": "2024-02-29",
            "partner": "yes",
            "source": "website",
        }


async def entered(site: Site, person: Any) -> dict[str, str]:
    """What the confirmation page shows of the sign-up."""
    mail = await site.mail(1)
    found = re.search(r"http://\S+/confirm/[A-Za-z0-9_-]+", mail.text or "")
    assert found is not None
    await person.go(found[0])
    values: dict[str, str] = await person.page.evaluate(
        "Object.fromEntries([...new FormData(document.forms[0])]"
        ".filter(([n, v]) => n.startsWith('profile.') && v).map(([n, v]) => [n.slice(8), v]))"
    )
    return values


async def test_wordpress_and_typo3_and_a_place_that_comes_later(
    tmp_path: Path, chromium: Any
) -> None:
    port = free_port()
    async with open_site(tmp_path, f"http://127.0.0.1:{port}", _KINDS) as site:
        snippet = site.command("forms", "snippet", "newsletter", "--locale", "en")
        script = f"{site.gateway}/forms/newsletter.js"
        content = {
            "/wordpress": _wordpress(snippet, script),
            "/wordpress-classic": _classic(snippet),
            "/typo3": _typo3(script),
            "/later": f'<main><h1>Later</h1><div id="at"></div></main>'
            f'<script src="{script}" async></script><script src="{script}"></script>'
            '<script src="/later.js"></script>',
            "/later.js": _LATER,
        }
        async with pages(site, port, content) as host, visit(chromium, site) as person:
            person.allow(host)
            for path in ("/wordpress", "/wordpress-classic", "/typo3"):
                await person.page.goto(host + path)
                await person.page.locator("consent-form-newsletter").wait_for()
                await person.check()
                assert await person.page.get_by_role("button").count() == 1, path
                assert await person.page.get_by_label("Email address").count() == 1, path
            await _told(person)
            await person.page.goto(f"{host}/later")
            for _ in range(2):
                await person.page.locator("#later consent-form-newsletter form").wait_for()
                await person.page.locator("#itself form").wait_for()
                assert await person.page.locator("form").count() == 2
                await person.page.evaluate("again()")
            await person.check()
        async with (
            pages(site, port, content) as host,
            visit(chromium, site, scripts=False) as person,
        ):
            person.allow(host)
            await person.page.goto(f"{host}/wordpress-classic")
            await person.page.locator("[name=email]").fill("ada@example.org")
            await person.page.locator("[name='profile.role']").select_option("developer")
            await person.page.locator("[name=purpose]").check()
            await person.press("Sign up")
            await person.sees("Please look into your mailbox")


async def _told(person: Any) -> None:
    """Each field that is wrong is named at its place, which the first gets the focus of."""
    page = person.page
    await page.get_by_label("Team").fill("0")
    await page.get_by_label("Email address").fill("ada@example.org")
    await page.get_by_role("checkbox", name="Yes, send me").check()
    await person.press("Sign up")
    await person.sees("Please choose one of the answers that are offered.")
    await person.sees("Please stay within 1 – 500.")
    role = page.get_by_label("Your role")
    assert await role.get_attribute("aria-describedby") == "profile.role-wrong profile.role-help"
    assert await role.get_attribute("aria-invalid") == "true"
    focused = "document.activeElement.shadowRoot.activeElement.id"
    assert await page.evaluate(focused) == "profile.role"
    assert await page.get_by_label("Team").input_value() == "0"


def _wordpress(snippet: str, script: str) -> str:
    """A block "Custom HTML", and the script once more, as `wp_enqueue_script` prints it."""
    return (
        f'<script src="{script}" id="consent-form-js" async data-wp-strategy="async"></script>'
        '<main class="wp-block-group"><h1 class="wp-block-post-title">Page</h1>'
        '<div class="entry-content wp-block-post-content is-layout-constrained">'
        f"\n{snippet}\n</div></main>"
    )


def _classic(snippet: str) -> str:
    """As `wpautop` leaves it: paragraphs around what has none, and a break for each line end."""
    broken = re.sub(r">\n(\s*)<(label|input|button|select)", r"><br />\n\1<\2", snippet)
    broken = broken.replace("<script", "<p><script").replace("</script>", "</script></p>")
    return f'<main><h1>Page</h1><div class="entry-content">{broken}</div></main>'


def _typo3(script: str) -> str:
    """A content element of `fluid_styled_content`, and the script at the foot of the page."""
    return (
        '<main><h1>Page</h1><div id="c12" class="frame frame-default frame-type-html '
        'frame-layout-0 frame-space-before-none">\n\n'
        '<div data-consent-form="newsletter" data-locale="en"></div>\n\n</div></main>'
        f'<script src="{script}" async="async"></script>'
    )


# A page that makes its parts itself, when it likes, and makes them anew.
_LATER: Final = """
globalThis.again = () => {
  const later = document.createElement("section");
  later.id = "later";
  const place = document.createElement("div");
  place.dataset.consentForm = "newsletter";
  later.append(place);
  const itself = document.createElement("consent-form-newsletter");
  itself.id = "itself";
  document.getElementById("at").replaceChildren(later, itself);
};
setTimeout(globalThis.again, 300);
"""
