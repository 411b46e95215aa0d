"""A form's stamp proves who showed the wording, once, for one form and for a day."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from consent import intakes
from gateway.http.signing import serializer
from storage.errors import StorageAway
from tests.support.apps import ADA, App
from tests.support.posts import hosted, kept, opened, plain


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


async def test_a_double_click_signs_up_once(app: App) -> None:
    fields = await hosted(app)

    answers = await asyncio.gather(post(app, fields), post(app, fields), post(app, fields))

    assert answers == [200, 200, 200]
    assert [one.rendered_by for one in await opened(app)] == ["page"]


async def test_a_page_that_was_open_for_an_hour_went_back_and_lost_its_answer(app: App) -> None:
    fields = await hosted(app)
    app.step(timedelta(hours=1))

    assert await post(app, fields) == 200  # the answer is lost
    app.step(timedelta(minutes=5))
    assert await post(app, fields) == 200  # once more
    await app.tick()
    app.step(timedelta(minutes=5))
    assert await post(app, fields) == 200  # back, and once more

    assert await kept(app) == 0
    (mail,) = await app.deliver()
    assert mail.to == ADA


async def test_who_goes_back_and_corrects_the_address_is_asked_there(app: App) -> None:
    fields = await hosted(app, email="adda@example.org")
    await post(app, fields)

    corrected = [(name, ADA if name == "email" else value) for name, value in fields]
    assert await post(app, corrected) == 200

    assert {(one.email.typed, one.rendered_by) for one in await opened(app)} == {
        ("adda@example.org", "page"),
        (ADA, "asserted"),
    }


async def test_what_was_not_kept_has_spent_nothing(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = await hosted(app)

    async def away(*_: object) -> None:
        raise StorageAway("data")

    with monkeypatch.context() as broken:
        broken.setattr(intakes, "add", away)
        assert await post(app, fields) == 503
    assert await post(app, fields) == 200

    assert [one.rendered_by for one in await opened(app)] == ["page"]


async def test_what_was_kept_and_answered_503_is_kept_once(app: App) -> None:
    """The commit took effect, and whoever posted was told that it may not have."""
    fields = await hosted(app)
    data = app.parts.data
    begin = data.begin

    @asynccontextmanager
    async def unsure() -> AsyncIterator[Any]:
        async with begin() as connection:
            yield connection
        raise StorageAway("data")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(data, "begin", unsure)
        assert await post(app, fields) == 503
    assert await post(app, fields) == 200

    assert [one.rendered_by for one in await opened(app)] == ["page"]


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
    assert [one.rendered_by for one in proven].count("page") == 1


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
