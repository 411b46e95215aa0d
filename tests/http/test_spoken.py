"""Pages speak to people as their mails do, where a link that lives or a session tells who it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from gateway.flows.rights.rectify import Rectifying
from tests.http.test_my_data import fresh_link
from tests.http.test_people_rights import Visit, visit
from tests.http.test_recipients import NOBODYS, nurture
from tests.promises.test_erased_is_erased import erase
from tests.support.addresses import asked
from tests.support.apps import ADA, App
from tests.support.hostile import by_sql

FOREIGN = {"Accept-Language": "fr"}
OWN = ["", "/why", "/preferences", "/pace", "/restrict", "/object", "/erase", "/rectify"]
YEAR = timedelta(days=366)
Links = dict[str, str]  # path by what it is for


async def of_mail(app: App) -> Links:
    found = await nurture(app)
    found["again"] = found["preferences"]
    await _speak_german(app)
    return {route: f"/{route}/{token}" for route, token in found.items()}


async def of_own_page(app: App) -> Links:
    await app.subscribe()
    await _speak_german(app)
    return {"my-data": f"/my-data/{await fresh_link(app)}"}


async def of_stop(app: App) -> Links:
    await app.subscribe()
    await _speak_german(app)
    await app.http.post("/my-data", data={"email": ADA})
    (mail,) = await app.deliver()
    return {"stop": f"/stop/{mail.token('stop')}"}


async def of_address(app: App) -> Links:
    await app.subscribe()
    await _speak_german(app)
    found = await asked(await visit(app))
    return {"keep": f"/address/{found.keep}", "new": f"/address/{found.new}"}


async def of_lifted(app: App) -> Links:
    await app.subscribe()
    await _speak_german(app)
    me = await visit(app)
    await me.post("/my-data/restrict", answer="restrict")
    app.step(timedelta(seconds=1))
    await me.post("/my-data/restrict", answer="lift")
    (mail,) = [one for one in await app.deliver() if b"/stop-again/" in one.raw]
    return {"lifted": f"/stop-again/{mail.token('stop-again')}"}


EVERY = pytest.mark.parametrize(
    "links",
    [of_mail, of_own_page, of_stop, of_address, of_lifted],
    ids=["mail", "own page", "stop", "address", "lifted"],
)


async def _speak_german(app: App) -> None:
    """From here on her mails are German."""
    await Rectifying(app.parts).correct(await app.subject() or "", {}, "de")


async def language(app: App, path: str, method: str = "GET", **more: str) -> str:
    """What language a page says it has, to a browser that asks for French."""
    async with app.http.request(method, path, headers=FOREIGN | more) as answer:
        said = await answer.text()
    return said.partition('<html lang="')[2].partition('"')[0]


@EVERY
async def test_a_page_behind_a_link_speaks_as_the_mail_did(
    app: App, links: Callable[[App], Awaitable[Links]]
) -> None:
    for path in (await links(app)).values():
        assert await language(app, path) == "de", path


@EVERY
async def test_what_was_chosen_on_the_page_wins(
    embedded: App, links: Callable[[App], Awaitable[Links]]
) -> None:
    for path in (await links(embedded)).values():
        assert await language(embedded, f"{path}?locale=en") == "en", path
        assert await language(embedded, f"{path}?locale=xx") == "de", "no page has it"


@EVERY
async def test_the_link_of_somebody_erased_does_not_tell_their_language(
    embedded: App, links: Callable[[App], Awaitable[Links]]
) -> None:
    paths = await links(embedded)
    await erase(embedded)

    for path in paths.values():
        assert await language(embedded, path) == "fr", path


@pytest.mark.parametrize("links", [of_own_page, of_stop, of_address, of_lifted])
async def test_an_expired_link_does_not_tell_whose_it_was(
    embedded: App, links: Callable[[App], Awaitable[Links]]
) -> None:
    paths = await links(embedded)
    embedded.step(YEAR)

    for path in paths.values():
        assert await language(embedded, path) == "fr", path


async def test_an_expired_confirmation_does_not_tell_whose_it_was(embedded: App) -> None:
    body = await embedded.posted() | {"locale": "de"}
    await embedded.http.post("/forms/signup", json=body)
    (mail,) = await embedded.deliver()
    path = f"/confirm/{mail.token('confirm')}"
    assert await language(embedded, path) == "de"

    embedded.step(timedelta(days=8))

    assert await language(embedded, path) == "fr"


@pytest.mark.parametrize("route", ["unsubscribe", "why", "preferences", "again", "stop"])
async def test_a_link_that_nobody_has_gets_the_browsers_language(embedded: App, route: str) -> None:
    await of_mail(embedded)

    assert await language(embedded, f"/{route}/{NOBODYS}") == "fr"


async def test_a_mailbox_that_is_not_theirs_learns_nothing_of_who_named_it(embedded: App) -> None:
    """For a year: that they have another language by now, or that nobody of theirs is here."""
    await embedded.subscribe()
    await _speak_german(embedded)
    found = await asked(await visit(embedded))

    for method in ("GET", "POST"):
        assert await language(embedded, f"/stop/{found.stop}", method) == "fr"


@pytest.mark.parametrize("route", ["unsubscribe", "preferences", "again", "stop"])
async def test_what_answers_the_button_speaks_so_too(embedded: App, route: str) -> None:
    paths = await (of_stop if route == "stop" else of_mail)(embedded)
    said = {"preferences": {"purpose.newsletter": "off"}, "again": {"answer": "again"}}

    answer = await embedded.http.post(paths[route], data=said.get(route), headers=FOREIGN)

    assert '<html lang="de"' in await answer.text()


async def test_a_session_speaks_as_the_mails_do_and_keeps_what_was_chosen(app: App) -> None:
    await app.subscribe()
    await _speak_german(app)
    me = await visit(app)

    for page in OWN:
        path = f"/my-data{page}"
        assert await language(app, path, **me.cookie) == "de", path
        chosen = await me.get(f"{path}?locale=en")
        assert '<html lang="en"' in chosen
        assert not led_elsewhere(chosen), path
    assert await language(app, "/my-data") == "fr", "nobody is known without a session"


def led_elsewhere(page: str) -> list[str]:
    """The links to own pages that forget which language was chosen."""
    found = page.split('href="/my-data')[1:]
    return [one.partition('"')[0] for one in found if "locale=" not in one.partition('"')[0]]


async def test_a_new_language_is_spoken_at_once(embedded: App) -> None:
    await embedded.subscribe()
    me: Visit = await visit(embedded)

    page = await me.post("/my-data/rectify", answer="profile", language="de")

    assert '<html lang="de"' in page


@pytest.mark.parametrize("written", ["x'6465'", "x'ff00'", "''", "'de' || char(0)"])
async def test_what_somebody_wrote_for_a_language_is_in_nobodys_way(
    embedded: App, written: str
) -> None:
    """SQLite keeps anything anywhere: who leaves must be answered, and the page shown."""
    found = await nurture(embedded)
    await by_sql(embedded, f"UPDATE subject SET locale = {written}")  # noqa: S608 ours

    assert await language(embedded, f"/unsubscribe/{found['unsubscribe']}")
    answer = await embedded.http.post(f"/unsubscribe/{found['unsubscribe']}", headers=FOREIGN)
    assert answer.status == 200


async def test_a_notice_is_framed_in_its_own_language(embedded: App) -> None:
    async with embedded.http.get("/forms/signup.json?locale=de") as described:
        notice = (await described.json())["purposes"][0]["text"]["bundle"]["notice"]

    async with embedded.http.get(f"/notices/{notice}", headers=FOREIGN) as answer:
        page = await answer.text()

    assert '<html lang="de"' in page


async def test_nor_is_what_somebody_wrote_for_that_of_a_notice(embedded: App) -> None:
    async with embedded.http.get("/forms/signup.json") as described:
        notice = (await described.json())["purposes"][0]["text"]["bundle"]["notice"]
    written = "x'6465'" if embedded.parts.data.dialect == "sqlite" else "''"
    await by_sql(embedded, f"UPDATE privacy_notice SET locale = {written}")  # noqa: S608 ours

    assert await language(embedded, f"/notices/{notice}") == "fr"


@pytest.mark.parametrize("route", ["why", "preferences"])
async def test_what_leads_to_the_own_pages_takes_the_language_along(
    embedded: App, route: str
) -> None:
    path = (await of_mail(embedded))[route]

    async with embedded.http.get(path, headers=FOREIGN) as answer:
        assert 'href="/my-data?locale=de"' in await answer.text()
