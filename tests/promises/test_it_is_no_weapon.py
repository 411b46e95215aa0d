"""Promise 9: nobody floods a third person's inbox with the form, or stands in their way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from consent import address, suppressions
from consent.keys import blind
from consent.suppressions import Stop, Suppression
from gateway.callers.api_keys import Scope
from gateway.flows.leaving import preferences
from tests.support.apps import App, Mail, open_app

VICTIM = "ada.lovelace@example.org"
FORMS = 20
NETWORKS = 2000
SIGN_UPS = 5000
AT_ONCE = 25
VISITORS = 10
_FORM = '[forms.form{}]\npurposes = ["newsletter"]\n'


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[App]:
    forms = "".join(_FORM.format(number) for number in range(FORMS))
    async with open_app(tmp_path, new_database_url, dialect, limits=True, more=forms) as opened:
        yield opened


def spelling(number: int) -> str:
    """The victim's mailbox as an attacker would write it: tags, dots, letter cases."""
    local, _, domain = VICTIM.partition("@")
    local = [local, local.replace(".", ""), "a.d.a.lovelace"][number % 3]
    local = f"{local}+{number}" if number % 2 else local
    local = local.upper() if number % 5 == 0 else local.title() if number % 7 == 0 else local
    return f"{local}@{domain.upper() if number % 11 == 0 else domain}"


def network(number: int) -> str:
    number %= NETWORKS
    if number % 4 == 0:
        return f"3fff:{number:x}::{number}"  # a /32 each, as unrelated people have
    return f"198.18.{number // 250}.{number % 250 + 1}"


async def post(app: App, form: str, body: dict[str, Any], from_network: str) -> int:
    headers = {"X-Forwarded-For": from_network}
    async with app.http.post(f"/forms/{form}", json=body, headers=headers) as answer:
        return answer.status


async def bomb(app: App, count: int, first: int = 0) -> list[int]:
    """Sign the victim up *count* times, as many at once as a robot would."""
    body = await app.posted()
    numbers = iter(range(first, first + count))
    statuses: list[int] = []

    async def robot() -> None:
        for number in numbers:
            said = body | {"email": spelling(number)}
            statuses.append(await post(app, f"form{number % FORMS}", said, network(number)))

    await asyncio.gather(*(robot() for _ in range(AT_ONCE)))
    return statuses


async def honest_visit(app: App, number: int) -> float:
    """Somebody on a network of the flood signs up; how many seconds they wait.

    At another domain: mails to the victim's wait their turn, a day at most.
    """
    body = await app.posted(f"grace{number}@example.net")
    begun = perf_counter()
    assert await post(app, "form1", body, network(number)) == 202
    return perf_counter() - begun


async def turn_duties(app: App, while_it_lasts: asyncio.Task[Any]) -> None:
    """As a process does beside its answers."""
    while not while_it_lasts.done():
        await app.tick()
        await asyncio.sleep(0.25)


async def confirm(app: App, mail: Mail) -> None:
    path = f"/confirm/{mail.token('confirm')}"
    async with app.http.post(path, data={"answer": "confirm"}) as page:
        assert page.status == 200


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_five_thousand_sign_ups_of_one_victim_send_three_mails(
    app: App, dialect: str
) -> None:
    await app.sign_up(VICTIM)
    (own,) = await app.deliver()

    flood = asyncio.create_task(bomb(app, SIGN_UPS))
    duties = asyncio.create_task(turn_duties(app, flood))
    took = []
    for number in range(VISITORS):
        await asyncio.sleep(0.1)
        took.append(await honest_visit(app, number))
    assert not flood.done(), "there was no flood any more"
    statuses = await flood
    await duties

    mails = await app.deliver()
    to_victim = [mail for mail in mails if not mail.to.startswith("grace")]
    print(f"{dialect}: {SIGN_UPS} sign-ups; {VISITORS} visitors waited at most {max(took):.3f} s")
    assert set(statuses) == {202}, "limits of an address must be silent"
    assert len(mails) - len(to_victim) == VISITORS, "an honest visitor got no mail"
    assert max(took) < 1, f"an honest visitor waited {max(took):.2f} s"
    assert len([own, *to_victim]) == 3
    assert VICTIM.partition("@")[0].encode() not in b"".join(
        mail.raw.partition(b"\r\n\r\n")[2] for mail in to_victim
    )
    await confirm(app, own)
    assert await app.permission(VICTIM) == "granted"


async def test_the_cap_holds_for_a_week_and_not_for_ever(app: App) -> None:
    assert len(await _after(app, 60)) == 3
    app.step(timedelta(days=6, hours=23))
    assert await _after(app, 60) == []
    app.step(timedelta(hours=2))
    assert len(await _after(app, 60)) == 3


