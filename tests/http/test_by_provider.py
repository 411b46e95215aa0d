"""Signing in at the desk by an identity provider: who gets in, what is told, and what is left."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientResponse

from audit import trail
from audit.kinds import Kind
from gateway.callers import visits
from gateway.config.desk import Desk
from gateway.desk import by_provider
from gateway.flows.proving.verify import verify
from tests.http.test_dpo import ADMIN, AUDITOR, DPO, Sitting, enter, enter_all, id_of, link, press
from tests.support.apps import App, open_app, staff_of, start_app
from tests.support.databases import Databases
from tests.support.identity import IdP, Somebody, identity_provider, section

BACK = "http://gateway.example/dpo/oidc"


@pytest.fixture
async def idp() -> AsyncIterator[IdP]:
    async with identity_provider(Somebody("u-1", DPO), BACK) as provider:
        yield provider


@pytest.fixture
async def app(
    dialect: str,
    tmp_path: Path,
    new_database_url: Databases,
    idp: IdP,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[App]:
    monkeypatch.setenv("TEST_OIDC_SECRET", "s%cret: of ours")
    more = section(idp)
    async with open_app(tmp_path, new_database_url, dialect, more=more) as opened:
        idp.clock = opened.parts.clock
        await enter_all(opened)
        yield opened


@dataclass
class Browser:
    """Keeps cookies, and follows where it is sent."""

    app: App
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **fields: str) -> ClientResponse:
        said = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.app.http.request(
            method,
            path,
            data=fields or None,
            headers={"Cookie": said} if said else {},
            allow_redirects=False,
        )
        for cookie in answer.headers.getall("Set-Cookie", []):
            for name, morsel in SimpleCookie(cookie).items():
                self.cookies.pop(name, None)
                if morsel.value:
                    self.cookies[name] = morsel.value
        return answer

    async def begin(self) -> str:
        """The button; where it leads."""
        answer = await self.ask("POST", "/dpo/oidc/start")
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]

    async def at_provider(self, location: str) -> str:
        """Where the provider sends back to, without our host."""
        answer = await self.app.http.get(location, allow_redirects=False)
        assert answer.status == 302
        back = urlsplit(answer.headers["Location"])
        assert f"http://{back.netloc}{back.path}" == BACK
        return f"{back.path}?{back.query}"

    async def come_back(self, path: str) -> dict[str, str]:
        """What the page with the button carries."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, await answer.text()
        found = re.findall(r'name="(\w+)" value="([^"]*)"', await answer.text())
        return {name: html.unescape(value) for name, value in found}

    async def answer(self) -> dict[str, str]:
        return await self.come_back(await self.at_provider(await self.begin()))

    async def sign_in(self) -> ClientResponse:
        return await self.ask("POST", "/dpo/oidc", **await self.answer())

    @property
    def sitting(self) -> Sitting:
        return Sitting(self.app, f"dpo={self.cookies['dpo']}")


async def told(app: App, *kinds: Kind) -> list[dict[str, str]]:
    async with app.parts.data.read() as connection:
        found = await trail.happenings(connection, app.parts.log.macs, kinds)
    return [dict(one.refs) for one in found]


async def test_who_the_provider_says_it_is_sits_at_the_desk_in_our_role(app: App) -> None:
    browser = Browser(app)

    answer = await browser.sign_in()

    assert (answer.status, answer.headers["Location"]) == (303, "/dpo/?locale=en")
    start = await browser.sitting.start()
    assert "privacy-1" in start and "Look up" in start
    officer = await id_of(app)
    (bound,) = await told(app, Kind.OPERATOR_BOUND)
    (event,) = await told(app, Kind.OPERATOR_SIGNED_IN)
    assert bound == {"operator": officer}
    assert (event["operator"], event["how"]) == (officer, "provider")
    assert list(browser.cookies) == ["dpo"]  # the attempt is over
    listed = {one.name: one.bound for one in await staff_of(app.parts).listed()}
    assert listed == {"privacy-1": True, "auditor-1": False, "admin-1": False}
    await app.tick()
    assert (await verify(app.parts)).rows == []
    left = await browser.sitting.post("/dpo/leave")
    assert left.status == 303 and "privacy-1" not in await browser.sitting.start()


