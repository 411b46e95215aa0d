"""A stranger signs somebody up first, or again and again: what she confirms is what she asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import func, select, update

from consent.evidence import Confirmed, Requested
from consent.model import State
from consent.tables import consent, consent_text, subject, subject_index
from gateway.flows.rights import overview
from gateway.flows.rights.overview import Held
from tests.support.apps import App, Mail, open_app

HER = "ada.lovelace@example.org"
HER_PAGE = "https://www.acme.example/hers"
HER_NETWORK = "203.0.113.7"
THEIR_PAGE = "https://tulpen.example/buy-now"
THEIR_WORD = "Tulpen!"
AT_ONCE = 25
IPV4, IPV6 = "198.18.{}.1", "2001:db8:{:x}::1"
EVERYWHERE = "{}.18.0.1"  # each at another provider
PROVIDERS = pytest.mark.parametrize("provider", [IPV4, IPV6], ids=["IPv4", "IPv6"])
_FORM = (
    '[forms.form{}]\npurposes = ["newsletter"]\nfields = {{ first_name = {{ max_length = 8 }} }}\n'
)
FORMS = "".join(_FORM.format(number) for number in range(4))


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, limits=True, more=FORMS) as opened:
        yield opened


async def ask(
    app: App, form: str, body: dict[str, Any], network: str, *, statuses: tuple[int, ...] = (202,)
) -> None:
    headers = {"X-Forwarded-For": network}
    async with app.http.post(f"/forms/{form}", json=body, headers=headers) as answer:
        assert answer.status in statuses


async def she_asks(app: App, name: str = "Ada", **more: Any) -> None:
    said: dict[str, Any] = {"page_url": HER_PAGE, "profile": {"first_name": name}} | more
    await ask(app, "signup", await app.posted(HER, **said), HER_NETWORK)


async def they_ask(app: App, number: int = 0, provider: str = IPV4) -> None:
    """Other people's words and page, from one of the networks that were rented at a provider."""
    said = {"page_url": THEIR_PAGE, "profile": {"first_name": THEIR_WORD}}
    body = await app.posted(HER, **said)
    # A machine that is quick is over what is let in of one provider at once.
    await ask(app, f"form{number % 4}", body, provider.format(number), statuses=(202, 429))


async def they_flood(app: App, numbers: range, networks: int, provider: str) -> list[Mail]:
    left = iter(numbers)

    async def robot() -> None:
        for number in left:
            await they_ask(app, number % networks, provider)

    await asyncio.gather(*(robot() for _ in range(AT_ONCE)))
    return await app.deliver()


async def press(
    app: App,
    mail: Mail,
    network: str = HER_NETWORK,
    *,
    said: Mapping[str, str] = MappingProxyType({}),
    status: int = 200,
) -> str:
    path, headers = f"/confirm/{mail.token('confirm')}", {"X-Forwarded-For": network}
    data = {"answer": "confirm", **said}
    async with app.http.post(path, data=data, headers=headers) as page:
        assert page.status == status
        return await page.text()


async def shown(app: App, mail: Mail, network: str = HER_NETWORK) -> str:
    path, headers = f"/confirm/{mail.token('confirm')}", {"X-Forwarded-For": network}
    async with app.http.get(path, headers=headers) as page:
        assert page.status == 200
        return await page.text()


async def proofs(app: App) -> list[Held]:
    """Every request with her address, and its story, as her own page tells it: oldest first."""
    name = await app.subject(HER)
    assert name is not None
    seen = await overview.look(app.parts, name)
    assert seen is not None
    return list(reversed(seen.consents))


async def profile(app: App) -> dict[str, str]:
    name = await app.subject(HER)
    assert name is not None
    seen = await overview.look(app.parts, name)
    assert seen is not None
    return dict(seen.profile)


def requested(held: Held) -> Requested:
    (said,) = [step.said for step in held.story if isinstance(step.said, Requested)]
    return said


def confirmed(held: Held) -> Confirmed:
    (said,) = [step.said for step in held.story if isinstance(step.said, Confirmed)]
    return said


async def rows(app: App, *tables: Any) -> list[int]:
    async with app.parts.data.read() as connection:
        counts = [select(func.count()).select_from(table) for table in tables]
        return [(await connection.execute(one)).scalar_one() for one in counts]


async def the_flood(app: App, requests: int, networks: int, provider: str) -> None:
    third = requests // 3
    before = await they_flood(app, range(third), networks, provider)
    await her_own_and_more(app, before, range(third, requests), networks, provider)


