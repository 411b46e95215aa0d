from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config import config as configuration
from gateway.demo import demo
from gateway.demo.landing import Landing, next_steps, open_landing, place_of_landing
from gateway.look.translations import languages
from tests.support.page_samples import BRAND, HASH


async def description(request: web.Request) -> web.Response:
    locale = request.query["locale"]
    text = {"hash": HASH, "bundle": {"text": f"<wording> {locale}", "locale": locale}}
    purpose = {"purpose": "newsletter", "title": "N", "required": False, "text": text}
    field = {"name": "first_name", "required": False, "max_length": 80, "label": "First name"}
    return web.json_response(
        {"form": "n", "locale": locale, "purposes": [purpose], "fields": [field]}
    )


@pytest.fixture
async def gateway_url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/forms/newsletter.json", description)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


def landing(gateway_url: str) -> Landing:
    inbox = "http://127.0.0.1:8025"
    spoken = ["en", "de"]
    return Landing(gateway_url, "newsletter", "newsletter", BRAND, inbox, Path("var/inbox"), spoken)


async def get(url: str) -> tuple[str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.text(), answer.headers["Content-Security-Policy"]


async def test_the_landing_page_shows_the_gateways_wording_and_posts_to_it(
    gateway_url: str,
) -> None:
    async with open_landing(landing(gateway_url), port=0) as url:
        text, policy = await get(f"{url}/?locale=de")

    assert "&lt;wording&gt; de" in text
    assert f'value="{HASH}"' in text
    assert f'action="{gateway_url}/forms/newsletter"' in text
    assert f"connect-src {gateway_url};" in policy


async def test_the_landing_page_stands_while_the_gateway_is_away() -> None:
    async with open_landing(landing("http://127.0.0.1:1"), port=0) as url:
        text, _ = await get(f"{url}/?locale=en")

    assert "The form is not available right now" in text
    assert "<form" not in text


async def test_a_plain_form_ends_on_a_page_of_thanks(gateway_url: str) -> None:
    async with open_landing(landing(gateway_url), port=0) as url:
        text, _ = await get(f"{url}/thanks?locale=en")

    assert "Please look into your mailbox" in text
    assert "<form" not in text


def test_one_number_moves_every_port_of_a_demo(tmp_path: Path) -> None:
    loaded = configuration.load(demo.prepare(tmp_path / "moved", 9000))

    server, inbox = loaded.server, loaded.delivery.inbox
    assert server.admin_listen is not None
    places = [
        server.listen,
        place_of_landing(loaded),
        inbox.listen,
        inbox.smtp,
        server.admin_listen,
    ]
    assert [one.port for one in places] == [9000, 9001, 9002, 9003, 9004]
    assert server.public_url == "http://localhost:9000"
    assert "http://127.0.0.1:9001" in loaded.forms["newsletter"].origins
    assert place_of_landing(configuration.load(demo.prepare(tmp_path / "usual"))).port == 8090
    with pytest.raises(ValueError, match="listens elsewhere"):
        demo.planned(tmp_path / "usual", 9000)


def test_the_next_steps_name_every_address_and_the_key(tmp_path: Path) -> None:
    config = configuration.parse(configuration.embedded_default(), base=tmp_path)
    made = Landing.of(config, "http://127.0.0.1:8025")

    text = next_steps(made, "http://127.0.0.1:8090", "cgw_key", Path("var/demo/config.toml"))

    for part in (
        "http://127.0.0.1:8090",
        "http://127.0.0.1:8025",
        "Bearer cgw_key",
        made.form,
        "defend $(",
        "operator create --role dpo",
        f"campaign create --purpose {made.purpose}",
    ):
        assert part in text


def test_the_next_steps_are_typed_where_the_demo_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = Landing.of(configuration.load(demo.prepare(Path("var/demo"))), "http://127.0.0.1:8025")

    text = next_steps(made, "http://127.0.0.1:8090", "cgw_key", Path("var/demo/config.toml"))

    assert "defend $(ls var/demo/var/inbox/*.eml | tail -1)" in text
    assert str(tmp_path) not in text


def test_the_demos_form_speaks_every_language_that_there_is(tmp_path: Path) -> None:
    loaded = configuration.load(demo.prepare(tmp_path))

    assert set(loaded.form_locales("newsletter")) == {*languages()}
    assert loaded.forms["newsletter"].fields["first_name"].label.keys() == {*languages()}
