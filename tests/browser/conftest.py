"""A whole gateway in a real process, a landing page on another origin, and a real Chromium."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from gateway.config import config as configuration
from gateway.demo.landing import Landing, open_landing
from gateway.smtp.inbox import Folder, Mail, read_mail
from tests.support import forking
from tests.support.gateways import environment
from tests.support.ports import free_port

_HERE = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# The browser lasts, and answers in the loop in which it was started.
IN_A_BROWSER = [pytest.mark.wide, pytest.mark.asyncio(loop_scope="session")]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@dataclass
class Site:
    """What a person can reach: the gateway, a company's landing page, the local inbox."""

    gateway: str
    landing: str
    inbox: str
    config: Path
    folder: Folder

    def command(self, *arguments: str, stdin: str | None = None) -> str:
        command = ["--config", str(self.config), *arguments]
        done = forking.run(command, _HERE, environment(), stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    async def mail(self, number: int, seconds: float = 60) -> Mail:
        """Wait for the mail with that number, the first being 1."""
        async with asyncio.timeout(seconds):
            while len(names := self.folder.names()) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        name = names[-number]
        raw = self.folder.read(name)
        assert raw is not None
        return read_mail(name, raw)

    async def call(self, key: str, path: str, body: Any) -> tuple[int, Any]:
        """One call of the API."""
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession(self.gateway, headers=headers) as http,
            http.post(path, json=body) as answer,
        ):
            return answer.status, await answer.json()

    async def granted(self, key: str, email: str) -> bool:
        question = {"to": {"email": email}, "purpose": "newsletter"}
        _, said = await self.call(key, "/v1/permissions", question)
        return bool(said["granted"])


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """The embedded default on free ports, delivering into its own inbox over SMTP."""
    async with open_site(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def open_site(directory: Path, origin: str = "", more: str = "") -> AsyncIterator[Site]:
    """As `site`; *origin* may use the form's script too, *more* is configuration."""
    site = await make_site(directory, origin, more)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(site, directory))
        shown = Landing.of(configuration.load(site.config), site.inbox)
        await stack.enter_async_context(open_landing(shown, port=urlsplit(site.landing).port))
        yield site


async def make_site(directory: Path, origin: str = "", more: str = "") -> Site:
    """One that was initialised, and that nobody serves yet."""
    ports = [free_port() for _ in range(4)]
    gateway, landing, inbox, smtp = (f"127.0.0.1:{port}" for port in ports)
    raw = configuration.embedded_default()
    for old, new in (
        ('listen = "127.0.0.1:8080"', f'listen = "{gateway}"'),
        ('admin_listen = "127.0.0.1:9180"', 'admin_listen = "off"'),
        ('public_url = "http://localhost:8080"', f'public_url = "http://{gateway}"'),
        (
            'origins = ["http://127.0.0.1:8090"',
            f'origins = ["http://{landing}", "{origin or "http://localhost:1"}"',
        ),
        ('listen = "127.0.0.1:8025"', f'listen = "{inbox}"'),
        ('smtp = "127.0.0.1:2525"', f'smtp = "{smtp}"'),
    ):
        assert raw.count(old) == 1, old
        raw = raw.replace(old, new)
    config = directory / "config.toml"
    config.write_text(f"{raw}\n{more}")
    loaded = configuration.load(config)
    folder = Folder(Path(loaded.delivery.inbox.folder))
    site = Site(f"http://{gateway}", f"http://{landing}", f"http://{inbox}", config, folder)
    await asyncio.to_thread(_initialise, site)
    return site


@cache
def _made() -> tempfile.TemporaryDirectory[str]:
    """What `gateway init` made, once for each process; where one listens is in none of it."""
    return tempfile.TemporaryDirectory(prefix="initialised-")


def _initialise(site: Site) -> None:
    theirs, ours = site.config.parent / "var", Path(_made().name) / "var"
    if ours.exists():
        shutil.copytree(ours, theirs)
    else:
        site.command("init")
        shutil.copytree(theirs, ours)


@asynccontextmanager
async def serving(site: Site, directory: Path) -> AsyncIterator[None]:
    """Its gateway, in a process."""
    with (directory / "serve.log").open("ab") as log:
        command = ["--config", str(site.config), "serve"]
        process = forking.start(command, _HERE, environment(), log, log)
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession(site.gateway) as http:
            while not await _is_ready(http):
                assert process.poll() is None, (directory / "serve.log").read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait(60)


async def _is_ready(http: aiohttp.ClientSession) -> bool:
    with suppress(aiohttp.ClientError):
        async with http.get("/readyz") as answer:
            return answer.status == 200
    return False


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def launched() -> AsyncIterator[Any]:
    """One browser for all tests of a process, which takes two seconds of a processor to start."""
    driver = pytest.importorskip("playwright.async_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    async with driver.async_playwright() as opened:
        browser = await opened.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def chromium(launched: Any) -> AsyncIterator[Any]:
    """A browser in which nobody was before: each test makes contexts of its own, as do pages."""
    assert launched.contexts == []
    yield launched
    for context in launched.contexts:
        await context.close()
