"""Rows of intake that nobody can read are dropped, told to the operator, and stop no other."""

from __future__ import annotations

import pytest
import structlog

from consent import address, intakes
from consent.intakes import Intake, IntakeKind
from consent.keys import seal
from gateway.flows.rights import fresh_link
from gateway.process import duties
from storage.ids import ordered_id
from tests.support.apps import ADA, App
from tests.support.fresh_links import sent_links


@pytest.mark.parametrize("raw", [b"{", b'{"email": 7}', None], ids=["no JSON", "odd", "altered"])
async def test_one_bad_row_of_each_kind_stops_no_other(app: App, raw: bytes | None) -> None:
    await app.subscribe(ADA)
    for kind in IntakeKind:
        await keep(app, kind, raw)
    await fresh_link.accept(app.parts, address.parse(ADA), None)
    await app.sign_up("bob@example.org")

    with structlog.testing.capture_logs() as lines:
        mails = await app.deliver()

    assert {one.to for one in mails} == {ADA, "bob@example.org"}
    assert len(await sent_links(app.parts)) == 1
    told = [one["event"] for one in lines if one["log_level"] == "error"]
    assert told == ["intake_not_opened"] * len(IntakeKind)
    async with app.parts.data.read() as connection:
        assert await intakes.waiting(connection) == 0


async def test_one_look_calls_those_who_work_off_what_waits_and_no_others(app: App) -> None:
    of_kind = dict(zip(IntakeKind, ("intake", "fresh_links", "addresses", "sign_ins"), strict=True))
    everyone = {one.name: one for one in duties.of(app.parts)}
    called = [everyone[name] for name in of_kind.values()]

    assert await everyone["arrivals"].run() == 0
    assert not any(one.call.is_set() for one in called)
    for kind, name in of_kind.items():
        await keep(app, kind, b"{")
        await everyone["arrivals"].run()
        assert [one.name for one in called if one.call.is_set()] == [name]
        everyone[name].call.clear()
        await everyone[name].run()


async def keep(app: App, kind: IntakeKind, raw: bytes | None) -> None:
    """A row of ours with *raw* in it, or with bytes that open under no key."""
    now = app.parts.clock.wall()
    key_id, key = await app.parts.keystore.intake_key(now)
    row_id = ordered_id("int", now)
    aad = ("consentgw/intake/v1", "intake", "sealed", row_id)
    sealed = b"\x01" * 120 if raw is None else seal.seal(key.reveal(), raw, aad)
    async with app.parts.data.begin() as connection:
        await intakes.add(connection, [Intake(row_id, key_id, b"x" * 16, sealed, now, kind)])