async def her_own_and_more(
    app: App, before: list[Mail], numbers: range, networks: int, provider: str
) -> None:
    """She signs up, is flooded, confirms, and is flooded: what she has is what she asked for."""
    half = len(numbers) // 2
    await she_asks(app)
    (hers,) = await app.deliver()
    between = await they_flood(app, numbers[:half], networks, provider)
    page = await shown(app, hers)
    await press(app, hers)
    after = await they_flood(app, numbers[half:], networks, provider)

    mails = [*before, hers, *between, *after]
    assert len(mails) <= 3
    assert {mail.to for mail in mails} == {HER}
    assert await app.permission(HER) == "granted"
    assert 'value="Ada"' in page
    for text in (page.encode(), *(mail.raw.replace(b"=\r\n", b"") for mail in mails)):
        assert THEIR_WORD.encode() not in text
        assert b"tulpen" not in text
    (proof,) = [held for held in await proofs(app) if held.state is State.CONFIRMED]
    asked = requested(proof)
    assert (asked.page_url, asked.profile) == (HER_PAGE, {"first_name": "Ada"})
    assert confirmed(proof).answers == {"first_name": "Ada"}
    assert "tulpen" not in str([step.said.facts() for step in proof.story]).lower()
    assert await profile(app) == {"first_name": "Ada"}


@PROVIDERS
async def test_sixty_sign_ups_by_strangers_change_nothing_of_her_own(
    app: App, provider: str
) -> None:
    await the_flood(app, 60, 20, provider)


@pytest.mark.long
@pytest.mark.timeout(600)
@PROVIDERS
async def test_a_thousand_sign_ups_from_two_hundred_networks_change_nothing_of_her_own(
    app: App, provider: str
) -> None:
    await the_flood(app, 1000, 200, provider)


async def test_strangers_from_everywhere_who_come_after_her_change_nothing(app: App) -> None:
    await her_own_and_more(app, [], range(1, 61), 200, EVERYWHERE)


async def test_what_is_confirmed_is_the_request_whose_link_was_pressed(app: App) -> None:
    await they_ask(app)
    (theirs,) = await app.deliver()
    app.step(timedelta(seconds=1))
    await she_asks(app)
    (hers,) = await app.deliver()

    await press(app, theirs)  # whoever reads this mailbox says so: they see what was entered

    first, second = await proofs(app)
    assert (first.state, second.state) == (State.CONFIRMED, State.LAPSED)
    assert requested(first).page_url == THEIR_PAGE
    assert requested(second).page_url == HER_PAGE
    assert "There is nothing left to confirm." in await press(app, hers)


async def test_confirming_one_request_ends_the_others_of_its_purpose_only(app: App) -> None:
    await ask(app, "signup", await app.posted(HER, "newsletter", "updates"), "198.18.0.1")
    await app.deliver()
    await she_asks(app)
    (hers,) = await app.deliver()

    await press(app, hers)

    states = {(held.consent.purpose, held.state) for held in await proofs(app)}
    assert states == {
        ("newsletter", State.LAPSED),
        ("newsletter", State.CONFIRMED),
        ("updates", State.PENDING),
    }


async def test_a_later_request_prolongs_and_changes_no_earlier_one(app: App) -> None:
    await she_asks(app)
    (hers,) = await app.deliver()
    ((before,),) = [[held.consent for held in await proofs(app)]]

    app.step(timedelta(hours=71))
    await they_ask(app)
    (theirs,) = await app.deliver()
    earlier = (await proofs(app))[0].consent
    app.step(timedelta(hours=2))

    assert earlier == before
    async with app.http.get(f"/confirm/{hers.token('confirm')}") as page:
        assert page.status == 410
    assert "Tulpen!" in await shown(app, theirs), "it has its own 72 hours"


async def test_a_request_that_nobody_is_asked_about_leaves_a_count_and_nothing_else(
    app: App,
) -> None:
    for number in range(6):
        await they_ask(app, number)
    assert len(await app.deliver()) == 2
    (asked,) = await rows(app, consent)
    assert asked == 2

    await they_ask(app, 7)
    await app.tick()

    assert await rows(app, consent) == [2]


async def test_a_sign_up_that_may_not_be_asked_makes_nobody_known(app: App) -> None:
    """As after an erasure whose block still stands, or where a spelling has used up the week."""
    for number in range(3):
        await they_ask(app, number)
    assert len(await app.deliver()) == 2
    known = await rows(app, subject, subject_index, consent)

    dotless = HER.replace(".", "", 1)
    await ask(app, "signup", await app.posted(dotless), "198.18.0.1")
    assert await app.deliver() == []

    assert await app.subject(dotless) is None
    assert await rows(app, subject, subject_index, consent) == known


async def test_a_wording_retired_since_the_post_asks_nobody(app: App) -> None:
    await she_asks(app)
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        await connection.execute(update(consent_text).values(retired_at=now))

    assert await app.deliver() == []
    assert await rows(app, subject, consent) == [0, 0]
