"""Between a browser, the identity provider and the desk: every answer that is not for this attempt.

Who attacks has an account at the provider, a browser of their own, may send people links, may run
a provider, or writes rows here. Nobody sits at the desk by it, and no session of anybody is told.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from aiohttp import ClientResponse

from audit.kinds import Kind
from consent import tokens
from gateway.oidc import handshake
from gateway.schema.tables import operator
from tests.attacks.test_planted_operators import alter, doubts, put_back, rows_of
from tests.http.test_by_provider import Browser, app, idp, told
from tests.http.test_dpo import ADMIN, DPO, id_of, press
from tests.support.apps import App
from tests.support.identity import IdP, Somebody

__all__ = ["app", "idp"]  # with operators, and their provider

STRANGER = Somebody("u-666", "mallory@example.org")


async def nobody_came(app: App, browser: Browser, answer: ClientResponse, status: int) -> bool:
    assert answer.status == status, await answer.text()
    return "dpo" not in browser.cookies and not await told(app, Kind.OPERATOR_SIGNED_IN)


def altered(path: str, **change: str | None) -> str:
    """The way back with other fields."""
    fields = {name: one[0] for name, one in parse_qs(urlsplit(path).query).items()}
    said = {name: one for name, one in {**fields, **change}.items() if one is not None}
    return f"/dpo/oidc?{urlencode(said)}"


async def test_the_code_of_another_browser_opens_nothing_in_mine(app: App) -> None:
    """Login CSRF: the victim would sit there as the attacker, or the other way round."""
    theirs, mine = Browser(app), Browser(app)
    answers = await theirs.answer()
    await mine.begin()

    shown = await mine.ask("GET", f"/dpo/oidc?{urlencode(answers)}")
    posted = await mine.ask("POST", "/dpo/oidc", **answers)

    assert shown.status == 410
    assert await nobody_came(app, mine, posted, 410)


async def test_a_code_of_another_attempt_under_my_own_state_is_not_exchanged(
    app: App, idp: IdP
) -> None:
    """Code injection: PKCE and nonce are of the browser that began."""
    code = (await Browser(app).answer())["code"]
    mine = Browser(app)
    answers = await mine.answer()

    posted = await mine.ask("POST", "/dpo/oidc", **{**answers, "code": code})

    assert await nobody_came(app, mine, posted, 410)


async def test_without_a_cookie_of_ours_nothing_is_asked_of_the_provider(
    app: App, idp: IdP
) -> None:
    answers = await Browser(app).answer()
    before = list(idp.asked)
    made_up = {"": "", "dpo-oidc": "WyJBIiwwLCJlbiJd.AAAA"}

    for name, value in made_up.items():
        browser = Browser(app, {name: value} if name else {})
        assert await nobody_came(
            app, browser, await browser.ask("POST", "/dpo/oidc", **answers), 410
        )

    assert idp.asked == before


async def test_another_site_posts_no_answer_and_begins_no_attempt(app: App) -> None:
    browser = Browser(app)
    answers = await browser.answer()
    said = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"Cookie": said, "Sec-Fetch-Site": "cross-site"}

    posted = [
        await app.http.post("/dpo/oidc", data=answers, headers=headers, allow_redirects=False),
        await app.http.post("/dpo/oidc/start", headers=headers, allow_redirects=False),
    ]

    assert [one.status for one in posted] == [403, 403]
    assert all("Set-Cookie" not in one.headers for one in posted)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"state": "A" * 43}, id="another state"),
        pytest.param({"state": None}, id="no state"),
        pytest.param({"state": ""}, id="an empty state"),
    ],
)
async def test_a_state_that_is_not_this_browsers_shows_no_button(
    app: App, change: dict[str, Any]
) -> None:
    browser = Browser(app)
    path = await browser.at_provider(await browser.begin())

    assert await nobody_came(app, browser, await browser.ask("GET", altered(path, **change)), 410)


async def test_two_states_are_none(app: App) -> None:
    browser = Browser(app)
    path = await browser.at_provider(await browser.begin())

    answer = await browser.ask("GET", f"{path}&state={'A' * 43}")

    assert await nobody_came(app, browser, answer, 410)


@pytest.mark.parametrize("iss", ["https://evil.example", ""], ids=["another's", "nobody's"])
async def test_the_answer_of_another_provider_is_not_brought_to_ours(
    app: App, idp: IdP, iss: str
) -> None:
    """Mix-up (RFC 9207): its code is not shown to anybody."""
    browser = Browser(app)
    answers = await browser.answer()
    before = idp.asked.count("/token")

    posted = await browser.ask("POST", "/dpo/oidc", **{**answers, "iss": iss})

    assert await nobody_came(app, browser, posted, 403)
    assert idp.asked.count("/token") == before


async def test_a_provider_that_does_not_name_itself_is_served_and_another_name_is_not(
    app: App, idp: IdP
) -> None:
    idp.described = {"authorization_response_iss_parameter_supported": None}
    idp.back = {"iss": None}
    browser = Browser(app)
    answers = await browser.answer()
    named = await browser.ask("POST", "/dpo/oidc", **{**answers, "iss": "https://evil.example"})

    assert await nobody_came(app, browser, named, 403)
    assert (await Browser(app).sign_in()).status == 303


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "https://evil.example"}, id="wrong issuer"),
        pytest.param({"aud": "another client"}, id="made for another"),
        pytest.param({"nonce": "A" * 43}, id="swapped nonce"),
        pytest.param({"nonce": None}, id="no nonce"),
        pytest.param({"exp": 1}, id="expired"),
        pytest.param({"iat": 1}, id="made long ago"),
    ],
)
async def test_a_token_that_is_not_of_this_attempt_lets_nobody_in(
    app: App, idp: IdP, claims: dict[str, Any]
) -> None:
    idp.claims = claims
    browser = Browser(app)

    answer = await browser.sign_in()

    assert await nobody_came(app, browser, answer, 403)
    assert "That was not enough to let you in" in await answer.text()


async def test_nobody_signs_for_the_provider_by_our_secret_or_by_nothing(
    app: App, idp: IdP
) -> None:
    browser = Browser(app)
    idp.algorithm = "HS256"
    assert await nobody_came(app, browser, await browser.sign_in(), 403)
    idp.algorithm = "RS256"

    answers = await browser.answer()
    nonce = handshake.of(attempt_of(browser)).nonce
    header, body, _ = idp.made(nonce).split(".")
    for token in (f"eyJhbGciOiJub25lIn0.{body}.", f"{header}.{body}."):
        idp.token = token
        assert await nobody_came(
            app, browser, await browser.ask("POST", "/dpo/oidc", **answers), 403
        )
        answers = await browser.answer()


def attempt_of(browser: Browser) -> bytes:
    """The secret of an attempt, which its own browser can read."""
    raw = tokens.decode(browser.cookies["dpo-oidc"].split(".")[0])
    assert raw is not None
    seed = tokens.decode(json.loads(raw)[0])
    assert seed is not None
    return seed


@pytest.mark.parametrize("forgets", [True, False], ids=["a good provider", "one that forgets not"])
async def test_an_attempt_opens_the_desk_once(app: App, idp: IdP, forgets: bool) -> None:
    """A copy of cookie and form, from a proxy or a disk, pressed again."""
    idp.forgets_codes = forgets
    browser = Browser(app)
    answers = await browser.answer()
    copied = Browser(app, dict(browser.cookies))
    assert (await browser.ask("POST", "/dpo/oidc", **answers)).status == 303

    again = await copied.ask("POST", "/dpo/oidc", **answers)

    assert again.status == 410 and "dpo" not in copied.cookies
    assert len(await told(app, Kind.OPERATOR_SIGNED_IN)) == 1


async def test_two_presses_at_once_open_one_session(app: App, idp: IdP) -> None:
    idp.forgets_codes = False
    browser = Browser(app)
    answers = await browser.answer()
    copies = [Browser(app, dict(browser.cookies)) for _ in range(3)]

    got = await asyncio.gather(*(one.ask("POST", "/dpo/oidc", **answers) for one in copies))

    assert sorted(one.status for one in got) == [303, 410, 410]
    assert len(await told(app, Kind.OPERATOR_SIGNED_IN)) == 1


async def test_what_stands_for_an_attempt_is_no_link(app: App) -> None:
    browser = Browser(app)
    answers = await browser.answer()
    seed = attempt_of(browser)
    await browser.ask("POST", "/dpo/oidc", **answers)

    assert (await press(app, tokens.encode(seed))).status == 410
    assert (await press(app, handshake.of(seed).state)).status == 410


async def test_who_has_an_account_there_and_is_not_entered_here_is_nobody(
    app: App, idp: IdP
) -> None:
    idp.who = STRANGER
    browser = Browser(app)

    assert await nobody_came(app, browser, await browser.sign_in(), 403)


async def test_who_takes_an_operators_mailbox_at_the_provider_is_not_them(
    app: App, idp: IdP
) -> None:
    """A domain that lapsed, an address that was given to the next one there."""
    await Browser(app).sign_in()
    idp.who = Somebody("u-666", DPO)
    browser = Browser(app)

    answer = await browser.sign_in()

    assert answer.status == 403 and "dpo" not in browser.cookies
    assert len(await told(app, Kind.OPERATOR_SIGNED_IN)) == 1


async def test_an_old_row_put_back_is_bound_to_nobody_and_named(app: App, idp: IdP) -> None:
    before = await rows_of(app, operator)
    await Browser(app).sign_in()
    await put_back(app, before)
    idp.who = Somebody("u-666", DPO)
    browser = Browser(app)

    answer = await browser.sign_in()

    assert answer.status == 403 and "dpo" not in browser.cookies
    assert any("an old row was put back" in one for one in await doubts(app))


async def test_an_account_is_moved_to_another_operator_by_no_row(app: App, idp: IdP) -> None:
    """Sealed for one it opens for no other, whatever signs the row."""
    idp.who = Somebody("u-7", ADMIN)
    await Browser(app).sign_in()
    rows = {row["id"]: row for _, row in await rows_of(app, operator)}
    officer, admin = await id_of(app), await id_of(app, "admin-1")

    await alter(app, operator, officer, identity=rows[admin]["identity"])
    browser = Browser(app)
    assert (await browser.sign_in()).status == 303

    assert "Look up" not in await browser.sitting.start()  # as an admin, who sees nobody
    assert any(officer in one for one in await doubts(app))


async def test_wherever_it_leads_it_is_our_own_start(app: App) -> None:
    """No field says where to go: there is no open redirect."""
    browser = Browser(app)
    path = await browser.at_provider(await browser.begin())
    answers = await browser.come_back(altered(path, next="//evil.example", locale="de"))

    answer = await browser.ask("POST", "/dpo/oidc", **{**answers, "next": "//evil.example"})

    assert answer.headers["Location"] == "/dpo/?locale=en"


async def test_a_session_that_was_there_before_is_not_the_one_that_is_opened(app: App) -> None:
    """Session fixation: who signs in gets a new one."""
    planted = Browser(app)
    await planted.sign_in()
    victim = Browser(app, dict(planted.cookies))

    await victim.sign_in()

    assert victim.cookies["dpo"] != planted.cookies["dpo"]


async def test_a_stranger_cannot_have_the_provider_asked_for_ever(app: App, idp: IdP) -> None:
    statuses = []
    for _ in range(25):
        browser = Browser(app)
        await browser.begin()
        made = handshake.of(attempt_of(browser))
        fields = {"code": "made-up", "state": made.state, "iss": idp.url}
        statuses.append((await browser.ask("POST", "/dpo/oidc", **fields)).status)

    assert statuses[:20] == [410] * 20 and set(statuses[20:]) == {429}
    assert idp.asked.count("/token") == 20


async def test_no_word_of_the_provider_is_shown_or_logged(
    app: App, idp: IdP, capsys: pytest.CaptureFixture[str]
) -> None:
    idp.back = {"error": "<b>x</b>", "error_description": "mallory@example.org", "code": None}
    browser = Browser(app)
    path = await browser.at_provider(await browser.begin())

    text = await (await browser.ask("GET", path)).text()

    assert "<b>x</b>" not in text and "mallory" not in text
    printed = capsys.readouterr()
    assert "mallory" not in printed.out + printed.err
