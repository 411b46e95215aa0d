"""A form's stamp proves who showed the wording, once, for one form and for a day."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from consent import intakes
from consent.evidence import Requested
from consent.sign_ups import RenderedBy
from gateway.flows.rights import overview
from gateway.http.signing import serializer
from storage.errors import StorageAway
from tests.support.apps import ADA, ORIGIN, App
from tests.support.posts import hosted, kept, opened, plain, scripted


async def test_a_stamp_of_another_form_or_day_proves_nothing(embedded: App) -> None:
    async with embedded.http.get("/forms/linked") as page:
        found = re.search(r'name="stamp" value="([^"]*)"', await page.text())
    assert found is not None
    stamp = found[1]
    embedded.step(timedelta(seconds=5))

    async def status(form: str, stamp: str) -> int:
        fields = await plain(embedded, ("stamp", stamp), ("profile.first_name", "Ada"))
        fields = [one for one in fields if one[0] != "text"]
        fields.append(("text", (await embedded.texts("newsletter"))[0]))
        async with embedded.http.post(
            f"/forms/{form}", data=fields, allow_redirects=False
        ) as answer:
            return answer.status

    assert await status("linked", stamp) == 303
    assert await status("signup", stamp) == 422
    body, _, signature = stamp.rpartition(".")
    # Not its last character: two of that one's bits mean nothing.
    altered = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert await status("linked", f"{body}.{altered}") == 422
    embedded.step(timedelta(days=2))
    assert await status("linked", stamp) == 422


async def post(app: App, fields: list[tuple[str, str]]) -> int:
    async with app.http.post("/forms/signup", data=fields) as answer:
        return answer.status


@dataclass(frozen=True)
class Shown:
    """A form as somebody has it before them, to be sent again and again."""

    rendered_by: str
    page_url: str
    taken: int  # the answer to a sign-up that is kept, or was
    send: Callable[[], Awaitable[int]]


async def our_page(app: App) -> Shown:
    fields = await hosted(app)
    return Shown("page", "http://gateway.example/forms/signup", 200, lambda: post(app, fields))


async def our_script(app: App) -> Shown:
    body = await scripted(app)

    async def send() -> int:
        headers = {"Origin": ORIGIN}
        async with app.http.post("/forms/signup", json=body, headers=headers) as answer:
            return answer.status

    return Shown("script", f"{ORIGIN}/offer", 202, send)


async def somebodys_form(app: App) -> Shown:
    """Their own, with our wordings in it: nobody knows that they were shown."""
    page = ("page_url", f"{ORIGIN}/own")
    fields = await plain(app, page)
    return Shown("asserted", f"{ORIGIN}/own", 200, lambda: post(app, fields))


WITH_A_STAMP = pytest.mark.parametrize("show", [our_page, our_script])
Show = Callable[[App], Awaitable[Shown]]


async def proven(app: App) -> list[tuple[str, str | None]]:
    """Who showed the wording of each sign-up that waits, and where."""
    return [(one.rendered_by, one.page_url) for one in await opened(app)]


@WITH_A_STAMP
async def test_a_double_click_signs_up_once(app: App, show: Show) -> None:
    shown = await show(app)

    answers = await asyncio.gather(shown.send(), shown.send(), shown.send())

    assert set(answers) == {shown.taken}
    assert await proven(app) == [(shown.rendered_by, shown.page_url)]


@WITH_A_STAMP
async def test_a_page_that_was_open_for_an_hour_went_back_and_lost_its_answer(
    app: App, show: Show
) -> None:
    shown = await show(app)
    app.step(timedelta(hours=1))

    assert await shown.send() == shown.taken  # the answer is lost
    app.step(timedelta(minutes=5))
    assert await shown.send() == shown.taken  # once more
    assert await proven(app) == [(shown.rendered_by, shown.page_url)]
    await app.tick()
    app.step(timedelta(minutes=5))
    assert await shown.send() == shown.taken  # back, and once more

    assert await kept(app) == 0
    (mail,) = await app.deliver()
    assert mail.to == ADA
    assert await in_the_proof(app) == [(shown.rendered_by, shown.page_url)]


@pytest.mark.parametrize("show", [our_page, our_script, somebodys_form])
async def test_whoever_was_told_503_sends_it_again_and_it_is_taken_as_what_it_is(
    app: App, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = await show(app)

    async def away(*_: object) -> None:
        raise StorageAway("data")

    with monkeypatch.context() as broken:
        broken.setattr(intakes, "add", away)
        assert [await shown.send(), await shown.send()] == [503, 503]
    assert await shown.send() == shown.taken

    assert await proven(app) == [(shown.rendered_by, shown.page_url)]
    (mail,) = await app.deliver()
    assert mail.to == ADA
    assert await in_the_proof(app) == [(shown.rendered_by, shown.page_url)]


async def in_the_proof(app: App) -> list[tuple[str, str | None]]:
    """As each request's own story tells it."""
    name = await app.subject(ADA)
    assert name is not None
    seen = await overview.look(app.parts, name)
    assert seen is not None
    steps = [step.said for held in seen.consents for step in held.story]
    return [(one.rendered_by, one.page_url) for one in steps if isinstance(one, Requested)]