async def test_of_the_weeks_mails_one_is_kept_for_who_has_not_asked_yet(app: App) -> None:
    body = await app.posted(VICTIM)
    for near in range(10):
        assert await post(app, "signup", body, f"198.51.100.{near + 1}") == 202
    assert len(await app.deliver()) == 2

    assert await post(app, "signup", body, "203.0.113.7") == 202
    assert len(await app.deliver()) == 1
    assert await post(app, "signup", body, "192.0.2.7") == 202
    assert await app.deliver() == [], "three a week, from wherever"


async def test_the_mailbox_itself_is_no_stranger_to_the_kept_mail(app: App) -> None:
    await app.subscribe(VICTIM, "updates")
    await app.sign_up(VICTIM)  # from the same network: two of the three
    assert len(await app.deliver()) == 1
    await app.sign_up(VICTIM)
    assert await app.deliver() == []

    subject = await app.subject(VICTIM)
    assert subject is not None
    asked = preferences.ask(
        app.parts, subject, ["newsletter"], "127.0.0.1", client="my-data", by_mailbox=True
    )
    assert await asked is None

    assert len(await app.deliver()) == 1


async def test_a_stranger_with_plus_tags_leaves_a_mail_for_the_mailbox_itself(app: App) -> None:
    local, _, domain = VICTIM.partition("@")
    body = await app.posted()
    for number in range(6):
        tagged = f"{local}+{number}@{domain}"
        assert await post(app, "signup", body | {"email": tagged}, network(number)) == 202
    assert len(await app.deliver()) == 2

    app.step(timedelta(days=6))  # over the change of the weekly key
    await app.sign_up(VICTIM)
    (own,) = await app.deliver()
    for number, spelled in enumerate([f"{local}+7@{domain}", VICTIM, VICTIM.replace(".", "", 1)]):
        await post(app, "signup", body | {"email": spelled}, network(number))

    assert own.to == VICTIM
    assert await app.deliver() == [], "three a week, whatever the spelling"
    await confirm(app, own)
    assert await app.permission(VICTIM) == "granted"


async def _after(app: App, count: int) -> list[Mail]:
    """A flood from one provider, and one sign-up from another."""
    await bomb(app, count)
    await post(app, "signup", await app.posted(VICTIM), "203.0.113.7")
    return await app.deliver()


async def say_not_me(app: App) -> None:
    await app.sign_up(VICTIM)
    (mail,) = await app.deliver()
    path = f"/confirm/{mail.token('confirm')}"
    async with app.http.post(path, data={"answer": "reject"}) as page:
        assert page.status == 200


async def complain(app: App) -> None:
    parts = app.parts
    keys = parts.keyring.suppression
    digest = blind.suppression_hash(keys.secret, address.parse(VICTIM).canonical)
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        await suppressions.add(connection, [Suppression(digest, Stop.COMPLAINT, kid=keys.kid)], now)


async def object_to_it(app: App) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": {"email": VICTIM}, "all": True, "kind": "object", "channel": "letter"}
    async with app.http.post("/v1/withdrawals", json=body, headers=key) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("stop", [say_not_me, complain, object_to_it])
async def test_whoever_says_stop_is_not_asked_again(app: App, stop: Callable[[App], Any]) -> None:
    await stop(app)
    for days in (0, 8, 300):
        app.step(timedelta(days=days))
        for number, spelled in enumerate((VICTIM, VICTIM.upper(), VICTIM.title())):
            assert await post(app, "signup", await app.posted(spelled), network(number)) == 202

        assert await app.deliver() == []


async def test_a_stranger_cannot_choose_a_word_of_the_mail(app: App) -> None:
    words = "Click-https://evil.example-now"
    body = await app.posted(
        VICTIM,
        page_url=f"https://evil.example/{words}",
        profile={"first_name": "evil.exa"},
        locale="en",
    )

    assert await post(app, "signup", body, network(1)) == 202
    (mail,) = await app.deliver()

    assert not re.search(rb"\bevil\b", mail.raw)  # not the letters alone: links are dice
    assert b"Click-" not in mail.raw


async def test_a_flood_before_the_own_sign_up_leaves_a_mail_that_works(app: App) -> None:
    body = await app.posted()
    for number, spelled in enumerate([VICTIM, VICTIM.upper(), VICTIM.title()] * 5):
        await post(app, f"form{number}", body | {"email": spelled}, f"198.18.{number}.1")
        await app.tick()  # each mail of its own transaction, the later ones beside earlier links
    assert len(await app.deliver()) == 2
    await app.sign_up(VICTIM)
    (own,) = await app.deliver()

    await confirm(app, own)

    assert await app.permission(VICTIM) == "granted"
