"""A person's own pages, as a browser would use them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from html import unescape
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from sqlalchemy import delete

from consent.fresh_links import SESSION_LIFE
from consent.tables import service_mail
from gateway.flows.proving.verify import verify
from gateway.http.app_keys import PARTS
from gateway.look.translations import translations
from gateway.people import sessions
from tests.support.apps import ADA, App, open_app

STRANGER = "stranger@example.org"
LETTERS = "We cannot mail this address (no ä or é before the @). Example: name@example.org"
GOES = (
    "What else you enter in a form goes as soon as no consent of yours stands any more; as part of "
    "the proof it is kept as long as that."
)


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


async def fresh_link(app: App, email: str = ADA) -> str:
    """Ask for a link and read it from the mail."""
    answer = await app.http.post("/my-data", data={"email": email})
    assert answer.status == 200
    mails = [one for one in await app.deliver() if one.to == email]
    (mail,) = [one for one in mails if b"/my-data/" in one.raw]
    return mail.token("my-data")


async def session(app: App, page: str = "my-data") -> dict[str, str]:
    """Open a link; the headers that a browser sends from then on."""
    url = f"/{page}/{await fresh_link(app)}"
    answer = await app.http.post(url, allow_redirects=False)
    assert answer.status == 303
    return {"Cookie": f"my-data={cookie_of(answer.headers['Set-Cookie']).value}"}


def cookie_of(header: str) -> Morsel[str]:
    (morsel,) = SimpleCookie(header).values()
    return morsel


async def csrf(app: App, person: dict[str, str], page: str = "/my-data") -> str:
    text = await (await app.http.get(page, headers=person)).text()
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None
    return found[1]


async def test_a_link_that_was_opened_is_sound_whatever_the_microsecond(app: App) -> None:
    """Entries count milliseconds, rows microseconds: that alone is no tampering."""
    await app.subscribe()
    app.step(timedelta(milliseconds=3, microseconds=457))

    await session(app)

    await app.tick()
    assert (await verify(app.parts)).rows == []


async def test_the_answer_is_the_same_for_a_stranger_who_gets_no_mail(app: App) -> None:
    await app.subscribe()

    known = await app.http.post("/my-data", data={"email": ADA})
    unknown = await app.http.post("/my-data", data={"email": STRANGER})

    assert (known.status, await known.text()) == (unknown.status, await unknown.text())
    assert [one.to for one in await app.deliver()] == [ADA]


async def test_the_mail_is_a_service_mail_without_a_list_header(app: App) -> None:
    await app.subscribe()
    await app.http.post("/my-data", data={"email": ADA})

    (mail,) = await app.deliver()

    head = mail.raw.partition(b"\r\n\r\n")[0]
    assert b"DKIM-Signature:" in head
    assert b"List-" not in head


@pytest.mark.parametrize("email", ["", "ada", "ada@example.org,bob@example.org"])
async def test_what_is_no_address_is_said_at_the_field(app: App, email: str) -> None:
    answer = await app.http.post("/my-data", data={"email": email})

    assert answer.status == 422
    assert 'aria-invalid="true"' in await answer.text()


async def test_looking_at_a_link_does_not_use_it(app: App) -> None:
    await app.subscribe()
    token = await fresh_link(app)

    for _ in range(3):
        looked = await app.http.get(f"/my-data/{token}")
        assert looked.status == 200
        assert ADA not in await looked.text()
    opened = await app.http.post(f"/my-data/{token}", allow_redirects=False)

    assert opened.status == 303
    for method in ("GET", "POST"):
        assert (await app.http.request(method, f"/my-data/{token}")).status == 410


@pytest.mark.parametrize(
    ("page", "leads_to"),
    [
        ("my-data", "/my-data"),
        ("why", "/my-data/why"),
        ("preferences", "/my-data/preferences"),
    ],
)
async def test_a_fresh_link_opens_the_page_that_it_names(
    app: App, page: str, leads_to: str
) -> None:
    await app.subscribe()
    token = await fresh_link(app)

    assert (await app.http.get(f"/{page}/{token}")).status == 200
    answer = await app.http.post(f"/{page}/{token}?locale=de", allow_redirects=False)

    assert answer.headers["Location"] == f"{leads_to}?locale=de"
    cookie = cookie_of(answer.headers["Set-Cookie"])
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"]) == ("Strict", "/")
    assert cookie["domain"] == ""


async def test_a_link_that_nobody_has_is_over(app: App) -> None:
    for method in ("GET", "POST"):
        assert (await app.http.request(method, "/my-data/" + "A" * 43)).status == 410


async def test_the_overview_and_the_proof_show_everything(app: App) -> None:
    body = await app.posted(profile={"first_name": "Ada"}, page_url="https://www.acme.example/a?b")
    await app.http.post("/forms/signup", json=body)
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    await app.tick()
    person = await session(app)

    overview = await (await app.http.get("/my-data", headers=person)).text()
    assert ADA in overview
    assert "<dd>Ada</dd>" in overview
    assert "Confirmed" in overview
    assert "Mail Relay GmbH, Germany: hands over our mails" in overview
    proof = await (await app.http.get("/my-data/why", headers=person)).text()
    assert "Yes, send me the newsletter." in proof
    assert "<dd>a sign-up form</dd>" in proof
    assert "“newsletter”" not in proof, "a name of the configuration"
    assert "https://www.acme.example/a." in proof
    assert "by the button behind the link" in proof
    assert "250" in proof


async def test_an_objection_is_part_of_the_story(app: App) -> None:
    await app.subscribe()
    key = await app.key()
    objection = {"to": {"email": ADA}, "all": True, "kind": "object", "channel": "letter"}
    answer = await app.http.post("/v1/withdrawals", json=objection, headers=key)
    assert answer.status == 200
    await app.tick()
    app.step(timedelta(seconds=1))  # at the same moment it would be from before they left
    person = await session(app)

    proof = await (await app.http.get("/my-data/why", headers=person)).text()

    assert "You objected to advertising." in proof


async def test_without_a_session_the_pages_tell_nothing(app: App) -> None:
    await app.subscribe()
    forged = {"Cookie": "my-data=" + "A" * 43}

    for person in ({}, forged):
        assert "Send me a link" in await (await app.http.get("/my-data", headers=person)).text()
        for path in ("/my-data/why", "/my-data/preferences"):
            answer = await app.http.get(path, headers=person, allow_redirects=False)
            assert (answer.status, answer.headers["Location"]) == (303, "/my-data")


async def test_a_cookie_whose_signature_was_altered_opens_nothing(app: App) -> None:
    await app.subscribe()
    good = (await session(app))["Cookie"]
    body, _, signature = good.rpartition(".")
    altered = signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBB")

    answer = await app.http.get("/my-data", headers={"Cookie": f"{body}.{altered}"})

    assert ADA not in await answer.text()


async def test_over_tls_the_cookie_is_tied_to_the_host(app: App) -> None:
    server = app.parts.config.server.model_copy(update={"public_url": "https://mail.example"})
    secure = web.Application()
    secure[PARTS] = replace(
        app.parts, config=app.parts.config.model_copy(update={"server": server})
    )
    response = web.Response()

    sessions.give(make_mocked_request("POST", "/", app=secure), response, b"0" * 32)

    (cookie,) = response.cookies.values()
    assert cookie.key == "__Host-my-data"
    assert cookie["secure"]
    assert (cookie["path"], cookie["domain"]) == ("/", "")


async def test_a_session_ends_by_itself(app: App) -> None:
    await app.subscribe()
    person = await session(app)

    app.step(SESSION_LIFE)

    assert ADA not in await (await app.http.get("/my-data", headers=person)).text()


async def test_a_session_can_be_closed(app: App) -> None:
    await app.subscribe()
    person = await session(app)

    data = {"csrf": await csrf(app, person)}
    answer = await app.http.post("/my-data/leave", data=data, headers=person, allow_redirects=False)

    assert answer.status == 303
    assert ADA not in await (await app.http.get("/my-data", headers=person)).text()


async def test_the_preferences_withdraw_at_once_and_ask_for_what_is_new(app: App) -> None:
    await app.subscribe(ADA, "newsletter")
    person = await session(app)
    url = "/my-data/preferences"

    choice = {
        "csrf": await csrf(app, person, url),
        "purpose.newsletter": "off",
        "purpose.updates": "on",
        "purpose.elsewhere": "off",
    }
    answer = await app.http.post(url, data=choice, headers=person)

    assert answer.status == 200
    page = await answer.text()
    assert dict(re.findall(r'name="(purpose\.[a-z]+)" value="(on|off)" checked', page)) == {
        name: value for name, value in choice.items() if name.startswith("purpose.")
    }
    assert "has ended at once" in page
    assert "begins once you confirm it" in page
    assert await app.permission(purpose="newsletter") == "withdrawn"
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    assert await app.permission(purpose="updates") == "granted"


async def test_saving_the_preferences_unchanged_changes_nothing(app: App) -> None:
    await app.subscribe(ADA, "newsletter")
    await app.sign_up(ADA, "updates")
    await app.tick()
    person = await session(app)
    url = "/my-data/preferences"

    text = await (await app.http.get(url, headers=person)).text()
    shown = re.findall(r'name="(purpose\.[a-z]+)" value="(on|off)" checked', text)
    choice = {"csrf": await csrf(app, person, url), **dict(shown)}
    await app.http.post(url, data=choice, headers=person)

    assert len(shown) == 3
    assert await app.permission(purpose="newsletter") == "granted"
    assert await app.permission(purpose="updates") == "pending"


async def test_the_mailbox_itself_may_ask_although_strangers_are_blocked(app: App) -> None:
    token = await app.confirmation()
    await app.http.post(f"/confirm/{token}", data={"answer": "reject"})
    await app.sign_up()
    assert await app.deliver() == [], "the block does not stop strangers"
    app.step(timedelta(seconds=1))
    person = await session(app)
    url = "/my-data/preferences"

    choice = {"csrf": await csrf(app, person, url), "purpose.updates": "on"}
    await app.http.post(url, data=choice, headers=person)

    assert [one.to for one in await app.deliver()] == [ADA]


@pytest.mark.parametrize("path", ["/my-data/preferences", "/my-data/leave"])
async def test_a_forged_post_changes_nothing(app: App, path: str) -> None:
    await app.subscribe()
    person = await session(app)
    async with app.parts.data.begin() as connection:  # or the second link would come tomorrow
        await connection.execute(delete(service_mail))
    other = await session(app)
    own = await csrf(app, person)
    cross_site = {**person, "Sec-Fetch-Site": "cross-site"}
    off = {"purpose.newsletter": "off"}

    for headers, token in ((person, None), (person, await csrf(app, other)), (cross_site, own)):
        data = off if token is None else {**off, "csrf": token}
        assert (await app.http.post(path, data=data, headers=headers)).status == 403

    assert await app.permission() == "granted"
    assert ADA in await (await app.http.get("/my-data", headers=person)).text()


async def test_another_site_cannot_open_a_link_in_somebodys_browser(app: App) -> None:
    await app.subscribe()
    token = await fresh_link(app)

    answer = await app.http.post(
        f"/my-data/{token}", headers={"Sec-Fetch-Site": "cross-site"}, allow_redirects=False
    )

    assert answer.status == 403
    assert (await app.http.get(f"/my-data/{token}")).status == 200


async def test_each_session_is_a_look_in_the_log(app: App) -> None:
    await app.subscribe()
    person = await session(app)
    for _ in range(2):
        await app.http.get("/my-data", headers=person)
    await app.tick()

    listed = await app.http.get("/v1/audit/events?kind=subject.accessed", headers=await app.key())

    assert len((await listed.json())["events"]) == 1


@pytest.mark.parametrize("language", ["en", "de"])
async def test_an_address_that_cannot_be_written_to_is_told_why(app: App, language: str) -> None:
    say = translations(language).gettext
    for typed in ("bertä@example.org", "ada"):
        path = f"/my-data?locale={language}"
        async with app.http.post(path, data={"email": typed}) as answer:
            assert answer.status == 422
            assert say(LETTERS) in unescape(await answer.text())
    async with app.http.post("/my-data", data={"email": "berta@exämple.org"}) as answer:
        assert answer.status == 200


async def test_who_left_is_told_why_nothing_else_is_shown_of_them(app: App) -> None:
    await app.http.post("/forms/signup", json=await app.posted(profile={"first_name": "Ada"}))
    (mail,) = await app.deliver()
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    person = await session(app)
    before = await (await app.http.get("/my-data", headers=person)).text()
    url = "/my-data/preferences"
    choice = {"csrf": await csrf(app, person, url), "purpose.newsletter": "off"}
    await app.http.post(url, data=choice, headers=person)

    after = await (await app.http.get("/my-data", headers=person)).text()

    assert "<dd>Ada</dd>" in before
    assert GOES not in before
    assert "<dd>Ada</dd>" not in after
    assert GOES in after