async def test_who_goes_back_and_corrects_the_address_is_asked_there(app: App) -> None:
    fields = await hosted(app, email="adda@example.org")
    await post(app, fields)

    corrected = [(name, ADA if name == "email" else value) for name, value in fields]
    assert await post(app, corrected) == 200

    assert {(one.email.typed, one.rendered_by) for one in await opened(app)} == {
        ("adda@example.org", "page"),
        (ADA, "asserted"),
    }


@WITH_A_STAMP
async def test_what_was_kept_and_answered_503_is_kept_once(app: App, show: Show) -> None:
    """The commit took effect, and whoever posted was told that it may not have."""
    shown = await show(app)
    data = app.parts.data
    begin = data.begin

    @asynccontextmanager
    async def unsure() -> AsyncIterator[Any]:
        async with begin() as connection:
            yield connection
        raise StorageAway("data")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(data, "begin", unsure)
        assert await shown.send() == 503
    assert await shown.send() == shown.taken

    assert await proven(app) == [(shown.rendered_by, shown.page_url)]


async def test_who_was_told_to_wait_has_spent_nothing(limited: App) -> None:
    crowd = await limited.posted()
    for _ in range(60):
        assert (await limited.http.post("/forms/signup", json=crowd)).status == 202
    fields = await hosted(limited)
    for _ in range(3):
        await limited.http.post("/forms/signup", json=crowd)

    assert await post(limited, fields) == 429
    elsewhere = {"X-Forwarded-For": "203.0.113.7"}
    async with limited.http.post("/forms/signup", data=fields, headers=elsewhere) as answer:
        assert answer.status == 200
    async with limited.parts.data.begin() as connection:
        waiting = await intakes.oldest(connection, 100, limited.parts.clock.wall())
    keys = await limited.parts.keystore.intake_keys({one.key_id for one in waiting})
    proven = intakes.open_sign_ups(waiting, keys).said.values()
    assert [one.rendered_by for one in proven].count(RenderedBy.PAGE) == 1


async def test_a_robot_that_fills_the_honeypot_spends_nothing(app: App) -> None:
    fields = await hosted(app)

    assert await post(app, [*fields, ("homepage", "https://robot.example")]) == 200
    assert await post(app, fields) == 200

    assert [one.rendered_by for one in await opened(app)] == ["page"]


async def test_a_page_of_the_release_before_signs_up_and_proves_nothing(app: App) -> None:
    fields = [one for one in await hosted(app) if one[0] != "stamp"]
    texts = sorted(value for name, value in fields if name == "text")
    now = app.parts.clock.wall().timestamp()
    said = {"form": "signup", "texts": texts, "at": now - 60, "by": "page"}
    stamp = serializer(app.parts.keyring, "consentgw/form-stamp/v1").dumps(said)

    assert await post(app, [*fields, ("stamp", str(stamp))]) == 200

    assert [one.rendered_by for one in await opened(app)] == ["asserted"]


async def test_every_page_has_a_stamp_of_its_own_that_no_cache_keeps(app: App) -> None:
    first, second = await hosted(app), await hosted(app)
    async with app.http.get("/forms/signup.json") as described:
        assert described.headers["Cache-Control"] == "no-store"

    assert dict(first)["stamp"] != dict(second)["stamp"]
    assert (await post(app, first), await post(app, second)) == (200, 200)
    assert [one.rendered_by for one in await opened(app)] == ["page", "page"]
