"""Withdrawals and objections that a caller heard of and passes on."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.callers.api_keys import Scope
from tests.support.apps import ADA, App
from tests.support.calls import TO, call, pointers


@pytest.mark.parametrize(
    ("said", "reason", "other"),
    [
        ({"purpose": "newsletter", "kind": "withdraw"}, "withdrawn", "granted"),
        ({"all": True, "kind": "withdraw"}, "withdrawn", "withdrawn"),
        ({"purpose": "newsletter", "kind": "object"}, "objected", "objected"),
        ({"all": True, "kind": "object"}, "objected", "objected"),
    ],
    ids=["one", "all", "objection to one is to all", "objection"],
)
async def test_a_withdrawal_by_letter_is_final(
    app: App, said: dict[str, Any], reason: str, other: str
) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    await app.subscribe(ADA, "newsletter", "updates")
    body = {"to": TO, "channel": "letter", "received_at": "2026-11-20T00:00:00Z"} | said

    first = await call(app, key, "POST", "/v1/withdrawals", body)
    again = await call(app, key, "POST", "/v1/withdrawals", body)

    assert first == again == (200, {"status": "done"})
    assert await app.permission() == reason
    assert await app.permission(purpose="updates") == other


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"purpose": "nothing"}, "/purpose"),
        ({"all": True}, ""),
        ({"purpose": None}, ""),
        ({"kind": "grant"}, "/kind"),
        ({"channel": "by phone"}, "/channel"),
        ({"received_at": "yesterday"}, "/received_at"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_field_of_a_withdrawal_is_named(
    embedded: App, change: dict[str, Any], pointer: str
) -> None:
    key = await embedded.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": TO, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}

    assert await pointers(embedded, key, "/v1/withdrawals", body | change) == [pointer]


async def test_an_objection_of_somebody_unknown_keeps_them_from_being_asked(app: App) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    body = {"to": TO, "all": True, "kind": "object", "channel": "reply"}

    assert (await call(app, key, "POST", "/v1/withdrawals", body))[0] == 200
    await app.sign_up()

    assert await app.deliver() == []
