"""What became of one's messages, as a list: filtered, newest first, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from delivery import own_messages, retention
from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App
from tests.support.calls import call, message
from tests.support.clock import START

Key = dict[str, str]


async def hand_in(app: App, key: Key, **more: Any) -> str:
    status, queued = await call(app, key, "POST", "/v1/messages", message(**more))
    assert status == 202, queued
    return str(queued["message_id"])


async def listed(app: App, key: Key, **asked: Any) -> dict[str, Any]:
    status, said = await call(app, key, "GET", f"/v1/messages?{urlencode(asked)}")
    assert status == 200, said
    return dict(said)


def ids(said: dict[str, Any]) -> list[str]:
    return [one["message_id"] for one in said["messages"]]


async def test_ones_own_are_listed_newest_first_page_by_page(app: App) -> None:
    key, other = await app.key(Scope.MESSAGES_SEND), await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    mine = []
    for number in range(3):
        app.step(timedelta(seconds=1))
        mine.append(await hand_in(app, key, reference=f"order-{number}"))
        await hand_in(app, other, reference=f"order-{number}")
    mine.reverse()

    whole = await listed(app, key)
    first = await listed(app, key, limit=2)
    second = await listed(app, key, limit=2, after=first["next"])

    assert ids(whole) == mine
    assert whole["next"] is None
    assert ids(first) + ids(second) == mine
    assert ADA not in repr(whole)
    named = {"message_id", "status", "purpose", "reference", "created_at", "send_at"}
    assert {frozenset(one) for one in whole["messages"]} == {frozenset(named)}
    assert [one["reference"] for one in whole["messages"]] == ["order-2", "order-1", "order-0"]


async def test_a_page_of_nobody_elses_goes_on(
    embedded: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_messages, "_AT_ONCE", 1)
    monkeypatch.setattr(own_messages, "_LOOKED_AT", 2)
    key, other = await embedded.key(Scope.MESSAGES_SEND), await embedded.key(Scope.MESSAGES_SEND)
    await embedded.subscribe()
    mine = await hand_in(embedded, key)
    for _ in range(3):
        embedded.step(timedelta(seconds=1))
        others = await hand_in(embedded, other)

    said, found = await listed(embedded, key), []
    while said["next"] is not None:
        assert others not in repr(said)
        said = await listed(embedded, key, after=said["next"])
        found += ids(said)

    assert found == [mine]


async def test_each_filter_narrows(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe(ADA, "newsletter", "updates")
    sent = await hand_in(app, key, reference="one")
    await app.deliver()
    app.step(timedelta(minutes=1))
    later = app.parts.clock.wall().isoformat()
    waits = await hand_in(app, key, reference="two", purpose="updates")

    assert ids(await listed(app, key, reference="one")) == [sent]
    assert ids(await listed(app, key, reference="o")) == []
    assert ids(await listed(app, key, status="sent")) == [sent]
    assert ids(await listed(app, key, status="queued")) == [waits]
    assert ids(await listed(app, key, purpose="updates")) == [waits]
    assert ids(await listed(app, key, since=later)) == [waits]
    assert ids(await listed(app, key, until=later)) == [sent]
    assert ids(await listed(app, key, reference="two", status="sent")) == []


async def test_a_reference_finds_nothing_for_another_key_nor_in_the_rows(app: App) -> None:
    key, other = await app.key(Scope.MESSAGES_SEND), await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    mine = await hand_in(app, key, reference="ada-1")
    await hand_in(app, other, reference="ada-1")

    assert ids(await listed(app, key, reference="ada-1")) == [mine]
    _, seen = await call(app, key, "GET", f"/v1/messages/{mine}")
    assert (seen["reference"], seen["purpose"]) == ("ada-1", "newsletter")
    assert seen["created_at"] == seen["send_at"]
    await app.deliver()
    app.step(timedelta(days=31))
    async with app.parts.data.begin() as connection:
        now = await app.parts.clock.now(connection)
        await retention.drop_bodies(connection, now - timedelta(days=30), 10)
    after = await listed(app, key, reference="ada-1")
    assert ids(after) == [mine]
    assert "reference" not in after["messages"][0]


async def test_a_time_that_had_passed_is_said_to_have(app: App) -> None:
    key = await app.key(Scope.MESSAGES_SEND)
    await app.subscribe()
    hour = timedelta(hours=1)
    past = message(send_at=(START - hour).isoformat())
    later = message(send_at=(START + hour).isoformat())

    _, first = await call(app, key, "POST", "/v1/messages", past, Idempotency_Key="a")
    _, again = await call(app, key, "POST", "/v1/messages", past, Idempotency_Key="a")
    _, waits = await call(app, key, "POST", "/v1/messages", later)
    _, both = await call(app, key, "POST", "/v1/messages/batch", {"messages": [past, later]})

    assert first["send_at_passed"] is True
    assert again == first
    assert "send_at_passed" not in waits
    assert [one.get("send_at_passed") for one in both["results"]] == [True, None]
    shown = {one["message_id"]: one for one in (await listed(app, key))["messages"]}
    assert shown[first["message_id"]]["send_at"] == shown[first["message_id"]]["created_at"]
    assert shown[waits["message_id"]]["send_at"].startswith((START + hour).isoformat()[:19])


async def test_a_purpose_that_left_the_configuration_is_asked_for_too(embedded: App) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)
    config = embedded.parts.config
    purposes = {name: one for name, one in config.purposes.items() if name != "newsletter"}
    embedded.parts.config.__dict__["purposes"] = purposes

    assert (await listed(embedded, key, purpose="newsletter"))["messages"] == []


@pytest.mark.parametrize(
    ("said", "pointer", "detail"),
    [
        (
            {"audience": {"locale": ["en", "tlh"]}},
            "/audience/locale/1",
            "must be a language of this gateway's wordings: de, en",
        ),
        ({"purpose": "nothing"}, "/purpose", "is not in the configuration"),
        (
            {"audience": {"profile": {"colour": "red"}}},
            "/audience/profile/colour",
            "is asked for by no form of the purpose",
        ),
    ],
)
async def test_a_campaign_to_what_nobody_configured_is_no_campaign_to_nobody(
    embedded: App, said: dict[str, Any], pointer: str, detail: str
) -> None:
    body = {"purpose": "newsletter", "content": {"subject": "June", "text": "Hello."}} | said

    key = await embedded.key(Scope.CAMPAIGNS_SEND)
    status, problem = await call(embedded, key, "POST", "/v1/campaigns", {"dry_run": True} | body)

    assert (status, problem["errors"]) == (422, [{"pointer": pointer, "detail": detail}])


@pytest.mark.parametrize(
    "asked",
    [
        "status=lost",
        "limit=0",
        "since=today",
        "after=msg_0",
        "to=x",
        "purpose=A",
        "purpose=nothing",
    ],
)
async def test_what_cannot_be_asked_is_refused(embedded: App, asked: str) -> None:
    key = await embedded.key(Scope.MESSAGES_SEND)

    status, problem = await call(embedded, key, "GET", f"/v1/messages?{asked}")

    assert (status, problem["errors"][0]["pointer"]) == (422, "/" + asked.partition("=")[0])


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        (
            "messages?status=lost",
            "must be queued, sending, deferred, sent, uncertain, bounced, refused, cancelled or"
            " failed",
        ),
        ("messages?limit=many", "must be a whole number"),
        ("messages?limit=0", "must be at least 1"),
        ("messages?limit=1001", "must be at most 1000"),
        ("messages?reference=", "must not be empty"),
        (f"messages?reference={'a' * 201}", "must have at most 200 characters"),
        ("messages?purpose=nothing", "is not a purpose of this gateway"),
        ("audience?purpose=nothing", "is not in the configuration"),
        (
            f"consents/con_{'0' * 26}/evidence?locale=tlh",
            "must be a language of papers: en, de, fr",
        ),
        ("audit/export?format=pdf&locale=tlh", "must be a language of papers: en, de, fr"),
    ],
)
async def test_what_may_be_asked_is_said_in_plain_words(
    embedded: App, asked: str, detail: str
) -> None:
    key = await embedded.key() | {"Access-Reason": "ticket-17"}

    _, problem = await call(embedded, key, "GET", f"/v1/{asked}")

    assert problem["errors"][0]["detail"] == detail