async def test_the_mailed_and_the_printed_link_say_how_too(app: App) -> None:
    await press(app, await link(app))
    fresh = await enter(app, "new@acme.example")
    await press(app, fresh.token)

    assert [one["how"] for one in await told(app, Kind.OPERATOR_SIGNED_IN)] == ["mail", "printed"]


async def test_once_bound_the_account_is_who_it_is_whatever_its_address_becomes(
    app: App, idp: IdP
) -> None:
    await Browser(app).sign_in()
    idp.who = Somebody("u-1", ADMIN, verified=False)
    browser = Browser(app)

    answer = await browser.sign_in()

    assert answer.status == 303
    assert "privacy-1" in await browser.sitting.start()
    assert len(await told(app, Kind.OPERATOR_BOUND)) == 1


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(Somebody("u-9", "ada@example.org"), id="nobody of ours"),
        pytest.param(Somebody("u-9", f"x+{DPO}"), id="another mailbox that looks like it"),
        pytest.param(Somebody("u-9", DPO, verified=False), id="not checked"),
        pytest.param(Somebody("u-9", DPO, verified=None), id="not said to be checked"),
        pytest.param(Somebody("u-9", DPO, verified="yes"), id="said in words of its own"),
        pytest.param(Somebody("u-2", DPO), id="another account with that mailbox"),
    ],
)
async def test_everybody_else_gets_one_page_and_no_session(
    app: App, idp: IdP, who: Somebody
) -> None:
    if who.sub == "u-2":
        await Browser(app).sign_in()
    idp.who = who
    browser = Browser(app)

    answer = await browser.sign_in()

    assert answer.status == 403
    text = await answer.text()
    assert "This account does not open the desk" in text and "/dpo/?locale=en" in text
    assert DPO not in text and browser.cookies == {}
    assert len(await told(app, Kind.OPERATOR_SIGNED_IN)) == (1 if who.sub == "u-2" else 0)


@pytest.mark.parametrize("bound", [True, False], ids=["bound", "not bound"])
async def test_who_was_revoked_stays_out(app: App, bound: bool) -> None:
    if bound:
        await Browser(app).sign_in()
    answers = await Browser(app).answer()
    assert await staff_of(app.parts).revoke(await id_of(app))

    answer = await Browser(app).sign_in()

    assert answer.status == 403
    assert answers["code"] and len(await told(app, Kind.OPERATOR_SIGNED_IN)) == bound


async def test_who_is_revoked_while_they_come_back_does_not_get_in(app: App) -> None:
    await Browser(app).sign_in()
    browser = Browser(app)
    answers = await browser.answer()
    assert await staff_of(app.parts).revoke(await id_of(app))

    assert (await browser.ask("POST", "/dpo/oidc", **answers)).status == 403


async def test_a_new_provider_binds_anew(app: App, idp: IdP) -> None:
    """The operator's word counts: they named another one."""
    await Browser(app).sign_in()
    config, who = app.parts.config, Somebody("other-1", DPO)
    async with identity_provider(who, BACK, clock=app.parts.clock) as other:
        ours = config.desk.oidc.model_copy(update={"issuer": other.url})  # type: ignore[union-attr]
        moved = config.model_copy(update={"desk": Desk(oidc=ours)})
        async with start_app(moved, app.parts.clock) as again:
            answer = await Browser(again).sign_in()

    assert answer.status == 303
    assert len(await told(app, Kind.OPERATOR_BOUND)) == 2
    await app.tick()
    assert (await verify(app.parts)).rows == []


async def test_claims_that_the_id_token_lacks_are_asked_for(app: App, idp: IdP) -> None:
    idp.claims = {"email": None, "email_verified": None}
    idp.told = {"email": AUDITOR, "email_verified": True}
    browser = Browser(app)

    assert (await browser.sign_in()).status == 303
    assert "auditor-1" in await browser.sitting.start()


