"""What `gateway demo` shows beside the gateway: a company's landing page, on an origin of its own.

It does what a landing page's developer would do: name the gateway's script, and
keep a plain form with the gateway's wording for where no script runs. It has no
other way into the gateway.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp import web
from markupsafe import Markup

from gateway.config.fields import Listen
from gateway.http import pages
from gateway.http.places import taken
from gateway.look import resources
from gateway.look.translations import choose_locale

if TYPE_CHECKING:
    from gateway.config.config import Config

_USUAL: Final = Listen("127.0.0.1", 8090)
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True)
class Landing:
    """What the landing page knows of the gateway: what its developer would know."""

    gateway_url: str
    form: str
    purpose: str
    brand: pages.Brand
    inbox_url: str
    inbox_folder: Path
    locales: Sequence[str]

    @classmethod
    def of(cls, config: Config, inbox_url: str) -> Landing:
        """The page for the first form of the configuration."""
        form = next(iter(config.forms))
        purpose = config.forms[form].purposes[0]
        sender = config.sender_of(purpose)
        return cls(
            gateway_url=config.server.public_url.rstrip("/"),
            form=form,
            purpose=purpose,
            brand=pages.Brand.of(config.controller, [sender]),
            inbox_url=inbox_url,
            inbox_folder=config.delivery.inbox.folder,
            locales=config.form_locales(form),
        )


def landing_app(landing: Landing) -> web.Application:
    """The landing page at `/`, and where a plain form leads to, at `/thanks`."""
    site = _Site(landing)
    app = web.Application()
    app.router.add_get("/", site.start)
    app.router.add_get("/thanks", site.thanks)
    return app


@asynccontextmanager
async def open_landing(
    landing: Landing, host: str = _USUAL.host, port: int = _USUAL.port
) -> AsyncIterator[str]:
    """Serve the landing page until the block is left; yields its URL. Port 0 takes any free one."""
    async with taken(Listen(host, port), None) as place:
        runner = web.AppRunner(landing_app(landing), access_log=None)
        try:
            await runner.setup()
            await place.serve(runner)
            yield "http://{}:{}".format(*place.bound)
        finally:
            await runner.cleanup()


def place_of_landing(config: Config) -> Listen:
    """Where the page's own script may post from: the first origin of its form on this machine."""
    form = config.forms[next(iter(config.forms))]
    ours = (urlsplit(origin) for origin in form.origins)
    ports = (one.port for one in ours if one.hostname == _USUAL.host and one.port is not None)
    return Listen(_USUAL.host, next(ports, _USUAL.port))


def next_steps(landing: Landing, landing_url: str, api_key: str, config: Path) -> str:
    """What to try first, for the terminal."""
    lines = [
        "",
        "  The demo is running. Nothing leaves this machine.",
        "",
        f"  1  Sign up as ada@example.org:   {landing_url}",
        f"  2  Confirm in the local inbox:   {landing.inbox_url}",
        "  3  Send a mail, as your marketing automation would:",
        "",
        *(f"     {line}" for line in _example(landing, api_key)),
        "",
        "  4  Write to everyone who agreed, and see what became of it:",
        "",
        *(f"     {line}" for line in _campaign(landing, config)),
        "",
        "  5  Unsubscribe by the link in the mail of 3, and send it again: the gateway refuses.",
        "  6  Defend the newest mail, as if somebody had complained: is it ours, what allowed it?",
        "",
        f"     {_command()} --config {config} defend"
        f" $(ls {_from_here(landing.inbox_folder)}/*.eml | tail -1)",
        "",
        "  7  Prove that nobody altered the log of all that:",
        "",
        f"     {_command()} --config {config} audit verify",
        "",
        "  8  Open the desk of the data protection officer, by the link that this prints:",
        "",
        f"     echo dana@example.test | {_command()} --config {config} operator create"
        " --role dpo --name privacy-1",
        "",
        f"  Hosted form: {landing.gateway_url}/forms/{landing.form}",
        f"  The API:     {landing.gateway_url}/docs",
        "  Stop with Ctrl-C.",
        "",
    ]
    return "\n".join(lines)


def _command() -> str:
    """How this gateway is called from here."""
    return str(_from_here(Path(sys.executable).with_name("gateway")))


def _from_here(path: Path) -> Path:
    """As one types it in this folder; what lies elsewhere keeps its whole path."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _example(landing: Landing, api_key: str) -> list[str]:
    message = {
        "to": {"email": "ada@example.org"},
        "purpose": landing.purpose,
        "content": {"template": "welcome", "data": {"first_name": "Ada"}},
    }
    return [
        f"curl {landing.gateway_url}/v1/messages \\",
        f"  -H 'Authorization: Bearer {api_key}' \\",
        "  -H 'Content-Type: application/json' \\",
        f"  -d '{json.dumps(message)}'",
    ]


def _campaign(landing: Landing, config: Path) -> list[str]:
    said = config.with_name("june.json")
    order = f"campaign create --purpose {landing.purpose} --content {said}"
    return [
        f"""echo '{{"subject": "News of June", "html": "<p>Hello.</p>"}}' > {said}""",
        f"ID=$({_command()} --config {config} {order})",
        f"{_command()} --config {config} campaign show $ID --follow",
    ]


class _Site:
    def __init__(self, landing: Landing) -> None:
        self._landing = landing

    async def start(self, request: web.Request) -> web.Response:
        """The page with the form; without the gateway it says so instead of failing."""
        locale = self._locale(request)
        form = await self._description(locale)
        return self._page(locale, form=form, state="open" if form else "away")

    async def thanks(self, request: web.Request) -> web.Response:
        return self._page(self._locale(request), form=None, state="sent")

    def _locale(self, request: web.Request) -> str:
        """One that the form has: else the page around it would be in another."""
        header, wanted = request.headers.get("Accept-Language"), request.query.get("locale")
        return choose_locale(header, wanted, self._landing.locales)

    async def _description(self, locale: str) -> dict[str, Any] | None:
        """The form as the gateway describes it: the wording and its hash are never our own."""
        address = f"{self._landing.gateway_url}/forms/{quote(self._landing.form)}.json"
        try:
            async with (
                aiohttp.ClientSession(timeout=_PATIENCE) as session,
                session.get(address, params={"locale": locale}) as answer,
            ):
                if answer.status != web.HTTPOk.status_code:
                    return None
                description: dict[str, Any] = await answer.json()
                return description
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    def _page(self, locale: str, *, form: dict[str, Any] | None, state: str) -> web.Response:
        style, script = _asset("demo.css"), _asset("demo.js")
        landing = self._landing
        text = pages.render(
            "demo",
            locale,
            brand=landing.brand,
            landing=landing,
            form=form,
            state=state,
            others=pages.other_tongues(landing.locales, locale),
            sheet=style,
            script=script,
        )
        policy = (
            f"default-src 'none'; style-src {_source(style)}; "
            f"script-src {_source(script)} {landing.gateway_url}; "
            f"connect-src {landing.gateway_url}; frame-ancestors 'none'; base-uri 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)


@cache
def _asset(name: str) -> Markup:
    # A file of ours, shown inside <style> or <script>, where nothing is escaped.
    return Markup((resources.templates() / "pages" / name).read_text("utf-8"))  # noqa: S704


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
