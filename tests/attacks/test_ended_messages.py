"""By SQL: a message that has ended is set back, goes out, and nobody says so."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

from datetime import timedelta

import pytest

from consent.keys.vault import Vault
from delivery import outbox
from delivery.changing import Change
from delivery.desk import Composed, Ended
from delivery.outbox import Status
from delivery.outcome import Ending, Phase, Reply
from delivery.permits import Spending
from gateway.flows.proving.verify import verify
from gateway.flows.sending import composing, settle
from gateway.flows.sending.settle import Result
from gateway.process.desk import Desk
from tests.support.apps import ADA, App
from tests.support.hostile import by_sql

OWNER = "wrk_test"
HOUR = timedelta(hours=1)


async def queued(app: App, key: dict[str, str], after: timedelta = timedelta()) -> str:
    body = {
        "to": {"email": ADA},
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
        "send_at": (app.parts.clock.wall() + after).isoformat(),
    }
    answer = await app.http.post("/v1/messages", json=body, headers=key)
    assert answer.status == 202
    return str((await answer.json())["message_id"])


async def set_back(app: App, message: str) -> None:
    await by_sql(
        app,
        "UPDATE outbox SET status = 'queued', reason = NULL, ended_at = NULL"
        f" WHERE id = '{message}'",
    )


async def withdraw(app: App, key: dict[str, str]) -> None:
    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": "withdraw", "channel": "phone"}
    answer = await app.http.post("/v1/withdrawals", json=body, headers=key)
    assert answer.status == 200


async def test_what_its_sender_cancelled_is_named_when_somebody_sets_it_back(app: App) -> None:
    await app.subscribe()
    key = await app.key()
    message = await queued(app, key, HOUR)
    answer = await app.http.delete(f"/v1/messages/{message}", headers=key)
    assert answer.status == 204
    await app.tick()
    assert (await verify(app.parts)).ok

    await set_back(app, message)

    assert not (await verify(app.parts)).ok


async def test_what_its_sender_cancelled_is_named_once_it_went_out(app: App) -> None:
    await app.subscribe()
    key = await app.key()
    message = await queued(app, key, HOUR)
    await app.http.delete(f"/v1/messages/{message}", headers=key)
    await app.tick()

    await set_back(app, message)
    app.step(2 * HOUR)
    mails = await app.deliver()
    await app.tick()

    assert mails == [] or not (await verify(app.parts)).ok


async def test_what_was_refused_is_named_once_it_went_out_all_the_same(app: App) -> None:
    """By the next consent: the caller was told that it never will."""
    await app.subscribe()
    key = await app.key()
    message = await queued(app, key, HOUR)
    await withdraw(app, key)
    app.step(2 * HOUR)
    assert await app.deliver() == []
    seen = await (await app.http.get(f"/v1/messages/{message}", headers=key)).json()
    assert (seen["status"], seen["reason"]) == ("refused", "withdrawn")
    await app.subscribe()
    await app.tick()
    assert (await verify(app.parts)).ok

    await set_back(app, message)
    mails = await app.deliver()
    await app.tick()

    assert mails == [] or not (await verify(app.parts)).ok


NO = Ending(Phase.REPLIED, Reply(550, "5.7.1", "no"))
YES = Ending(Phase.REPLIED, Reply(250, "2.0.0", "yes"))


async def settled(app: App, message: str, ending: Ending, *, told: bool = True) -> None:
    """As a worker whose relay answers so; not *told*: as one that ends before it says so."""
    desk = Desk(app.parts)
    await desk.register(OWNER)
    (parcel,) = await desk.claim(OWNER, 1)
    assert parcel.message == message
    composed = await desk.compose(parcel, ())
    assert composed is not None
    await desk.spend(OWNER, [Spending(parcel.permit, parcel.message, parcel.attempt)])
    if told:
        await desk.settle(OWNER, [Ended(parcel, ending, composed.digest)])
    await app.tick()
    assert (await verify(app.parts)).ok


async def test_what_bounced_is_not_sent_by_two_words_in_two_rows(app: App) -> None:
    await app.subscribe()
    message = await queued(app, await app.key())
    await app.tick()
    await settled(app, message, NO)

    await by_sql(
        app,
        f"UPDATE outbox SET status = 'sent' WHERE id = '{message}'",
        f"UPDATE attempt SET outcome = 'sent', code = 250 WHERE message = '{message}'",
    )

    assert not (await verify(app.parts)).ok


async def test_what_bounced_does_not_go_out_when_somebody_sets_it_back(app: App) -> None:
    await app.subscribe()
    message = await queued(app, await app.key())
    await app.tick()
    await settled(app, message, NO)

    await set_back(app, message)

    assert not (await verify(app.parts)).ok
    assert await app.deliver() == []


@pytest.mark.parametrize("ending", [NO, YES], ids=["bounced", "sent"])
async def test_what_goes_out_after_its_end_is_named_although_every_row_fits(
    app: App, ending: Ending
) -> None:
    """Its attempt is taken away meanwhile, and put back when it went out."""
    await app.subscribe()
    message = await queued(app, await app.key())
    await app.tick()
    await settled(app, message, ending)

    await by_sql(
        app,
        f"UPDATE permit SET state = 'lapsed' WHERE message = '{message}'",
        f"UPDATE attempt SET outcome = 'aborted' WHERE message = '{message}'",
        f"UPDATE outbox SET owner = NULL, due_at = created_at WHERE id = '{message}'",
    )
    await set_back(app, message)
    mails = await app.deliver()
    stored = "bounced" if ending is NO else "sent"
    await by_sql(
        app,
        f"UPDATE permit SET state = 'spent' WHERE message = '{message}'",
        f"UPDATE attempt SET outcome = '{stored}' WHERE message = '{message}' AND n = 1",
    )
    await app.tick()

    assert len(mails) == 1
    assert f"outbox {message}: the log grants attempt 2 after its end" in [
        *(await verify(app.parts)).rows
    ]


async def test_what_no_worker_sent_is_not_sent_because_rows_say_so(app: App) -> None:
    await app.subscribe()
    message = await queued(app, await app.key())
    await app.tick()
    await settled(app, message, NO, told=False)

    await by_sql(
        app,
        f"UPDATE outbox SET status = 'sent', owner = NULL, ended_at = created_at"
        f" WHERE id = '{message}'",
        f"UPDATE attempt SET outcome = 'sent', code = 250 WHERE message = '{message}'",
    )

    said = f"attempt {message}/1: no event in the log tells that it ended sent"
    assert said in (await verify(app.parts)).rows


async def test_what_could_not_be_composed_is_named_when_somebody_sets_it_back(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.subscribe()
    message = await queued(app, await app.key())

    def fail(*_: object) -> Composed:
        raise AssertionError("whatever a library thinks of it")

    with monkeypatch.context() as patch:
        patch.setattr(composing, "_composed", fail)
        assert await app.deliver() == []
    await app.tick()
    assert (await verify(app.parts)).ok

    await set_back(app, message)
    assert not (await verify(app.parts)).ok
    mails = await app.deliver()
    await app.tick()

    assert mails == [] or not (await verify(app.parts)).ok


async def test_an_outcome_that_was_told_of_nobody_is_no_forged_one(app: App) -> None:
    """The key was unusable when it came; with the key back, the log still vouches for it."""
    await app.subscribe()
    message = await queued(app, await app.key())
    desk = Desk(app.parts)
    await desk.register(OWNER)
    (parcel,) = await desk.claim(OWNER, 1)
    await desk.spend(OWNER, [Spending(parcel.permit, parcel.message, parcel.attempt)])
    async with app.parts.data.begin() as connection:
        held = await outbox.lock(connection, [message])
        sent = Change(message, Status.SENT, tried=True)
        result = Result(held[message], sent, "sent", YES.reply)
        await settle.record(
            connection, app.parts.clock, app.parts.log, app.parts.rows, [result], Vault({})
        )
    await app.tick()

    assert (await verify(app.parts)).ok

    await by_sql(app, f"UPDATE outbox SET status = 'bounced' WHERE id = '{message}'")
    assert not (await verify(app.parts)).ok


async def test_what_was_sent_and_is_sent_again_is_named_once_it_went_out(app: App) -> None:
    """Set back together with its permit and its attempt: then the log tells of two."""
    await app.subscribe()
    message = await queued(app, await app.key())
    (first,) = await app.deliver()
    await app.tick()
    assert (await verify(app.parts)).ok

    await by_sql(
        app,
        f"DELETE FROM permit WHERE message = '{message}'",
        f"DELETE FROM attempt WHERE message = '{message}'",
        "UPDATE outbox SET attempt = 0, tries = 0, owner = NULL, dated_at = NULL"
        f" WHERE id = '{message}'",
    )
    await set_back(app, message)
    mails = await app.deliver()
    await app.tick()

    assert first.to == ADA
    assert mails == [] or not (await verify(app.parts)).ok