async def test_the_door_leads_to_the_provider_and_the_browser_is_told_so(
    app: App, idp: IdP
) -> None:
    page = await app.http.get("/dpo/")
    text, policy = await page.text(), page.headers["Content-Security-Policy"]

    assert "Sign in with Acme Login" in text and 'type="submit" disabled' not in text
    assert f"form-action 'self' {idp.url};" in policy
    assert 'name="email"' in text  # the mailed link is there too


@pytest.mark.parametrize("how", ["fails", "wanders", "talks"])
async def test_where_the_provider_is_away_the_door_says_so_and_the_mail_works(
    app: App, idp: IdP, how: str
) -> None:
    idp.how = how

    texts = [await (await app.http.get("/dpo/")).text() for _ in range(3)]
    begun = await app.http.post("/dpo/oidc/start", allow_redirects=False)

    assert all("Acme Login does not answer at the moment" in one for one in texts)
    assert begun.status == 503 and "by a link to their mailbox" in await begun.text()
    assert idp.asked == ["/.well-known/openid-configuration"]  # once, however many come
    assert (await press(app, await link(app))).status == 303


async def test_a_provider_that_goes_away_meanwhile_is_named_and_nothing_opened(
    app: App, idp: IdP
) -> None:
    browser = Browser(app)
    answers = await browser.answer()
    idp.how = "fails"

    answer = await browser.ask("POST", "/dpo/oidc", **answers)

    assert answer.status == 503
    assert "Acme Login does not answer as it should" in await answer.text()
    assert browser.cookies == {}


async def test_an_attempt_ends_after_ten_minutes(app: App) -> None:
    browser = Browser(app)
    answers = await browser.answer()
    app.step(by_provider.LIFE)

    answer = await browser.ask("POST", "/dpo/oidc", **answers)

    assert answer.status == 410
    assert "This attempt to sign in is over" in await answer.text()


async def test_looking_at_the_way_back_changes_nothing(app: App, idp: IdP) -> None:
    browser = Browser(app)
    path = await browser.at_provider(await browser.begin())
    before = len(idp.asked)

    for _ in range(3):
        await browser.come_back(path)

    assert len(idp.asked) == before
    assert await told(app, Kind.OPERATOR_SIGNED_IN) == []
    assert (await browser.ask("POST", "/dpo/oidc", **await browser.come_back(path))).status == 303


async def test_who_declined_there_is_told_so_in_our_words(app: App, idp: IdP) -> None:
    idp.back = {"code": None, "error": "access_denied", "error_description": "Call +49 30 123!"}
    browser = Browser(app)
    path = await browser.at_provider(await browser.begin())

    answer = await browser.ask("GET", path)

    assert answer.status == 403
    text = await answer.text()
    assert "You were not signed in there" in text and "+49" not in text


async def test_the_language_in_which_it_began_comes_back(app: App) -> None:
    browser = Browser(app)
    begun = await browser.ask("POST", "/dpo/oidc/start?locale=de")
    path = await browser.at_provider(begun.headers["Location"])

    page = await browser.ask("GET", path)
    text = await page.text()
    switch = re.search(r'class="tongue" href="([^"]+)"', text)
    assert "Schreibtisch öffnen" in text and switch is not None
    other = await browser.ask("GET", html.unescape(switch[1]))
    answers = await browser.come_back(path)
    answer = await browser.ask("POST", "/dpo/oidc", **answers)

    assert "Open the desk" in await other.text()
    assert answer.headers["Location"] == "/dpo/?locale=de"


async def test_what_stands_for_an_attempt_goes_a_day_later(app: App) -> None:
    await Browser(app).sign_in()
    app.step(timedelta(days=2))
    async with app.parts.data.begin() as connection:
        await visits.forget(connection, app.parts.clock.wall())
        links, sessions = await visits.kept(connection, app.parts.rows)

    assert ([one for one in links if one.spent_at], sessions) == ([], [])
